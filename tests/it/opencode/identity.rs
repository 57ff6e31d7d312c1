//! Whose commits are made in a workspace: the owner's, where anybody has said so, else those of the workspace itself.

use std::{fs, path::Path};

use harness::PATIENCE;
use local::{paths, scripted_model, services::Model};
use serde_json::json;
use shared::agents::contract::AgentRuntime;

use super::{Agents, Bench, Server, bash, git};

const OURS: &str = "Bot of us <bot@example.org>";

/// A run whose agent commits one file and leaves another uncommitted. Answers the author of the agent's commit, and of
/// the commit that keeps the rest on the session's branch.
async fn authors(bench: &Bench, project: &Path) -> [String; 2] {
    let commit = bash("echo a > a && git add a && git commit -q -m Agent && echo b > b");
    let assignment = bench.assignment_in(project, &json!([commit, {"text": "Done."}]));
    let seen = bench.run(&assignment).await;
    assert_eq!(seen.completed(), "Done.");
    bench.runtime.release_workspace(&assignment, &seen.state).await.unwrap();
    let branch = format!("ioc/{}", assignment.session_id);
    let author = |commit: &str| git(project, &["log", "-1", "--format=%an <%ae>", commit]).trim().to_owned();
    assert_eq!(git(project, &["log", "-1", "--format=%s", &format!("{branch}~1")]).trim(), "Agent");
    [author(&format!("{branch}~1")), author(&branch)]
}

#[tokio::test]
async fn a_workspace_has_an_identity_and_that_of_the_owner_wins() {
    let folder = paths::temporary("no-identity").unwrap();
    let global = folder.join("gitconfig");
    fs::write(&global, "").unwrap();
    let model = scripted_model::serve("127.0.0.1:0").await.unwrap();
    let mut options = super::OpenCodeOptions::new(Model::Scripted { base_url: model.base_url() });
    let nobody = [("HOME", folder.clone()), ("GIT_CONFIG_GLOBAL", global.clone()), ("GIT_CONFIG_NOSYSTEM", "1".into())];
    options.environment = nobody.map(|(name, value)| (name.into(), value.into())).into();
    let agents = Agents { server: Server::start(&options).await.unwrap(), model };
    let bench = Bench::on(&agents, |settings| {
        settings.git_name = "Bot of us".to_owned();
        settings.git_email = "bot@example.org".to_owned();
    });
    let project = bench.repository("app");
    let before = fs::read_to_string(project.join(".git/config")).unwrap();
    assert_eq!(authors(&bench, &project).await, [OURS, OURS], "nobody has an identity");
    assert_eq!(fs::read_to_string(project.join(".git/config")).unwrap(), before, "nothing of it is left behind");

    fs::write(&global, "[user]\nname = Grace\nemail = grace@example.org\n").unwrap();
    let machine = "Grace <grace@example.org>";
    assert_eq!(authors(&bench, &project).await, [machine, machine], "that of the machine");
    git(&project, &["config", "user.name", "Ada"]);
    git(&project, &["config", "user.email", "ada@example.org"]);
    let owner = "Ada <ada@example.org>";
    assert_eq!(authors(&bench, &project).await, [owner, owner], "that of the repository");
    tokio::time::timeout(PATIENCE, agents.server.stop()).await.unwrap();
    _ = fs::remove_dir_all(folder);
}

//! What the environment of a session changes about its job: its sources, its program, its prompt. Pure.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{
    run::{Job, RunEnd},
    session_secrets::SessionSecrets,
};
use crate::{
    control_plane::{environment::TaskEnvironment, wire::Task},
    programs::AgentProgram,
    sandbox::Isolation,
    workspace::{AdditionalRepository, WorkspaceSource},
};

/// Where the files of a session come from: its own workspace, else the repositories of its environment.
pub(super) fn source_of(task: &Task, secrets: &SessionSecrets) -> WorkspaceSource {
    let earlier = task.context.continuation.as_ref().map(|continued| continued.patch.clone());
    let mut source = WorkspaceSource {
        continuation: earlier.filter(|text| !text.is_empty()),
        credentials: secrets.git_credentials(),
        ..WorkspaceSource::default()
    };
    if let Some(place) = &task.context.workspace {
        source.repository.clone_from(&place.repository);
        source.reference.clone_from(&place.reference);
        source.directory.clone_from(&place.directory);
    }
    let repositories = task.context.environment.iter().flat_map(|environment| &environment.repositories);
    for one in repositories {
        match &one.path {
            Some(path) => source.additional.push(AdditionalRepository {
                repository: one.url.clone(),
                reference: one.reference.clone(),
                path: path.clone(),
            }),
            None if task.context.workspace.is_none() && source.repository.is_none() => {
                source.repository = Some(one.url.clone());
                source.reference.clone_from(&one.reference);
            }
            None => {}
        }
    }
    source
}

/// The job as its environment wants it. Fails if this runner cannot provide that.
pub(super) fn adapt_job(job: &Job) -> Result<Job, RunEnd> {
    let mut task = job.task.clone();
    let Some(environment) = task.context.environment.clone() else {
        return Ok(Job { task, program: job.program.clone(), gauge: job.gauge.clone() });
    };
    let program = adapt_program(&job.program, &environment)?;
    if !environment.rules.trim().is_empty() {
        task.context.prompt = format!("{}\n\nRules of this environment:\n\n{}", task.context.prompt, environment.rules);
    }
    Ok(Job { task, program, gauge: job.gauge.clone() })
}

fn adapt_program(program: &Arc<AgentProgram>, environment: &TaskEnvironment) -> Result<Arc<AgentProgram>, RunEnd> {
    let Some(wanted) = &environment.agent else { return Ok(program.clone()) };
    if let Some(name) = wanted.program.as_deref().filter(|name| *name != program.name) {
        let message = format!(
            "the environment {} wants the program {name}, and the session was given to an agent that runs {}. Name an \
             agent that runs {name}, or leave the agent out",
            environment.name, program.name
        );
        return Err(RunEnd::failed("PROGRAM_NOT_OFFERED", &message));
    }
    Ok(match &wanted.mode {
        Some(mode) => Arc::new(AgentProgram { mode: Some(mode.clone()), ..program.as_ref().clone() }),
        None => program.clone(),
    })
}

/// Refuses a session whose environment asks for more isolation than this runner has.
pub(super) fn check_isolation(task: &Task, isolation: Isolation) -> Result<(), RunEnd> {
    let environment = task.context.environment.as_ref();
    let least = environment.and_then(|environment| environment.minimum_isolation.as_deref()).unwrap_or("none");
    if least == "none" || least.parse::<Isolation>().is_ok_and(|least| isolation >= least) {
        return Ok(());
    }
    let message = format!(
        "the environment asks for the isolation {least}, and this runner has {}. Give the session to another runner, \
         or see `ioc-runner doctor` for what this machine lacks",
        isolation.name()
    );
    Err(RunEnd::failed("ISOLATION_NOT_OFFERED", &message))
}

/// What the agent of a session is to reach of the network, if the session or its environment says so.
pub(super) fn agent_network_of(task: &Task) -> Option<Value> {
    let stated = task.input_data.get("network");
    let Some(network) = task.context.environment.as_ref().and_then(|environment| environment.network.as_ref()) else {
        return stated.cloned();
    };
    // The control plane fills this in where a session states nothing. The domains may be for the set-up script alone.
    let filled = json!({"mode": network.agent, "domains": network.domains});
    stated.filter(|stated| **stated != filled).cloned().or_else(|| Some(network.agent_policy()))
}

/// What the set-up script is to reach of the network.
pub(super) fn setup_network_of(task: &Task) -> Option<Value> {
    let environment = task.context.environment.as_ref()?;
    Some(environment.network.as_ref()?.setup_policy())
}

/// The variables that an environment states for the set-up and for the agent.
pub(super) fn variables_of(task: &Task) -> Vec<(String, String)> {
    let variables = task.context.environment.iter().flat_map(|environment| environment.variables.clone());
    variables.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::programs::parse_program_file;

    fn job(context: &Value) -> Job {
        let task = json!({
            "task_id": "1", "session_id": "2", "context": context, "timeout_seconds": 60, "lease": {"token": 1},
        });
        let file = "[[program]]\nname = \"opencode\"\ncommand = [\"opencode\"]\nprotocol = \"openai_chat\"\n";
        let program = parse_program_file(file).unwrap().remove(0);
        Job { task: serde_json::from_value(task).unwrap(), program: Arc::new(program), gauge: Arc::default() }
    }

    fn source(context: &Value) -> WorkspaceSource {
        source_of(&job(context).task, &SessionSecrets::default())
    }

    #[test]
    fn the_repository_without_a_path_is_the_work_tree_unless_the_session_has_one() {
        let repositories = json!([
            {"url": "https://a.org/lib", "path": "libs/core"}, {"url": "https://a.org/app", "ref": "main"},
        ]);
        let environment = json!({"repositories": repositories});
        let of_environment = source(&json!({"prompt": "", "environment": environment}));
        assert_eq!(of_environment.repository.as_deref(), Some("https://a.org/app"));
        assert_eq!(of_environment.reference.as_deref(), Some("main"));
        assert_eq!(of_environment.additional[0].path, "libs/core");
        let workspace = json!({"repository": "https://b.org/own"});
        let own = source(&json!({"prompt": "", "environment": environment, "workspace": workspace}));
        assert_eq!((own.repository.as_deref(), own.reference.as_deref()), (Some("https://b.org/own"), None));
        assert_eq!(own.additional.len(), 1);
        assert_eq!(source(&json!({"prompt": ""})), WorkspaceSource::default());
    }

    #[test]
    fn rules_follow_the_prompt_and_a_mode_replaces_that_of_the_program() {
        let environment = json!({"rules": "Be brief.", "agent": {"program": "opencode", "mode": "plan"}});
        let adapted = adapt_job(&job(&json!({"prompt": "Do it.", "environment": environment}))).unwrap();
        let prompt = &adapted.task.context.prompt;
        assert!(prompt.starts_with("Do it.\n\n") && prompt.ends_with("Be brief."), "{prompt}");
        assert_eq!(adapted.program.mode.as_deref(), Some("plan"));
        let plain = adapt_job(&job(&json!({"prompt": "Do it."}))).unwrap();
        assert_eq!((plain.task.context.prompt.as_str(), plain.program.mode.as_deref()), ("Do it.", None));
    }

    #[test]
    fn the_network_of_a_session_wins_over_that_of_its_environment() {
        let network = json!({"setup": "allowlist", "agent": "none", "domains": ["packages.example.com"]});
        let mut task = job(&json!({"prompt": "", "environment": {"network": network}})).task;
        let setup = json!({"mode": "allowlist", "domains": ["packages.example.com"]});
        assert_eq!(setup_network_of(&task), Some(setup.clone()));
        assert_eq!(agent_network_of(&task), Some(json!({"mode": "none"})));
        task.input_data.insert("network".to_owned(), json!({"mode": "none", "domains": ["packages.example.com"]}));
        assert_eq!(agent_network_of(&task), Some(json!({"mode": "none"})));
        task.input_data.insert("network".to_owned(), setup.clone());
        assert_eq!(agent_network_of(&task), Some(setup.clone()));
        task.context.environment = None;
        assert_eq!((agent_network_of(&task), setup_network_of(&task)), (Some(setup), None));
        task.input_data.clear();
        assert_eq!(agent_network_of(&task), None);
    }

    #[test]
    fn a_runner_with_less_isolation_than_the_environment_asks_for_is_refused() {
        let task = |least: &str| job(&json!({"prompt": "", "environment": {"minimum_isolation": least}})).task;
        for least in ["none", "process"] {
            assert_eq!(check_isolation(&task(least), Isolation::Process), Ok(()), "{least}");
        }
        assert_eq!(check_isolation(&task("sandbox"), Isolation::Sandbox), Ok(()));
        assert_eq!(check_isolation(&job(&json!({"prompt": ""})).task, Isolation::Process), Ok(()));
        for (least, isolation) in [("sandbox", Isolation::Process), ("of a later version", Isolation::Sandbox)] {
            let refused = check_isolation(&task(least), isolation);
            assert!(matches!(&refused, Err(RunEnd::Failed { code, .. }) if code == "ISOLATION_NOT_OFFERED"), "{least}");
        }
    }

    #[test]
    fn another_program_than_the_environment_wants_is_refused() {
        let environment = json!({"name": "backend", "agent": {"program": "codex"}});
        let RunEnd::Failed { code, message } =
            adapt_job(&job(&json!({"prompt": "", "environment": environment}))).unwrap_err()
        else {
            panic!("a failure");
        };
        assert_eq!(code, "PROGRAM_NOT_OFFERED");
        assert!(message.contains("codex") && message.contains("opencode"), "{message}");
    }
}

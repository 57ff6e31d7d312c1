//! The workspace of a second session on a repository that has a mirror: of one of 200 MB, and of one of 50 000 files.

use std::{path::Path, time::Instant};

use anyhow::Result;
use runner::workspace::{WorkspaceSettings, WorkspaceSource, Workspaces};

use super::process::{make_folder, run_script};
use crate::{
    Effort,
    client::millis,
    figure::{Figure, Samples, Target},
};

/// Five commits of 2 000 files of 20 kB that do not compress.
const LARGE: &str = "for commit in 1 2 3 4 5; do \
     for d in $(seq 100); do mkdir -p d$d; for f in $(seq 20); do head -c 20000 /dev/urandom >d$d/f$f; done; done; \
     git add . && git -c user.name=bench -c user.email=bench@ioc.invalid commit -qm $commit; done";
/// What `--quick` measures instead.
const SMALL: &str = "mkdir d1 && echo x >d1/f1 && git add . && \
     git -c user.name=bench -c user.email=bench@ioc.invalid commit -qm 1";
const MANY_FILES: &str = "for d in $(seq 250); do mkdir d$d; for f in $(seq 200); do echo $d $f >d$d/f$f; done; done; \
     git add . && git -c user.name=bench -c user.email=bench@ioc.invalid commit -qm 1";

pub(super) async fn measure(effort: &Effort) -> Result<Vec<Figure>> {
    let is_quick = effort.runs == 1;
    let (large, many) = if is_quick { (SMALL, SMALL) } else { (LARGE, MANY_FILES) };
    let note = if is_quick { "a small repository in its place" } else { "after the first session on it" };
    let (prepared, collected) = measure_repository(large, effort.processes).await?;
    let (prepared_many, collected_many) = measure_repository(many, effort.processes).await?;
    let of_large = Figure::of("runner, workspace of 200 MB", "ms", &prepared).note(note);
    Ok(vec![
        if is_quick { of_large } else { of_large.reaching(Target::Below(1000.0)) },
        Figure::of("runner, work collected of 200 MB", "ms", &collected).note(note),
        Figure::of("runner, workspace of 50 000 files", "ms", &prepared_many).note(note),
        Figure::of("runner, work collected of 50 000 files", "ms", &collected_many).note(note),
    ])
}

/// How long a workspace takes to be prepared, and its work of two files to be collected.
async fn measure_repository(script: &str, count: usize) -> Result<(Samples, Samples)> {
    let folder = make_folder()?;
    let repository = folder.path().join("repository");
    run_script(folder.path(), "git init -q -b main repository").await?;
    run_script(&repository, script).await?;
    let workspaces = open(folder.path())?;
    let source = WorkspaceSource { repository: Some(repository.display().to_string()), ..WorkspaceSource::default() };
    let (mut prepared, mut collected) = (Samples::default(), Samples::default());
    for at in 0..=count {
        let began = Instant::now();
        let workspace = workspaces.prepare("tenant", "session", &source).await?;
        let ready = millis(began.elapsed());
        run_script(&workspace.work_tree(), "echo changed >d1/f1; echo new >new").await?;
        let began = Instant::now();
        let work = workspace.collect().await?;
        anyhow::ensure!(work.changed.len() == 2, "{} changes were collected", work.changed.len());
        // The first session makes the mirror.
        if at > 0 {
            prepared.push(ready);
            collected.push(millis(began.elapsed()));
        }
        workspaces.remove("session").await?;
    }
    Ok((prepared, collected))
}

fn open(folder: &Path) -> Result<Workspaces> {
    let mut settings = WorkspaceSettings::of_process();
    settings.environment.insert("GIT_CONFIG_GLOBAL".into(), "/dev/null".into());
    settings.environment.insert("GIT_CONFIG_NOSYSTEM".into(), "1".into());
    settings.permitted_folders.push(folder.to_path_buf());
    Ok(Workspaces::open(&folder.join("data"), settings)?)
}

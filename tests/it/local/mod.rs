//! The local host: the servers it starts, the scripted model, its setup, and all of it together.

mod run_tests;
mod scripted_model;
mod services;
mod setup;
mod up;

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use harness::PATIENCE;
use local::paths;
use tokio::time::sleep;

pub(crate) fn ioc() -> PathBuf {
    paths::root().unwrap().join("target/debug/ioc")
}

/// A folder through which the user of the servers can come to its own.
pub(crate) fn open_folder(name: &str) -> PathBuf {
    let folder = paths::temporary(name).unwrap();
    std::fs::set_permissions(&folder, std::os::unix::fs::PermissionsExt::from_mode(0o711)).unwrap();
    folder
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let late = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < late, "{what}");
        sleep(Duration::from_millis(10)).await;
    }
}

/// The processes that work in the folder or name it on their command line.
#[cfg(target_os = "linux")]
fn processes_in(folder: &str) -> Vec<String> {
    let entries = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok).map(|entry| entry.path());
    let named = |process: PathBuf| {
        let command = String::from_utf8_lossy(&std::fs::read(process.join("cmdline")).ok()?).replace('\0', " ");
        let works_there = std::fs::read_link(process.join("cwd")).is_ok_and(|place| place.starts_with(folder));
        (works_there || command.contains(folder)).then_some(command)
    };
    entries.filter_map(named).collect()
}

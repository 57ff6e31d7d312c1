//! `setup.py` with an npm that is a script of ours, so that nothing is fetched.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use local::paths;

struct Setup {
    folder: PathBuf,
}

impl Setup {
    /// An npm that notes its call and then runs these lines.
    fn with_npm(lines: &str) -> Self {
        let folder = paths::temporary("setup").unwrap();
        fs::create_dir_all(folder.join("bin")).unwrap();
        let npm = folder.join("bin/npm");
        fs::write(&npm, format!("#!/bin/sh\necho call >> {}/calls\n{lines}\n", folder.display())).unwrap();
        fs::set_permissions(npm, fs::Permissions::from_mode(0o755)).unwrap();
        Self { folder }
    }

    fn run(&self) -> Output {
        let own = self.folder.join("bin");
        let path = std::env::join_paths(std::iter::once(own).chain(std::env::split_paths(&paths::path()))).unwrap();
        // With servers and a bubblewrap of one's own nothing is taken from PyPI.
        let given = [("DATABASE_URL", "postgres://given"), ("REDIS_URL", "redis://given"), ("BWRAP", "/given/bwrap")];
        let script = paths::root().unwrap().join("infra/local/setup.py");
        let mut command = Command::new("python3");
        command.arg(script).arg("--local").arg(self.folder.join("local")).env("PATH", path).envs(given);
        command.output().unwrap()
    }

    fn calls(&self) -> usize {
        fs::read_to_string(self.folder.join("calls")).unwrap_or_default().lines().count()
    }
}

impl Drop for Setup {
    fn drop(&mut self) {
        _ = fs::remove_dir_all(&self.folder);
    }
}

/// A substitute for npm that installs both packages on any platform.
const INSTALLS: &str = r"
os=$(uname -s | tr A-Z a-z); case $(uname -m) in x86_64|amd64) cpu=x64;; *) cpu=arm64;; esac
for program in opencode-$os-$cpu/bin/opencode @vscode/ripgrep-$os-$cpu/bin/rg; do
  mkdir -p $(dirname node_modules/$program); printf '#!/bin/sh\n' > node_modules/$program; chmod +x node_modules/$program
done";

#[test]
fn a_second_setup_does_nothing_and_a_changed_requirement_installs_again() {
    let setup = Setup::with_npm(INSTALLS);
    let first = setup.run();
    assert!(first.status.success(), "{first:?}");
    assert!(String::from_utf8_lossy(&first.stdout).contains("OpenCode and ripgrep: done in"));
    let second = setup.run();
    assert!(second.status.success() && second.stdout.is_empty(), "{second:?}");
    assert_eq!(setup.calls(), 1);
    fs::write(setup.folder.join("local/opencode/.stamp"), "of other requirements").unwrap();
    assert!(setup.run().status.success());
    assert_eq!(setup.calls(), 2);
}

#[test]
fn a_failed_installation_is_reported_with_a_remedy_and_retried_next_time() {
    let setup = Setup::with_npm("echo no registry today; exit 1");
    for calls in 1..=2 {
        let failed = setup.run();
        let words = String::from_utf8_lossy(&failed.stderr);
        assert_eq!(failed.status.code(), Some(1));
        assert!(words.contains("no registry today") && words.contains("What to do: check that npm"), "{words}");
        assert_eq!(setup.calls(), calls);
    }
}

/// A machine that has nothing but a shell and the programs that it is given.
struct Machine {
    folder: PathBuf,
}

impl Machine {
    fn new() -> Self {
        let folder = paths::temporary("needed").unwrap();
        for tool in ["sh", "awk", "mktemp", "rm"] {
            let found = std::env::split_paths(&paths::path()).map(|place| place.join(tool)).find(|file| file.is_file());
            std::os::unix::fs::symlink(found.unwrap(), folder.join(tool)).unwrap();
        }
        Self { folder }
    }

    fn has(&self, name: &str, lines: &str) {
        let file = self.folder.join(name);
        fs::write(&file, format!("#!/bin/sh\n{lines}\n")).unwrap();
        fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Whether nothing is missing, and what is said.
    fn ask(&self) -> (bool, String) {
        let script = paths::root().unwrap().join("infra/local/needed.sh");
        let output = Command::new("/bin/sh").arg(script).env_clear().env("PATH", &self.folder).output().unwrap();
        (output.status.success(), String::from_utf8(output.stderr).unwrap())
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        _ = fs::remove_dir_all(&self.folder);
    }
}

#[test]
fn everything_missing_beforehand_is_named_in_one_message() {
    let (there, words) = Machine::new().ask();
    assert!(!there);
    for what in ["git", "make", "a C compiler", "cargo 1.95", "Node.js 20.19", "npm", "python3"] {
        assert!(words.lines().any(|line| line.starts_with(&format!("  - {what}"))), "{what}: {words}");
    }
}

#[test]
fn a_program_that_is_too_old_counts_as_missing() {
    let machine = Machine::new();
    for name in ["git", "make", "npm", "cc"] {
        machine.has(name, "exit 0");
    }
    machine.has("cargo", "echo 'cargo 1.94.1 (abc 2026-01-01)'");
    machine.has("node", "echo v20.18.3");
    // It has no venv, and no pip either.
    machine.has("python3", r#"case "$*" in *version_info*) echo 3.13 ;; *) exit 1 ;; esac"#);
    machine.has("id", "echo 1000");
    let (there, words) = machine.ask();
    let lines: Vec<_> = words.lines().skip(1).collect();
    let expected = [
        "  - cargo 1.95 or newer (here: 1.94.1",
        "  - Node.js 20.19 or newer (here: v20.18.3)",
        "  - venv for python3",
    ];
    assert!(!there && lines.len() == 3, "{words}");
    assert!(lines.iter().zip(expected).all(|(line, begins)| line.starts_with(begins)), "{words}");

    machine.has("cargo", "echo 'cargo 1.95.0'");
    machine.has("node", "echo v24.1.0");
    machine.has("python3", r#"case "$*" in *version_info*) echo 3.9 ;; esac"#);
    assert_eq!(machine.ask(), (true, String::new()));
}

#[test]
fn no_requirement_names_a_registry_host() {
    let root = paths::root().unwrap();
    for file in [
        "requirements.txt",
        "requirements-sandbox.txt",
        "requirements-test.txt",
        "opencode/package.json",
        "opencode/package-lock.json",
        "fonts/package.json",
        "fonts/package-lock.json",
        "openapi/package.json",
        "openapi/package-lock.json",
    ] {
        let text = fs::read_to_string(root.join(Path::new("infra/local")).join(file)).unwrap();
        assert!(!text.contains("://"), "{file}");
    }
}

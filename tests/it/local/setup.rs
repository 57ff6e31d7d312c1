//! `setup.py` with an npm that is a script of ours, so that nothing is fetched.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use local::checkout;

struct Setup {
    folder: PathBuf,
}

impl Setup {
    /// An npm that notes its call and then runs these lines.
    fn with_npm(lines: &str) -> Self {
        let folder = checkout::temporary("setup").unwrap();
        fs::create_dir_all(folder.join("bin")).unwrap();
        let npm = folder.join("bin/npm");
        fs::write(&npm, format!("#!/bin/sh\necho call >> {}/calls\n{lines}\n", folder.display())).unwrap();
        fs::set_permissions(npm, fs::Permissions::from_mode(0o755)).unwrap();
        Self { folder }
    }

    fn run(&self) -> Output {
        let own = self.folder.join("bin");
        let path = std::env::join_paths(std::iter::once(own).chain(std::env::split_paths(&checkout::path()))).unwrap();
        // With servers of one's own nothing is taken from PyPI.
        let given = [("DATABASE_URL", "postgres://given"), ("REDIS_URL", "redis://given")];
        let script = checkout::root().unwrap().join("infra/local/setup.py");
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

/// What an npm does that installs both packages, whatever the platform.
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
fn what_cannot_be_had_is_said_with_a_remedy_and_tried_again_next_time() {
    let setup = Setup::with_npm("echo no registry today; exit 1");
    for calls in 1..=2 {
        let failed = setup.run();
        let words = String::from_utf8_lossy(&failed.stderr);
        assert_eq!(failed.status.code(), Some(1));
        assert!(words.contains("no registry today") && words.contains("What to do: check that npm"), "{words}");
        assert_eq!(setup.calls(), calls);
    }
}

#[test]
fn no_requirement_names_the_host_of_a_registry() {
    let root = checkout::root().unwrap();
    for file in ["requirements.txt", "requirements-test.txt", "opencode/package.json", "opencode/package-lock.json"] {
        let text = fs::read_to_string(root.join(Path::new("infra/local")).join(file)).unwrap();
        assert!(!text.contains("://"), "{file}");
    }
}

//! The repository of the demo: a small program with a mistake, and a test that finds it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};
use serde_json::json;

/// The file with the mistake.
pub(super) const PROGRAM: &str = "fizz.py";

const WRONG: &str = r#""""Counts, with fizz for threes and buzz for fives."""


def fizz(number):
    if number % 3 == 0:
        return "fizz"
    if number % 5 == 0:
        return "buzz"
    return str(number)


if __name__ == "__main__":
    print(*(fizz(number) for number in range(1, 21)))
"#;

const RIGHT: &str = r#""""Counts, with fizz for threes and buzz for fives."""


def fizz(number):
    words = ("fizz" if number % 3 == 0 else "") + ("buzz" if number % 5 == 0 else "")
    return words or str(number)


if __name__ == "__main__":
    print(*(fizz(number) for number in range(1, 21)))
"#;

const TEST: &str = r#"import unittest

from fizz import fizz


class FizzTest(unittest.TestCase):
    def test_threes_and_fives(self):
        self.assertEqual([fizz(3), fizz(5), fizz(7)], ["fizz", "buzz", "7"])

    def test_both_at_once(self):
        self.assertEqual(fizz(15), "fizzbuzz")


if __name__ == "__main__":
    unittest.main()
"#;

/// The folder of the repository.
pub(super) fn folder(local: &Path) -> PathBuf {
    local.join("demo/fizz")
}

/// Creates the repository unless it exists. Sessions work in worktrees of their own, so it never changes.
pub(super) fn prepare(local: &Path) -> Result<PathBuf> {
    let folder = folder(local);
    if folder.join(".git").is_dir() && git(&folder, &["rev-parse", "--verify", "--quiet", "HEAD"]).is_ok() {
        return Ok(folder);
    }
    _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).with_context(|| format!("{} cannot be created", folder.display()))?;
    fs::write(folder.join(PROGRAM), WRONG)?;
    fs::write(folder.join("test_fizz.py"), TEST)?;
    fs::write(folder.join(".gitignore"), "__pycache__\n")?;
    git(&folder, &["init", "--quiet", "--initial-branch=main"])?;
    git(&folder, &["add", "--all"])?;
    git(&folder, &["commit", "--quiet", "--message=Count with fizz and buzz"])?;
    Ok(folder)
}

fn git(folder: &Path, arguments: &[&str]) -> Result<()> {
    let identity = ["-c", "user.name=ioc demo", "-c", "user.email=demo@localhost", "-c", "commit.gpgsign=false"];
    let ran =
        Command::new("git").args(identity).args(arguments).current_dir(folder).output().context("git cannot be run")?;
    let words = String::from_utf8_lossy(&ran.stderr);
    ensure!(ran.status.success(), "`git {}` failed: {}", arguments.join(" "), words.trim());
    Ok(())
}

/// The prompt; with a script for the scripted model.
pub(super) fn prompt(scripted: bool) -> String {
    let asked =
        format!("The tests in test_fizz.py fail. Find the mistake in {PROGRAM}, fix it, and run the tests again.");
    if !scripted {
        return asked;
    }
    let tests = "python3 -m unittest -q 2>&1 | tail -n 4";
    let script = json!([
        {"say": "I run the tests first.",
         "tool": "bash", "args": {"command": tests, "description": "Run the tests"}},
        {"say": "15 gives fizz, but has to give fizzbuzz. I look at the program.",
         "tool": "read", "args": {"filePath": PROGRAM}},
        {"say": "The first match returns. I join the words instead.",
         "tool": "write", "args": {"filePath": PROGRAM, "content": RIGHT}},
        {"tool": "bash", "args": {"command": tests, "description": "Run the tests again"}},
        {"text": "fizz(15) is fizzbuzz now: the words are joined instead of returning at the first match. All tests pass."},
    ]);
    format!("{asked}\n\n@@STUB {script} @@")
}

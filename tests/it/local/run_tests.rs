//! `run_tests.py` with a script of ours in place of cargo.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    process::{Command, Output},
};

use local::paths;

/// Runs a command that prints `first`, and when it is called again, `second`; each ends with its exit code.
fn run(first: (&str, i32), second: (&str, i32)) -> (Option<i32>, String) {
    let folder = paths::temporary("run-tests").unwrap();
    let script = folder.join("cargo");
    let (one, other) = (folder.join("one"), folder.join("other"));
    for ((text, _), file) in [(first, &one), (second, &other)] {
        fs::write(file, text).unwrap();
    }
    let lines = format!(
        "#!/bin/sh\nif [ -e {0}.done ]; then cat {1}; echo called with \"$@\"; exit {3}; fi\ntouch {0}.done; cat {0}; exit {2}\n",
        one.display(),
        other.display(),
        first.1,
        second.1
    );
    fs::write(&script, lines).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let runner = paths::root().unwrap().join("infra/local/run_tests.py");
    let Output { status, stdout, .. } =
        Command::new("python3").arg(runner).arg(&script).args(["test", "--", "--skip", "x"]).output().unwrap();
    fs::remove_dir_all(folder).unwrap();
    (status.code(), String::from_utf8(stdout).unwrap())
}

const ONE_FAILED: &str = "     Running unittests src/lib.rs (target/a)\ntest result: ok. 2 passed; 0 failed; 0 ignored\n     \
    Running it/main.rs (target/b)\ntest a::b ... FAILED\ntest a::c ... ok\ntest result: FAILED. 1 passed; 1 failed; 0 ignored\n";
const PASSED: &str = "     Running it/main.rs (target/b)\ntest result: ok. 1 passed; 0 failed; 0 ignored\n";

#[test]
fn a_failed_test_is_run_once_more_alone_and_named_as_unsteady_if_it_passes() {
    let (code, said) = run((ONE_FAILED, 101), (PASSED, 0));
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("called with test -- --exact --test-threads 1 a::b\n"), "{said}");
    assert!(said.contains("tests: a::b passed alone: it is unsteady"), "{said}");
}

#[test]
fn a_test_that_fails_twice_fails_the_run() {
    let (code, said) = run((ONE_FAILED, 101), (ONE_FAILED, 101));
    assert_eq!(code, Some(101), "{said}");
    assert!(said.contains("tests: a::b failed again"), "{said}");
}

#[test]
fn a_run_with_a_test_that_is_unaccounted_for_is_not_repeated() {
    let crashed = ONE_FAILED.replace("test result: FAILED. 1 passed; 1 failed; 0 ignored\n", "");
    let unnamed = ONE_FAILED.replace("1 failed", "2 failed");
    let many = ONE_FAILED
        .replace("test a::b ... FAILED\n", &"test a::b ... FAILED\n".repeat(4))
        .replace("1 failed", "4 failed");
    for output in [crashed.as_str(), &unnamed, &many, "error: could not compile\n", ""] {
        let (code, said) = run((output, 101), (PASSED, 0));
        assert!(code == Some(101) && !said.contains("repeating"), "{said}");
    }
}

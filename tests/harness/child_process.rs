//! Child processes that end with this one, however it ends.

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// A command that runs `program` under a shell which ends it as soon as the shell's standard input closes: when the
/// child is dropped, and when this process is gone. Arguments and variables are the caller's to add.
pub(crate) fn kept(program: &Path) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", r#""$0" "$@" & server=$!; cat; kill $server"#]).arg(program).stdin(Stdio::piped());
    command
}

/// A port that nobody listens on at the moment.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("the system has a port left");
    listener.local_addr().expect("it is bound").port()
}

/// The workspace's folder.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package lies in the workspace")
}

/// A program from the virtual environment of the tests, or from where the variable points.
pub fn test_program(name: &str, variable: &str) -> PathBuf {
    #[expect(clippy::disallowed_methods, reason = "where a test's own tool is, is no configuration of the product")]
    let named = std::env::var_os(variable);
    let path = named.map_or_else(|| root().join(".local/venv-test/bin").join(name), PathBuf::from);
    assert!(path.exists(), "{} is missing: run `make setup-test`, or set {variable} to the program", path.display());
    path
}

//! The functions under the real runtime protocol: `cargo lambda watch` serves it, `cargo lambda invoke` calls them.
//!
//! It comes from `make setup-test` (or from wherever the variable `CARGO_LAMBDA` points).

use std::{
    fs::{self, File},
    net::TcpStream,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::OnceLock,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{
    PATIENCE,
    child_process::{free_port, kept, root, test_program},
};

/// One `cargo lambda watch`, with an environment that its functions inherit.
pub struct Watch {
    port: u16,
    log: PathBuf,
    _keeper: Child,
}

impl Watch {
    /// Starts it; a function starts when it is first called.
    pub fn start(environment: &[(&str, String)]) -> Self {
        build_once();
        let port = free_port();
        let log = std::env::temp_dir().join(format!("ioc-watch-{}-{port}.log", std::process::id()));
        let output = File::create(&log).expect("a log can be written");
        let keeper = kept(&cargo_lambda())
            .args(["lambda", "watch", "--ignore-changes", "--disable-cors", "--invoke-address", "127.0.0.1"])
            .args(["--invoke-port", &port.to_string()])
            .current_dir(root())
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdout(output.try_clone().expect("a file can be shared"))
            .stderr(output)
            .spawn()
            .expect("sh starts");
        let watch = Self { port, log, _keeper: keeper };
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < deadline, "cargo lambda watch did not come up:\n{}", watch.log());
            std::thread::sleep(Duration::from_millis(20));
        }
        watch
    }

    /// Calls a function with an event, as `cargo lambda invoke` does; an error is what the function answered with.
    pub fn invoke(&self, function: &str, event: &str) -> Result<Value, String> {
        let done = Command::new(cargo_lambda())
            .args(["lambda", "invoke", function, "--invoke-address", "127.0.0.1", "--output-format", "json"])
            .args(["--invoke-port", &self.port.to_string(), "--data-ascii", event])
            .current_dir(root())
            .stdin(Stdio::null())
            .output()
            .expect("cargo lambda invoke runs");
        let text = String::from_utf8_lossy(&done.stdout);
        if !done.status.success() {
            return Err(format!("{text}{}", String::from_utf8_lossy(&done.stderr)));
        }
        serde_json::from_str(&text).map_err(|error| format!("{error}: {text}"))
    }

    /// Where the functions answer plain requests, by the router in the workspace's Cargo.toml.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// The output of the functions and of their host.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the functions wrote:\n{}", self.log());
        }
        let _ = fs::remove_file(&self.log);
    }
}

fn cargo_lambda() -> PathBuf {
    test_program("cargo-lambda", "CARGO_LAMBDA")
}

/// Builds the binaries beforehand, so that the first call of a function does not wait for a compiler.
fn build_once() {
    static BUILT: OnceLock<()> = OnceLock::new();
    BUILT.get_or_init(|| {
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--locked", "--bins"]).current_dir(root());
        let done = build.output().expect("cargo runs");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    });
}

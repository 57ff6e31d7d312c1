//! The scripts of an instance, run here: the metadata service is a real server, and `aws` and `systemctl` are programs
//! that write down how they are called.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, Method, StatusCode, Uri},
};
use harness::{child_process::root, until};
use tempfile::TempDir;
use tokio::{net::TcpListener, process::Command, task::JoinSet};

fn script(name: &str) -> PathBuf {
    root().join("infra/aws/runner/instance").join(name)
}

/// A folder with programs that note their calls, and with what a script reads and writes.
struct Instance {
    folder: TempDir,
}

impl Instance {
    fn new() -> Self {
        let instance = Self { folder: tempfile::tempdir().unwrap() };
        instance.add_program("systemctl", "");
        instance
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A program that notes its call and then runs these lines.
    fn add_program(&self, name: &str, lines: &str) {
        let path = self.path(name);
        fs::write(&path, format!("#!/bin/sh\necho \"{name} $*\" >>'{}'\n{lines}\n", self.path("calls").display()))
            .unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn calls(&self) -> Vec<String> {
        fs::read_to_string(self.path("calls")).unwrap_or_default().lines().map(str::to_owned).collect()
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env("PATH", format!("{}:/usr/bin:/bin", self.folder.path().display())).kill_on_drop(true);
        command
    }
}

/// What the metadata service says: the state that the group wants, and whether there is a spot notice.
#[derive(Clone, Default)]
struct Metadata {
    wanted: Arc<Mutex<String>>,
    has_spot_notice: Arc<Mutex<bool>>,
    reads: Arc<Mutex<usize>>,
}

async fn answer(
    State(metadata): State<Metadata>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> (StatusCode, String) {
    let entry = uri.path().trim_start_matches("/latest/");
    if method == Method::PUT && entry == "api/token" && headers.contains_key("x-aws-ec2-metadata-token-ttl-seconds") {
        return (StatusCode::OK, "the-token".to_owned());
    }
    if headers.get("x-aws-ec2-metadata-token").is_none_or(|token| token != "the-token") {
        return (StatusCode::UNAUTHORIZED, String::new());
    }
    *metadata.reads.lock().unwrap() += 1;
    let text = match entry {
        "meta-data/autoscaling/target-lifecycle-state" => metadata.wanted.lock().unwrap().clone(),
        "meta-data/spot/instance-action" if *metadata.has_spot_notice.lock().unwrap() => "{}".to_owned(),
        "meta-data/instance-id" => "i-0123".to_owned(),
        _ => return (StatusCode::NOT_FOUND, String::new()),
    };
    (StatusCode::OK, text)
}

async fn serve(metadata: Metadata) -> (String, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let mut tasks = JoinSet::new();
    let router = Router::new().fallback(answer).with_state(metadata);
    tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
    (url, tasks)
}

/// Starts `drain` on an instance in service, lets it end, and checks what was called in which order.
async fn drain_when(end: impl FnOnce(&Metadata)) {
    let (instance, metadata) = (Instance::new(), Metadata::default());
    "InService".clone_into(&mut metadata.wanted.lock().unwrap());
    instance.add_program("aws", "");
    let (url, _serving) = serve(metadata.clone()).await;
    let mut command = instance.command(&script("drain"));
    command.env("METADATA_URL", url).env("POLL_SECONDS", "0.02");
    command.envs([("AWS_REGION", "eu-central-1"), ("AUTO_SCALING_GROUP", "g"), ("LIFECYCLE_HOOK", "drain")]);
    let mut drain = command.spawn().unwrap();
    until(async || *metadata.reads.lock().unwrap() > 6).await;
    assert_eq!(instance.calls(), Vec::<String>::new(), "an instance in service is not drained");
    end(&metadata);
    until(async || instance.calls().len() >= 2).await;
    let calls = instance.calls();
    assert_eq!(calls[0], "systemctl stop ioc-runner.service", "the sessions finish first");
    assert!(calls[1].starts_with("aws autoscaling complete-lifecycle-action"), "{calls:?}");
    for option in ["--instance-id i-0123", "--auto-scaling-group-name g", "--lifecycle-hook-name drain"] {
        assert!(calls[1].contains(option), "{calls:?}");
    }
    drain.kill().await.unwrap();
}

#[tokio::test]
async fn an_instance_that_its_group_ends_drains_its_runner_first() {
    drain_when(|metadata| "Terminated".clone_into(&mut metadata.wanted.lock().unwrap())).await;
}

#[tokio::test]
async fn a_spot_notice_drains_the_runner() {
    drain_when(|metadata| *metadata.has_spot_notice.lock().unwrap() = true).await;
}

/// Runs `read-secrets` where the Secrets Manager answers this; returns what it wrote, or its error.
async fn read_secrets(answer: &str) -> Result<(String, u32), String> {
    let instance = Instance::new();
    instance.add_program("aws", &format!("cat <<'ANSWER'\n{answer}\nANSWER"));
    let settings = "AWS_REGION=eu-central-1\nSECRETS=\"IOC_KEY=arn:one ANTHROPIC_API_KEY=arn:two \"\n";
    fs::write(instance.path("instance"), settings).unwrap();
    let file = instance.path("secrets");
    let mut command = instance.command(&script("read-secrets"));
    let output = command.arg(&file).env("INSTANCE_SETTINGS", instance.path("instance")).output().await.unwrap();
    if !output.status.success() {
        assert!(!file.exists(), "no half of the secrets is written");
        return Err(String::from_utf8(output.stderr).unwrap());
    }
    let calls = instance.calls();
    assert!(calls[0].contains("--secret-id arn:one") && calls[1].contains("--secret-id arn:two"), "{calls:?}");
    let mode = fs::metadata(&file).unwrap().permissions().mode() & 0o777;
    Ok((fs::read_to_string(file).unwrap(), mode))
}

#[tokio::test]
async fn secrets_become_variables_in_a_file_that_only_root_reads() {
    let secrets = r#"{"IOC_KEY": "ioc_test_$a{b}", "ANTHROPIC_API_KEY": "sk-1"}"#;
    let written = read_secrets(secrets).await.unwrap();
    assert_eq!(written, ("IOC_KEY=\"ioc_test_$a{b}\"\nANTHROPIC_API_KEY=\"sk-1\"\n".to_owned(), 0o600));
}

#[tokio::test]
async fn a_secret_that_could_change_other_variables_is_refused() {
    for (secrets, reason) in [
        (r#"{"IOC_KEY": "a\nLD_PRELOAD=b", "ANTHROPIC_API_KEY": "c"}"#, "printable ASCII"),
        (r#"{"IOC_KEY": "a\"", "ANTHROPIC_API_KEY": "c"}"#, "printable ASCII"),
        (r#"{"IOC_KEY": 7, "ANTHROPIC_API_KEY": "c"}"#, "printable ASCII"),
        (r#"{"IOC_KEY": "a"}"#, "the key ANTHROPIC_API_KEY"),
        ("ioc_key", "a JSON object"),
    ] {
        let error = read_secrets(secrets).await.unwrap_err();
        assert!(error.contains(reason), "{error}");
        assert!(!error.contains("LD_PRELOAD"), "the value of a secret is not shown: {error}");
    }
}

#[tokio::test]
async fn a_package_has_the_runner_the_programs_and_the_scripts() {
    let folder = tempfile::tempdir().unwrap();
    let (programs, output) = (folder.path().join("programs"), folder.path().join("package.tar.gz"));
    fs::create_dir_all(programs.join("sandbox/lib")).unwrap();
    fs::write(folder.path().join("runner"), "the runner").unwrap();
    let pack = async || {
        let mut command = Command::new("sh");
        command.arg(root().join("infra/aws/runner/package.sh"));
        command.arg(folder.path().join("runner")).arg(&programs).arg(&output).output().await.unwrap()
    };
    let refused = pack().await;
    assert!(!refused.status.success() && String::from_utf8_lossy(&refused.stderr).contains("has no agent"));
    fs::create_dir_all(programs.join("agents/node_modules")).unwrap();
    let packed = pack().await;
    assert!(packed.status.success(), "{packed:?}");
    let listed = Command::new("tar").arg("-tvzf").arg(&output).output().await.unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    for (mode, path) in [
        ("-rwxr-xr-x", "bin/ioc-runner"),
        ("-rwxr-xr-x", "libexec/drain"),
        ("-rwxr-xr-x", "libexec/install"),
        ("-rwxr-xr-x", "libexec/read-secrets"),
        ("-rw-r--r--", "libexec/ioc-runner.service"),
        ("d", "agents/node_modules/"),
        ("d", "sandbox/lib/"),
    ] {
        let is_there =
            |line: &str| line.starts_with(mode) && line.ends_with(&format!(" {path}")) && line.contains(" 0/0 ");
        assert!(listed.lines().any(is_there), "{mode} {path}: {listed}");
    }
}

/// `install` accepts an instance by these words.
#[tokio::test]
async fn doctor_reports_the_sandbox_in_the_words_that_install_expects() {
    let install = fs::read_to_string(script("install")).unwrap();
    assert!(install.contains(r#"*'"isolation": "sandbox"'*)"#));
    let doctor = Command::new(root().join("target/debug/ioc-runner")).arg("doctor").current_dir(root()).output().await;
    let report = String::from_utf8(doctor.expect("`make build` builds it").stdout).unwrap();
    assert!(report.contains(r#""isolation": "sandbox""#), "{report}");
}

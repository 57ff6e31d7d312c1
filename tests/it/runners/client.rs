//! The runner's own client against a served control plane: enrolling with a token or a key, heartbeats and rotation.

use clap::Parser;
use harness::{Options, TestApp, websocket::Served};
use runner::{
    control_plane::{CallFailure, ControlPlane, RunnerClient, RunnerIdentity, SharedCredential, wire::RunnerCommand},
    enrolment::{describe_runner, enrol},
    programs::{ProgramLocations, built_in_programs},
    sandbox::Isolation,
    settings::RunnerSettings,
    status::RunnerStatus,
};
use shared::identity::auth::Role;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    settings: RunnerSettings,
}

/// A served control plane, and the folder of a runner.
struct Setup {
    world: TestApp,
    server: Served,
    data: tempfile::TempDir,
    http: reqwest::Client,
}

impl Setup {
    async fn new() -> Self {
        let world = TestApp::idle(Options::default()).await;
        let server = Served::of(&world).await;
        Self { world, server, data: tempfile::tempdir().unwrap(), http: reqwest::Client::new() }
    }

    fn url(&self) -> String {
        format!("http://{}", self.server.addr)
    }

    fn settings(&self, arguments: &[&str]) -> RunnerSettings {
        let (url, data) = (self.url(), self.data.path().display().to_string());
        let common = ["ioc-runner", "--url", &url, "--data", &data, "--slots", "3"];
        let name: &[&str] = if arguments.contains(&"--name") { &[] } else { &["--name", "HOST-1"] };
        Line::parse_from(common.iter().chain(name).chain(arguments)).settings
    }

    async fn enrol(&self, settings: &RunnerSettings) -> anyhow::Result<runner::enrolment::EnrolledRunner> {
        let programs = built_in_programs(&ProgramLocations::find_below("/installed".as_ref()));
        let registration = describe_runner(settings, &programs[..0], Isolation::Sandbox, None);
        let offered = runner::control_plane::wire::OfferedProgram { program: "opencode".to_owned(), version: None };
        let registration = runner::control_plane::wire::RunnerRegistration { programs: vec![offered], ..registration };
        enrol(&self.http, settings, &registration).await
    }
}

#[tokio::test]
async fn a_runner_enrols_once_by_a_token_and_keeps_its_credential() {
    let setup = Setup::new().await;
    let token = setup.world.enrolment_of(&setup.world.tenant, "farm", "one").await;
    let first = setup.enrol(&setup.settings(&["--enrolment-token", &token])).await.unwrap();
    let again = setup.enrol(&setup.settings(&[])).await.unwrap();
    assert_eq!(
        (again.identity.runner_id, again.identity.credential),
        (first.identity.runner_id.clone(), first.identity.credential)
    );
    let shown = setup
        .world
        .caller(Role::Member)
        .get(&format!("/api/v1/runners/{}", first.identity.runner_id))
        .await
        .expect(200);
    assert_eq!((&shown["name"], &shown["slots"], &shown["pool"]), (&"HOST-1".into(), &3.into(), &"farm".into()));
}

#[tokio::test]
async fn the_key_of_a_lead_enrols_a_runner_in_a_pool_named_after_it() {
    let setup = Setup::new().await;
    let key = setup.world.tenant.key(Role::Lead);
    let enrolled = setup.enrol(&setup.settings(&["--key", key])).await.unwrap();
    let shown = setup
        .world
        .caller(Role::Member)
        .get(&format!("/api/v1/agents/{}", enrolled.registered.agents[0].agent_id))
        .await
        .expect(200);
    assert_eq!((&shown["name"], &shown["pool"]), (&"HOST-1-OPENCODE".into(), &"host-1".into()));
    let member = setup.world.tenant.key(Role::Member);
    let refused = setup.enrol(&setup.settings(&["--name", "HOST-2", "--key", member])).await.unwrap_err();
    assert!(format!("{refused:#}").contains("role lead"), "{refused:#}");
}

#[tokio::test]
async fn a_removed_runner_enrols_anew() {
    let setup = Setup::new().await;
    let settings = setup.settings(&["--key", setup.world.tenant.key(Role::Lead)]);
    let first = setup.enrol(&settings).await.unwrap().identity.runner_id;
    let lead = setup.world.caller(Role::Lead);
    assert_eq!(lead.delete(&format!("/api/v1/runners/{first}")).await.status, 204);
    let second = setup.enrol(&settings).await.unwrap().identity.runner_id;
    assert_ne!(first, second);
    let kept = RunnerIdentity::read(setup.data.path(), "HOST-1", &setup.url()).unwrap().unwrap();
    assert_eq!(kept.runner_id, second);
}

#[tokio::test]
async fn the_client_obeys_commands_claims_and_goes_on_with_a_rotated_credential() {
    let setup = Setup::new().await;
    let enrolled = setup.enrol(&setup.settings(&["--key", setup.world.tenant.key(Role::Lead)])).await.unwrap();
    let credential = SharedCredential::new(enrolled.identity.credential.clone());
    let id = enrolled.identity.runner_id.clone();
    let client = RunnerClient::new(setup.http.clone(), &setup.url(), id.clone(), credential.clone());
    let agent = enrolled.registered.agents[0].agent_id.clone();
    let plane = ControlPlane::new(setup.http.clone(), &setup.url(), agent, credential.clone());
    assert!(plane.claim(1, std::time::Duration::ZERO).await.unwrap().is_empty());
    let (status, lead) = (RunnerStatus::new(3), setup.world.caller(Role::Lead));
    lead.act(&format!("/api/v1/runners/{id}/drain")).await.expect(200);
    let commands = client.send_heartbeat(&status.heartbeat()).await.unwrap().commands;
    assert_eq!(commands, [RunnerCommand::Drain]);
    assert!(status.obey(&commands));
    assert!(client.send_heartbeat(&status.heartbeat()).await.unwrap().commands.is_empty());
    credential.replace(client.rotate_credential().await.unwrap());
    client.send_heartbeat(&status.heartbeat()).await.unwrap();
    assert_eq!(lead.delete(&format!("/api/v1/runners/{id}")).await.status, 204);
    let refused = client.send_heartbeat(&status.heartbeat()).await.unwrap_err();
    assert_eq!(refused.failure, CallFailure::NotAuthenticated);
    assert!(refused.message.contains("RUNNER_REMOVED"), "{refused}");
}

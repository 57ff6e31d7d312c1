//! How the runner becomes known to its control plane: with what it kept, else with an enrolment token, else with the
//! key of a lead, who could create one.

use anyhow::{Context, Result, bail};

use crate::{
    clock::read_clock,
    control_plane::{
        CallFailure, RunnerIdentity,
        runner_client::{create_enrolment, register_runner},
        wire::{OfferedProgram, RegisteredRunner, RunnerRegistration},
    },
    programs::AgentProgram,
    sandbox::Isolation,
    settings::RunnerSettings,
};

/// The version of the External Agent Protocol that the runner speaks.
const PROTOCOL_VERSION: &str = "1.1";

/// A runner that its control plane knows.
#[derive(Debug)]
pub struct EnrolledRunner {
    pub identity: RunnerIdentity,
    pub registered: RegisteredRunner,
}

/// Registers the runner, at its first start or anew.
pub async fn enrol(
    http: &reqwest::Client,
    settings: &RunnerSettings,
    registration: &RunnerRegistration,
) -> Result<EnrolledRunner> {
    if let Some(identity) = RunnerIdentity::read(&settings.data, &settings.name, &settings.url)? {
        match register_runner(http, &settings.url, &identity.credential, registration).await {
            Ok(registered) => return Ok(EnrolledRunner { identity, registered }),
            Err(error) if error.failure == CallFailure::NotAuthenticated => {
                tracing::warn!(%error, "the credential of the runner has ended; it enrols anew");
            }
            Err(error) => return Err(error.into()),
        }
    }
    let token = find_token(http, settings).await?;
    let registered = register_runner(http, &settings.url, &token, registration).await?;
    let credential = registered.credential.clone().context("the control plane issued no credential")?;
    let identity = RunnerIdentity {
        runner_id: registered.runner_id.clone(),
        name: settings.name.clone(),
        credential,
        issued_at: read_clock(),
        url: settings.url.clone(),
    };
    identity.write(&settings.data).context("the credential of the runner cannot be kept")?;
    Ok(EnrolledRunner { identity, registered })
}

/// The enrolment token of the settings, or one that the key of a lead creates.
async fn find_token(http: &reqwest::Client, settings: &RunnerSettings) -> Result<String> {
    if let Some(token) = &settings.enrolment_token {
        return Ok(token.clone());
    }
    let Some(key) = &settings.key else {
        bail!(
            "the runner is not enrolled: set IOC_RUNNER_TOKEN to an enrolment token, or IOC_KEY to the key of a lead"
        );
    };
    let pool = settings.pool_name();
    create_enrolment(http, &settings.url, key, &pool)
        .await
        .with_context(|| format!("the key creates no enrolment for the pool {pool}; it needs the role lead"))
}

/// What the runner says of itself.
pub fn describe_runner(
    settings: &RunnerSettings,
    programs: &[AgentProgram],
    isolation: Isolation,
    isolation_reason: Option<String>,
) -> RunnerRegistration {
    RunnerRegistration {
        protocol_version: PROTOCOL_VERSION,
        name: settings.name.clone(),
        version: env!("CARGO_PKG_VERSION"),
        os: std::env::consts::OS,
        arch: std::env::consts::ARCH,
        labels: settings.labels.iter().cloned().collect(),
        slots: settings.count_slots(),
        isolation: isolation.name(),
        isolation_reason: isolation_reason.map(|reason| reason.chars().take(1000).collect()),
        programs: programs
            .iter()
            .map(|program| OfferedProgram { program: program.name.clone(), version: program.version.clone() })
            .collect(),
    }
}

//! The secrets of one session: received before anything is reported, and given to whoever may know them.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::run::RunEnd;
use crate::{
    control_plane::{
        CallFailure, ControlPlane,
        environment::{TaskEnvironment, TaskSecret, TaskSecrets},
        wire::Task,
    },
    gateway::{Credential, Provider, ProviderKey},
    secret_mask::SecretMask,
    workspace::GitCredential,
};

/// How long the secrets are asked for. The lease of the task must outlast it, because nothing is reported meanwhile.
const PATIENCE: Duration = Duration::from_secs(45);
const PAUSE: Duration = Duration::from_secs(1);

/// The secrets of one session.
#[derive(Debug, Default)]
pub(super) struct SessionSecrets {
    received: Vec<TaskSecret>,
}

impl SessionSecrets {
    /// Receives what the environment of a task names. Without a name nothing is asked for.
    pub(super) async fn receive(plane: &ControlPlane, task: &Task) -> Result<Self, RunEnd> {
        let Some(environment) = task.context.environment.as_ref().filter(|one| !one.secrets.is_empty()) else {
            return Ok(Self::default());
        };
        let end = Instant::now() + PATIENCE;
        loop {
            match plane.receive_secrets(&task.task_id, task.lease.token).await {
                Ok(received) => return Self::of_answer(environment, received),
                Err(error) if error.failure.is_transient() && Instant::now() < end => {
                    tracing::warn!(%error, task.id = task.task_id, "the secrets are asked for again");
                    sleep(PAUSE).await;
                }
                Err(error) => {
                    let code = if error.failure == CallFailure::LeaseLost { "LEASE_LOST" } else { "SECRETS_REFUSED" };
                    return Err(RunEnd::failed(code, &error.message));
                }
            }
        }
    }

    fn of_answer(environment: &TaskEnvironment, received: TaskSecrets) -> Result<Self, RunEnd> {
        if received.missing.is_empty() {
            return Ok(Self { received: received.secrets });
        }
        let names = received.missing.join(", ");
        let message = format!(
            "the environment {} needs secrets that nobody has set: {names}. A lead sets them with PUT \
             /api/v1/secrets/tenant/NAME",
            environment.name
        );
        Err(RunEnd::failed("SECRET_MISSING", &message))
    }

    /// The variables of the set-up script.
    pub(super) fn setup_variables(&self) -> Vec<(String, String)> {
        self.variables("setup")
    }

    /// The variables of the agent. What is for the set-up alone is not among them.
    pub(super) fn agent_variables(&self) -> Vec<(String, String)> {
        self.variables("agent")
    }

    fn variables(&self, phase: &str) -> Vec<(String, String)> {
        let knows = |one: &&TaskSecret| one.kind == "plain" && (one.phase == phase || one.phase == "both");
        self.received.iter().filter(knows).map(|one| (one.name.clone(), one.value.clone())).collect()
    }

    /// What clones log in with.
    pub(super) fn git_credentials(&self) -> Vec<GitCredential> {
        let credential = |one: &TaskSecret| {
            Some(GitCredential {
                host: one.host.clone()?,
                username: one.username.clone().unwrap_or_else(|| "x-access-token".to_owned()),
                password: one.value.clone(),
            })
        };
        self.received.iter().filter(|one| one.kind == "git").filter_map(credential).collect()
    }

    /// The providers with the session's own keys, where it has some, instead of the runner's.
    pub(super) fn with_own_keys(&self, providers: &[Provider]) -> Vec<Provider> {
        let mut providers = providers.to_vec();
        for secret in self.received.iter().filter(|one| one.kind == "provider") {
            let own = providers.iter_mut().filter(|one| Some(&one.name) == secret.provider.as_ref());
            own.for_each(|provider| {
                let key = ProviderKey::new(secret.value.clone());
                provider.credential = match provider.credential {
                    Credential::ApiKey(_) => Credential::ApiKey(key),
                    Credential::GoogleKey(_) => Credential::GoogleKey(key),
                    Credential::Bearer(_) | Credential::Absent => Credential::Bearer(key),
                };
            });
        }
        providers
    }

    /// What must be in nothing that leaves the runner.
    pub(super) fn mask(&self) -> SecretMask {
        SecretMask::of_values(self.received.iter().map(|one| one.value.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::{ModelAllowList, Protocol};

    fn secret(name: &str, kind: &str, phase: &str) -> TaskSecret {
        let text = str::to_owned;
        let value = format!("value of {name}");
        TaskSecret { name: text(name), value, kind: text(kind), phase: text(phase), ..TaskSecret::default() }
    }

    fn secrets() -> SessionSecrets {
        let git = TaskSecret { host: Some("git.example.com".to_owned()), ..secret("GIT", "git", "both") };
        let key = TaskSecret { provider: Some("anthropic".to_owned()), ..secret("KEY", "provider", "agent") };
        let received =
            [("A", "setup"), ("B", "agent"), ("C", "both")].map(|(name, phase)| secret(name, "plain", phase));
        SessionSecrets { received: received.into_iter().chain([git, key]).collect() }
    }

    fn names(variables: &[(String, String)]) -> Vec<&str> {
        variables.iter().map(|(name, _)| name.as_str()).collect()
    }

    #[test]
    fn the_agent_never_sees_what_is_for_the_set_up_for_git_or_for_the_gateway() {
        assert_eq!(names(&secrets().setup_variables()), ["A", "C"]);
        assert_eq!(names(&secrets().agent_variables()), ["B", "C"]);
    }

    #[test]
    fn a_git_secret_is_a_credential_for_its_host() {
        let credentials = secrets().git_credentials();
        assert_eq!(credentials.len(), 1);
        assert_eq!(
            (credentials[0].host.as_str(), credentials[0].username.as_str()),
            ("git.example.com", "x-access-token")
        );
        assert_eq!(credentials[0].password, "value of GIT");
    }

    #[test]
    fn a_key_of_the_session_replaces_that_of_the_runner_at_its_provider_alone() {
        let provider = |name: &str, credential: Credential| Provider {
            name: name.to_owned(),
            base_url: "https://api.example.com/v1".to_owned(),
            protocols: vec![Protocol::Messages],
            credential,
            models: ModelAllowList::All,
        };
        let runners = [
            provider("anthropic", Credential::ApiKey(ProviderKey::new("the runner's"))),
            provider("openai", Credential::Bearer(ProviderKey::new("the runner's"))),
        ];
        let own = secrets().with_own_keys(&runners);
        let key = |provider: &Provider| match &provider.credential {
            Credential::ApiKey(key) | Credential::GoogleKey(key) | Credential::Bearer(key) => key.reveal().to_owned(),
            Credential::Absent => String::new(),
        };
        assert_eq!((key(&own[0]).as_str(), key(&own[1]).as_str()), ("value of KEY", "the runner's"));
        assert!(matches!(own[0].credential, Credential::ApiKey(_)));
    }

    #[test]
    fn a_secret_that_nobody_set_is_named_and_no_value_is_printed() {
        let environment = TaskEnvironment { name: "backend".to_owned(), ..TaskEnvironment::default() };
        let answer = TaskSecrets { secrets: secrets().received, missing: vec!["X".to_owned(), "Y".to_owned()] };
        assert!(!format!("{answer:?}").contains("value of"), "{answer:?}");
        let RunEnd::Failed { code, message } = SessionSecrets::of_answer(&environment, answer).unwrap_err() else {
            panic!("a failure");
        };
        assert_eq!(code, "SECRET_MISSING");
        assert!(message.contains("backend") && message.contains("X, Y"), "{message}");
    }

    #[test]
    fn every_value_is_masked_whatever_its_kind() {
        let text = "value of A, value of GIT, value of KEY";
        assert_eq!(secrets().mask().mask_text(text), "[redacted], [redacted], [redacted]");
    }
}

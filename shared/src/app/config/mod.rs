//! Configuration, read once from the environment at the start. An error names the variable.

use std::{sync::Arc, time::Duration};

use crate::{
    app::Settings,
    events::stream::gateway::ApiGatewaySettings,
    identity::{
        auth::oidc::{issuer::Issuer, settings as oidc},
        rate_limits::{self, RateLimits},
        tenants::quotas::StorageQuotas,
    },
    kernel::{encryption::Pepper, error::Result, telemetry::LogFormat},
    platform::{
        postgres,
        queue::SqsSettings,
        variables::{Variables, invalid_variable},
    },
    sessions::UsageBounds,
    training::{
        jobs,
        trainers::{self, Provider},
    },
};

/// The configuration. `docs/configuration.md` lists the variables.
#[derive(Clone)]
pub struct Config {
    pub database: postgres::DbSettings,
    pub redis_url: String,
    /// The SQS queues; `None` for queues in memory.
    pub sqs: Option<SqsSettings>,
    /// The API Gateway that holds live connections; `None` for this process.
    pub live: Option<ApiGatewaySettings>,
    pub pepper: Pepper,
    /// The environment that keys name.
    pub environment: String,
    /// The revision of the build.
    pub commit: String,
    /// The trusted OpenID Connect issuers.
    pub issuers: Vec<Issuer>,
    /// A folder, or `memory:`.
    pub files: String,
    /// Whether the scripted agent is offered.
    pub scripted: bool,
    pub default_agent: Option<String>,
    /// The settings of the trainers.
    pub training: trainers::TrainerSettings,
    pub settings: Settings,
    pub log_format: LogFormat,
    pub log_filter: String,
}

impl Config {
    /// Reads the environment of this process.
    pub fn from_env() -> Result<Self> {
        Self::read(&Variables::of_process())
    }

    pub fn read(variables: &Variables) -> Result<Self> {
        let training = trainers::TrainerSettings::read(variables)?;
        Ok(Self {
            database: postgres::DbSettings {
                url: variables.required("DATABASE_URL")?,
                connections: variables.parse_or("DATABASE_CONNECTIONS", 2)?,
                ca_file: variables.get("DATABASE_CA_FILE").map(str::to_owned),
            },
            redis_url: variables.required("REDIS_URL")?,
            sqs: read_sqs(variables)?,
            live: read_api_gateway(variables)?,
            pepper: Pepper(variables.required("API_KEY_PEPPER")?.into_bytes()),
            environment: read_environment(variables)?,
            commit: variables.get("IOC_COMMIT").unwrap_or("unknown").to_owned(),
            issuers: read_issuers(variables)?,
            files: variables.get("OBJECT_STORE_URL").unwrap_or("memory:").to_owned(),
            scripted: variables.parse_or("SCRIPTED_AGENT", false)?,
            default_agent: variables.get("DEFAULT_AGENT").map(str::to_owned),
            settings: read_settings(variables, &training)?,
            training,
            log_format: if variables.get("LOG_FORMAT") == Some("json") { LogFormat::Json } else { LogFormat::Text },
            log_filter: variables.get("RUST_LOG").unwrap_or("info").to_owned(),
        })
    }
}

fn read_environment(variables: &Variables) -> Result<String> {
    let name = variables.get("IOC_ENVIRONMENT").unwrap_or("local");
    if (1..=16).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()) {
        Ok(name.to_owned())
    } else {
        Err(invalid_variable("IOC_ENVIRONMENT", "must have 1 to 16 characters of a-z and 0-9"))
    }
}

fn read_issuers(variables: &Variables) -> Result<Vec<Issuer>> {
    let text = variables.get("OIDC_ISSUERS").unwrap_or("[]");
    oidc::parse_issuers(text).map_err(|why| invalid_variable("OIDC_ISSUERS", &why))
}

fn read_sqs(variables: &Variables) -> Result<Option<SqsSettings>> {
    if variables.get("DISPATCH_QUEUE_URL").is_none() {
        return Ok(None);
    }
    Ok(Some(SqsSettings {
        dispatch_url: variables.required("DISPATCH_QUEUE_URL")?,
        dispatch_dead_url: variables.required("DISPATCH_DEAD_QUEUE_URL")?,
        observe_url: variables.required("OBSERVE_QUEUE_URL")?,
        observe_dead_url: variables.required("OBSERVE_DEAD_QUEUE_URL")?,
        broadcast_url: variables.required("BROADCAST_QUEUE_URL")?,
        broadcast_dead_url: variables.required("BROADCAST_DEAD_QUEUE_URL")?,
        poll_url: variables.required("POLL_QUEUE_URL")?,
        poll_dead_url: variables.required("POLL_DEAD_QUEUE_URL")?,
        train_url: variables.required("TRAIN_QUEUE_URL")?,
        train_dead_url: variables.required("TRAIN_DEAD_QUEUE_URL")?,
        region: read_region(variables)?,
        endpoint: variables.get("AWS_ENDPOINT_URL_SQS").or(variables.get("AWS_ENDPOINT_URL")).map(str::to_owned),
    }))
}

fn read_region(variables: &Variables) -> Result<String> {
    match variables.get("AWS_DEFAULT_REGION") {
        Some(region) => Ok(variables.get("AWS_REGION").unwrap_or(region).to_owned()),
        None => variables.required("AWS_REGION"),
    }
}

fn read_api_gateway(variables: &Variables) -> Result<Option<ApiGatewaySettings>> {
    let Some(endpoint) = variables.get("LIVE_ENDPOINT") else { return Ok(None) };
    Ok(Some(ApiGatewaySettings { endpoint: endpoint.to_owned(), region: read_region(variables)? }))
}

fn read_settings(variables: &Variables, training: &trainers::TrainerSettings) -> Result<Settings> {
    let mut settings = Settings::default();
    let poll = &mut settings.poll;
    poll.interval_min = variables.seconds_or("OBSERVE_INTERVAL_MIN", poll.interval_min)?;
    poll.interval_max = variables.seconds_or("OBSERVE_INTERVAL_MAX", poll.interval_max)?;
    poll.agent_offline = variables.seconds_or("AGENT_OFFLINE", poll.agent_offline)?;
    let retry = &mut settings.retry;
    retry.backoff_initial = variables.seconds_or("RETRY_BACKOFF_INITIAL", retry.backoff_initial)?;
    retry.backoff_max = variables.seconds_or("RETRY_BACKOFF_MAX", retry.backoff_max)?;
    settings.step_lease = variables.seconds_or("STEP_LEASE", settings.step_lease)?;
    settings.offer_timeout = variables.seconds_or("OFFER_TIMEOUT", settings.offer_timeout)?;
    settings.queue_limit = variables.seconds_or("QUEUE_TIMEOUT", settings.queue_limit)?;
    settings.workspace_retention = variables.seconds_or("WORKSPACE_RETENTION", settings.workspace_retention)?;
    settings.heartbeat_interval = variables.seconds_or("AGENT_HEARTBEAT_SECONDS", settings.heartbeat_interval)?;
    settings.push_timeout = variables.seconds_or("AGENT_PUSH_TIMEOUT", settings.push_timeout)?;
    settings.rate = read_rate_limits(variables)?;
    let streams = &mut settings.stream_limits;
    streams.per_credential = variables.parse_or("STREAMS_PER_KEY", streams.per_credential)?;
    streams.per_tenant = variables.parse_or("STREAMS_PER_TENANT", streams.per_tenant)?;
    settings.quotas = read_quotas(variables)?;
    settings.usage_bounds = read_usage_bounds(variables)?;
    settings.max_events = variables.parse_or("SESSION_EVENTS", settings.max_events)?;
    if settings.max_events < 1 {
        return Err(invalid_variable("SESSION_EVENTS", "must be 1 or more"));
    }
    settings.request_time = variables.seconds_or("REQUEST_TIMEOUT", settings.request_time)?;
    settings.body_time = variables.seconds_or("BODY_TIMEOUT", settings.body_time)?;
    settings.cors_origins = read_origins(variables)?;
    let allowed = variables.get("OUTBOUND_ALLOW").unwrap_or_default().parse();
    settings.outbound =
        allowed.map_err(|why: String| invalid_variable("OUTBOUND_ALLOW", &format!("is wrong: {why}")))?;
    settings.public_url = public_url(variables)?;
    settings.tuning = tuning_settings(variables, training)?;
    settings.streams = variables.get("AWS_LAMBDA_FUNCTION_NAME").is_none();
    Ok(settings)
}

fn tuning_settings(variables: &Variables, training: &trainers::TrainerSettings) -> Result<jobs::TrainingSettings> {
    let mut settings = jobs::TrainingSettings::default();
    settings.jobs_per_tenant = variables.parse_or("TRAINING_JOBS_PER_TENANT", settings.jobs_per_tenant)?;
    settings.longest = variables.seconds_or("TRAINING_TIMEOUT", settings.longest)?;
    let pace = &mut settings.pace;
    pace.first = variables.seconds_or("TRAINING_POLL_INTERVAL_MIN", pace.first)?;
    pace.longest = variables.seconds_or("TRAINING_POLL_INTERVAL_MAX", pace.longest)?.max(pace.first);
    let retry = &mut pace.retry;
    retry.backoff_initial = variables.seconds_or("TRAINING_RETRY_BACKOFF_INITIAL", retry.backoff_initial)?;
    retry.backoff_max = variables.seconds_or("TRAINING_RETRY_BACKOFF_MAX", retry.backoff_max)?;
    settings.offered = offered_providers(variables.parse_or("SIMULATED_TRAINER", false)?, training);
    Ok(settings)
}

/// The providers that jobs may name. The first is the default.
fn offered_providers(simulated: bool, training: &trainers::TrainerSettings) -> Arc<[Provider]> {
    let offers = |provider: &Provider| match provider {
        Provider::Simulated => simulated,
        Provider::Command => training.command.is_some(),
        Provider::Aws => training.aws.is_some(),
        Provider::Openai => true,
    };
    [Provider::Command, Provider::Aws, Provider::Simulated, Provider::Openai].into_iter().filter(offers).collect()
}

/// A URL without a path.
fn public_url(variables: &Variables) -> Result<Option<Arc<str>>> {
    let Some(text) = variables.get("PUBLIC_URL") else { return Ok(None) };
    let read = reqwest::Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    let origin = read.map(|url| url.origin().ascii_serialization());
    match origin.filter(|origin| origin == text.trim_end_matches('/')) {
        Some(origin) => Ok(Some(origin.into())),
        None => Err(invalid_variable("PUBLIC_URL", "must be a URL such as https://ioc.example.com, with no path")),
    }
}

/// Exact origins, separated by commas: `https://host` with a port where it is another than usual.
fn read_origins(variables: &Variables) -> Result<Arc<[String]>> {
    let text = variables.get("CORS_ORIGINS").unwrap_or_default();
    let origins = text.split(',').map(str::trim).filter(|one| !one.is_empty()).map(|one| {
        let read = reqwest::Url::parse(one).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        let exact = !one.contains('*') && read.is_some_and(|url| url.origin().ascii_serialization() == one);
        let refusal = || {
            invalid_variable("CORS_ORIGINS", "must name exact origins, such as https://app.example.com, and never *")
        };
        exact.then(|| one.to_owned()).ok_or_else(refusal)
    });
    origins.collect()
}

/// The limits on what tenants store; 0 = unlimited.
fn read_quotas(variables: &Variables) -> Result<StorageQuotas> {
    let mut quotas = StorageQuotas::default();
    for (name, limit) in [
        ("QUOTA_OPEN_SESSIONS", &mut quotas.open_sessions),
        ("QUOTA_STORED_BYTES", &mut quotas.stored_bytes),
        ("QUOTA_API_KEYS", &mut quotas.api_keys),
        ("QUOTA_AGENTS", &mut quotas.agents),
    ] {
        *limit = variables.parse_or(name, *limit)?;
        if *limit < 0 {
            return Err(invalid_variable(name, "must be 0 or more"));
        }
    }
    Ok(quotas)
}

/// The bounds of what agents report about their own usage, the costs in whole dollars; 0 = unlimited.
fn read_usage_bounds(variables: &Variables) -> Result<UsageBounds> {
    let mut bounds = UsageBounds::default();
    for (name, unit, bound) in [
        ("REPORTED_TOKENS_PER_RUN", 1, &mut bounds.tokens_per_run),
        ("REPORTED_TOKENS_PER_MINUTE", 1, &mut bounds.tokens_per_minute),
        ("REPORTED_COST_PER_RUN", 1_000_000, &mut bounds.cost_micros_per_run),
        ("REPORTED_COST_PER_MINUTE", 1_000_000, &mut bounds.cost_micros_per_minute),
    ] {
        let amount = variables.parse_or(name, *bound / unit)?;
        if !(0..=1_000_000_000_000).contains(&amount) {
            return Err(invalid_variable(name, "must be 0 to 1000000000000; 0 = unlimited"));
        }
        *bound = amount * unit;
    }
    Ok(bounds)
}

fn read_rate_limits(variables: &Variables) -> Result<RateLimits> {
    let mut rate = RateLimits::default();
    for (name, limit) in [("RATE_LIMIT_PER_KEY", &mut rate.per_key), ("RATE_LIMIT_PER_TENANT", &mut rate.per_tenant)] {
        *limit = variables.parse_or(name, *limit)?;
        if *limit > rate_limits::MAX_CALLS_PER_MINUTE {
            return Err(invalid_variable(name, "must be 0 to 10000000 calls per minute"));
        }
    }
    rate.concurrent_per_key = variables.parse_or("RATE_LIMIT_CONCURRENT_PER_KEY", rate.concurrent_per_key)?;
    rate.burst = variables.seconds_or("RATE_LIMIT_BURST", rate.burst)?;
    if !(Duration::from_secs(1)..=rate_limits::WINDOW).contains(&rate.burst) {
        return Err(invalid_variable("RATE_LIMIT_BURST", "must be 1 to 60 seconds"));
    }
    Ok(rate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_that_is_missing_or_wrong_is_named() {
        let missing = Config::read(&Variables::from([("DATABASE_URL", "postgres://x")])).err().unwrap();
        assert!(missing.detail().contains("REDIS_URL"), "{missing}");
        let wrong = Config::read(&Variables::from([
            ("DATABASE_URL", "postgres://x"),
            ("REDIS_URL", "redis://x"),
            ("API_KEY_PEPPER", "x"),
            ("STEP_LEASE", "soon"),
        ]));
        assert!(wrong.err().unwrap().detail().contains("STEP_LEASE"));
    }

    #[test]
    fn bounds_of_usage_are_read_in_dollars_and_refused_below_zero() {
        let read = |name, value| read_usage_bounds(&Variables::from([(name, value)]));
        assert_eq!(read("REPORTED_COST_PER_RUN", "7").unwrap().cost_micros_per_run, 7_000_000);
        assert_eq!(read("REPORTED_TOKENS_PER_MINUTE", "7").unwrap().tokens_per_minute, 7);
        assert!(read("REPORTED_TOKENS_PER_RUN", "-1").unwrap_err().detail().contains("REPORTED_TOKENS_PER_RUN"));
    }

    #[test]
    fn an_issuer_that_cannot_be_trusted_ends_the_start() {
        for wrong in ["no JSON", "{}", r#"[{"issuer": "http://login.example.com", "audience": "ioc"}]"#] {
            let refused = Config::read(&Variables::from([
                ("DATABASE_URL", "postgres://x"),
                ("REDIS_URL", "redis://x"),
                ("API_KEY_PEPPER", "x"),
                ("OIDC_ISSUERS", wrong),
            ]));
            assert!(refused.err().unwrap().detail().contains("OIDC_ISSUERS"), "{wrong}");
        }
    }
}

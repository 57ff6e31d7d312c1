//! Configuration: read once, at the start, from the environment; a wrong value is refused there, with its name.

mod variables;

use std::{sync::Arc, time::Duration};

use crate::{
    agent::{Agents, Kind, PlatformAgent},
    app::{App, News, Parts, Settings},
    auth::{
        key::Pepper,
        oidc::{
            Oidc,
            settings::{self as oidc, Issuer},
        },
        service::Keys,
    },
    cache::Cache,
    clock::Clock,
    db::{self, Db},
    error::{Error, Result},
    files::Files,
    limits::{self, RateLimits},
    live::{
        Hub, Push,
        gateway::{Gateway, Settings as GatewaySettings},
    },
    lock::Locks,
    queue::{Limits, Memory, Queue, Settings as SqsSettings, Sqs},
    runtime::{
        carried::{Carried, Services, Whose},
        opencode,
    },
    telemetry::Format,
    trainer::{self, Provider, carried as training},
    tuning,
};

pub use variables::Variables;
pub(crate) use variables::wrong;

/// Everything that can be configured. `docs/configuration.md` lists the variables.
#[derive(Clone)]
pub struct Config {
    pub database: db::Settings,
    pub redis_url: String,
    /// None: jobs stay in this process.
    pub sqs: Option<SqsSettings>,
    /// Where the connections of the live stream are; none: in this process.
    pub live: Option<GatewaySettings>,
    pub pepper: Pepper,
    /// What keys say of where they belong.
    pub environment: String,
    /// The revision that this was built from.
    pub commit: String,
    /// Whose tokens people may come with.
    pub issuers: Vec<Issuer>,
    /// A folder, or `memory:`.
    pub files: String,
    pub opencode: Option<opencode::Settings>,
    /// What holds for the OpenCode servers of tenants too; their places and passwords are their own.
    pub opencode_common: opencode::Settings,
    /// Sessions at once on the OpenCode server.
    pub opencode_capacity: i32,
    /// Whether the scripted agent is offered.
    pub scripted: bool,
    pub default_agent: Option<String>,
    /// What the trainers of this process need.
    pub training: trainer::Settings,
    pub settings: Settings,
    pub log_format: Format,
    pub log_filter: String,
}

impl Config {
    /// Reads the environment of this process.
    pub fn from_env() -> Result<Self> {
        Self::read(&Variables::of_process())
    }

    pub fn read(variables: &Variables) -> Result<Self> {
        let training = trainer::Settings::read(variables)?;
        Ok(Self {
            database: db::Settings {
                url: variables.required("DATABASE_URL")?,
                connections: variables.parsed("DATABASE_CONNECTIONS", 2)?,
                ca_file: variables.get("DATABASE_CA_FILE").map(str::to_owned),
            },
            redis_url: variables.required("REDIS_URL")?,
            sqs: sqs(variables)?,
            live: live(variables)?,
            pepper: Pepper(variables.required("API_KEY_PEPPER")?.into_bytes()),
            environment: environment(variables)?,
            commit: variables.get("IOC_COMMIT").unwrap_or("unknown").to_owned(),
            issuers: issuers(variables)?,
            files: variables.get("FILES").unwrap_or("memory:").to_owned(),
            opencode: opencode_settings(variables)?,
            opencode_common: opencode_common(variables)?,
            opencode_capacity: variables.parsed("OPENCODE_CAPACITY", 5)?,
            scripted: variables.parsed("SCRIPTED_AGENT", false)?,
            default_agent: variables.get("DEFAULT_AGENT").map(str::to_owned),
            settings: settings(variables, &training)?,
            training,
            log_format: if variables.get("LOG_FORMAT") == Some("json") { Format::Json } else { Format::Text },
            log_filter: variables.get("RUST_LOG").unwrap_or("info").to_owned(),
        })
    }

    /// Puts an ioc together that speaks to agents through the runtimes that it `carries`, and has models made by whom it
    /// `trains` with. Nothing is connected before it is needed.
    pub fn build(&self, clock: Clock, carries: Carried, trains: training::Carried) -> Result<App> {
        let cache = Cache::connect(&self.redis_url)?;
        let queue = match &self.sqs {
            Some(settings) => Queue::Sqs(Sqs::new(settings.clone())),
            None => Queue::Memory(Memory::new(Limits::default())),
        };
        let (db, files) = (Db::new(&self.database)?, Files::open(&self.files)?);
        let agents = self.agents(carries, &Services { db: &db, cache: &cache, files: &files, clock: &clock })?;
        let trainers = trains(self, &training::Services { db: &db, files: &files, clock: &clock })?;
        Ok(App::new(Parts {
            locks: Locks::new(cache.clone()),
            queue,
            keys: Keys::new(self.pepper.clone(), self.environment.clone()),
            oidc: Oidc::new(self.issuers.clone()),
            agents,
            trainers,
            db,
            cache,
            files,
            settings: self.settings.clone(),
            news: News::default(),
            push: self
                .live
                .clone()
                .map_or_else(|| Push::Local(Hub::default()), |live| Push::ApiGateway(Gateway::new(live))),
            clock,
        }))
    }

    fn agents(&self, carries: Carried, services: &Services<'_>) -> Result<Agents> {
        let mut agents = Vec::new();
        let mut add = |kind: Kind, capacity| {
            let runtime = carries(self, (Whose::Platform, kind), services)?;
            agents.push(PlatformAgent { name: kind.name().to_owned(), kind, capacity, runtime });
            Ok::<_, Error>(())
        };
        if self.opencode.is_some() {
            add(Kind::OpenCode, Some(self.opencode_capacity))?;
        }
        if self.scripted {
            add(Kind::Scripted, None)?;
        }
        add(Kind::Manual, None)?;
        let mut agents = Agents::new(agents, self.default_agent.clone());
        for kind in [Kind::OpenCode, Kind::Eap, Kind::A2a] {
            if let Some(runtime) = carries(self, (Whose::Tenants, kind), services)? {
                agents = agents.speaking(kind, runtime);
            }
        }
        Ok(agents)
    }
}

fn environment(variables: &Variables) -> Result<String> {
    let name = variables.get("IOC_ENVIRONMENT").unwrap_or("local");
    if (1..=16).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()) {
        Ok(name.to_owned())
    } else {
        Err(wrong("IOC_ENVIRONMENT", "must have 1 to 16 characters of a-z and 0-9"))
    }
}

fn issuers(variables: &Variables) -> Result<Vec<Issuer>> {
    let text = variables.get("OIDC_ISSUERS").unwrap_or("[]");
    oidc::parse(text).map_err(|why| wrong("OIDC_ISSUERS", &why))
}

fn sqs(variables: &Variables) -> Result<Option<SqsSettings>> {
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
        region: region(variables)?,
        endpoint: variables.get("AWS_ENDPOINT_URL_SQS").or(variables.get("AWS_ENDPOINT_URL")).map(str::to_owned),
    }))
}

fn region(variables: &Variables) -> Result<String> {
    match variables.get("AWS_DEFAULT_REGION") {
        Some(region) => Ok(variables.get("AWS_REGION").unwrap_or(region).to_owned()),
        None => variables.required("AWS_REGION"),
    }
}

fn live(variables: &Variables) -> Result<Option<GatewaySettings>> {
    let Some(endpoint) = variables.get("LIVE_ENDPOINT") else { return Ok(None) };
    Ok(Some(GatewaySettings { endpoint: endpoint.to_owned(), region: region(variables)? }))
}

fn opencode_settings(variables: &Variables) -> Result<Option<opencode::Settings>> {
    let Some(url) = variables.get("OPENCODE_URL") else { return Ok(None) };
    let common = opencode_common(variables)?;
    let password = variables.get("OPENCODE_PASSWORD").unwrap_or_default();
    Ok(Some(opencode::Settings {
        directory_roots: variables.list("OPENCODE_DIRECTORIES"),
        base_url: url.to_owned(),
        password: password.to_owned(),
        ..common
    }))
}

fn opencode_common(variables: &Variables) -> Result<opencode::Settings> {
    let root = variables.get("OPENCODE_WORKSPACES").unwrap_or("/var/lib/ioc/workspaces");
    let mut settings = opencode::Settings::new("", "", root);
    settings.call_timeout = variables.seconds("OPENCODE_CALL_TIMEOUT", settings.call_timeout)?;
    settings.prepare_timeout = variables.seconds("OPENCODE_PREPARE_TIMEOUT", settings.prepare_timeout)?;
    settings.grace = variables.seconds("OPENCODE_GRACE", settings.grace)?;
    settings.max_retry_wait = variables.seconds("OPENCODE_MAX_RETRY_WAIT", settings.max_retry_wait)?;
    settings.max_provider_retries = variables.parsed("OPENCODE_MAX_PROVIDER_RETRIES", settings.max_provider_retries)?;
    if let Some(agent) = variables.get("OPENCODE_AGENT") {
        agent.clone_into(&mut settings.agent);
    }
    Ok(settings)
}

fn settings(variables: &Variables, training: &trainer::Settings) -> Result<Settings> {
    let mut settings = Settings::default();
    let pace = &mut settings.pace;
    pace.shortest = variables.seconds("OBSERVE_SHORTEST", pace.shortest)?;
    pace.longest = variables.seconds("OBSERVE_LONGEST", pace.longest)?;
    pace.agent_offline = variables.seconds("AGENT_OFFLINE", pace.agent_offline)?;
    pace.retry_first = variables.seconds("RETRY_FIRST", pace.retry_first)?;
    pace.retry_longest = variables.seconds("RETRY_LONGEST", pace.retry_longest)?;
    settings.step_lease = variables.seconds("STEP_LEASE", settings.step_lease)?;
    settings.queue_limit = variables.seconds("QUEUE_LIMIT", settings.queue_limit)?;
    settings.workspace_retention = variables.seconds("WORKSPACE_RETENTION", settings.workspace_retention)?;
    settings.beat = variables.seconds("AGENT_BEAT", settings.beat)?;
    settings.push_timeout = variables.seconds("AGENT_PUSH_TIMEOUT", settings.push_timeout)?;
    settings.rate = rate(variables)?;
    settings.request_time = variables.seconds("REQUEST_TIME", settings.request_time)?;
    settings.body_time = variables.seconds("BODY_TIME", settings.body_time)?;
    settings.cors_origins = origins(variables)?;
    let allowed = variables.get("OUTBOUND_ALLOW").unwrap_or_default().parse();
    settings.outbound = allowed.map_err(|why: String| wrong("OUTBOUND_ALLOW", &format!("is wrong: {why}")))?;
    settings.public_url = public_url(variables)?;
    settings.tuning = tuning_settings(variables, training)?;
    settings.streams = variables.get("AWS_LAMBDA_FUNCTION_NAME").is_none();
    Ok(settings)
}

fn tuning_settings(variables: &Variables, training: &trainer::Settings) -> Result<tuning::Settings> {
    let mut settings = tuning::Settings::default();
    settings.jobs_per_tenant = variables.parsed("TRAINING_JOBS_PER_TENANT", settings.jobs_per_tenant)?;
    settings.longest = variables.seconds("TRAINING_LONGEST", settings.longest)?;
    let pace = &mut settings.pace;
    pace.look_first = variables.seconds("TRAINING_LOOK_FIRST", pace.look_first)?;
    pace.look_longest = variables.seconds("TRAINING_LOOK_LONGEST", pace.look_longest)?.max(pace.look_first);
    pace.retry_first = variables.seconds("TRAINING_RETRY_FIRST", pace.retry_first)?;
    pace.retry_longest = variables.seconds("TRAINING_RETRY_LONGEST", pace.retry_longest)?;
    settings.offered = offered(variables.parsed("SIMULATED_TRAINER", false)?, training);
    Ok(settings)
}

/// The providers that jobs may name: one of this installation's own is meant where none is named.
fn offered(simulated: bool, training: &trainer::Settings) -> Arc<[Provider]> {
    let offers = |provider: &Provider| match provider {
        Provider::Simulated => simulated,
        Provider::Command => training.command.is_some(),
        Provider::Aws => training.aws.is_some(),
        Provider::Openai => true,
    };
    [Provider::Command, Provider::Aws, Provider::Simulated, Provider::Openai].into_iter().filter(offers).collect()
}

/// A URL without anything behind its host.
fn public_url(variables: &Variables) -> Result<Option<Arc<str>>> {
    let Some(text) = variables.get("PUBLIC_URL") else { return Ok(None) };
    let read = reqwest::Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    let origin = read.map(|url| url.origin().ascii_serialization());
    match origin.filter(|origin| origin == text.trim_end_matches('/')) {
        Some(origin) => Ok(Some(origin.into())),
        None => Err(wrong("PUBLIC_URL", "must be a URL such as https://ioc.example.com, with no path")),
    }
}

/// Exact origins, separated by commas: `https://host` with a port where it is another than usual.
fn origins(variables: &Variables) -> Result<Arc<[String]>> {
    let text = variables.get("CORS_ORIGINS").unwrap_or_default();
    let origins = text.split(',').map(str::trim).filter(|one| !one.is_empty()).map(|one| {
        let read = reqwest::Url::parse(one).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        let exact = !one.contains('*') && read.is_some_and(|url| url.origin().ascii_serialization() == one);
        let refusal = || wrong("CORS_ORIGINS", "must name exact origins, such as https://app.example.com, and never *");
        exact.then(|| one.to_owned()).ok_or_else(refusal)
    });
    origins.collect()
}

fn rate(variables: &Variables) -> Result<RateLimits> {
    let mut rate = RateLimits::default();
    for (name, limit) in [("RATE_LIMIT_PER_KEY", &mut rate.per_key), ("RATE_LIMIT_PER_TENANT", &mut rate.per_tenant)] {
        *limit = variables.parsed(name, *limit)?;
        if *limit > limits::MOST {
            return Err(wrong(name, "must be 0 to 10000000 calls per minute"));
        }
    }
    rate.burst = variables.seconds("RATE_LIMIT_BURST", rate.burst)?;
    if !(Duration::from_secs(1)..=limits::WINDOW).contains(&rate.burst) {
        return Err(wrong("RATE_LIMIT_BURST", "must be 1 to 60 seconds"));
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

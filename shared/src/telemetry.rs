//! Logs: one subscriber, assembled here. People read text; machines read JSON lines.

use tracing_subscriber::{
    filter::{LevelFilter, Targets},
    fmt,
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

/// How logs are written.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Format {
    #[default]
    Text,
    Json,
}

/// Starts logging to standard error. `filter` is a level, or levels by target such as `info,shared=debug`. A second call
/// changes nothing.
///
/// Filters by spans and fields, which `EnvFilter` knows besides, would bring a regex engine into every function.
pub fn start(format: Format, filter: &str) {
    let filter: Targets = filter.parse().unwrap_or_else(|_| Targets::new().with_default(LevelFilter::INFO));
    // Statements are logged with their parameters, and those hold secrets: never below a warning, whatever was asked.
    let filter =
        filter.with_targets(["tokio_postgres", "hyper", "aws_smithy_runtime"].map(|name| (name, LevelFilter::WARN)));
    let log = fmt::layer().with_writer(std::io::stderr);
    let registry = tracing_subscriber::registry().with(filter);
    // Already started (by a test, or by the runtime): keep that one.
    let _ = match format {
        Format::Text => registry.with(log.with_target(false)).try_init(),
        Format::Json => registry.with(log.json().flatten_event(true).with_current_span(true)).try_init(),
    };
}

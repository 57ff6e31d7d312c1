//! Logs: one subscriber, assembled here. People read text; machines read JSON lines.

use tracing_subscriber::{EnvFilter, fmt};

/// How logs are written.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Format {
    #[default]
    Text,
    Json,
}

/// Starts logging to standard error. `filter` has the syntax of `RUST_LOG`. A second call changes nothing.
pub fn start(format: Format, filter: &str) {
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    // Statements are logged with their parameters, and those hold secrets: never below a warning, whatever was asked.
    let filter = ["tokio_postgres=warn", "hyper=warn", "aws_smithy_runtime=warn"]
        .into_iter()
        .filter_map(|directive| directive.parse().ok())
        .fold(filter, EnvFilter::add_directive);
    let builder = fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // Already started (by a test, or by the runtime): keep that one.
    let _ = match format {
        Format::Text => builder.with_target(false).try_init(),
        Format::Json => builder.json().flatten_event(true).with_current_span(true).try_init(),
    };
}

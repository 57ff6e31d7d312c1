//! Logs: one subscriber, assembled here. People read text; machines read JSON lines. No line holds a secret.

use std::io::{self, Write};

use tracing::Subscriber;
use tracing_subscriber::{
    filter::{LevelFilter, Targets},
    fmt::{self, MakeWriter},
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

use crate::redact;

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
    // Already started (by a test, or by the runtime): keep that one.
    let _ = subscriber(format, filter, io::stderr).try_init();
}

/// What writes the log to `writer`.
pub fn subscriber<W>(format: Format, filter: &str, writer: W) -> Box<dyn Subscriber + Send + Sync>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let filter: Targets = filter.parse().unwrap_or_else(|_| Targets::new().with_default(LevelFilter::INFO));
    // Statements are logged with their parameters, and those hold secrets: never below a warning, whatever was asked.
    let filter =
        filter.with_targets(["tokio_postgres", "hyper", "aws_smithy_runtime"].map(|name| (name, LevelFilter::WARN)));
    // No colours: their codes end in letters, which would hide where a secret begins.
    let log = fmt::layer().with_ansi(false).with_writer(Redacted(writer));
    let registry = tracing_subscriber::registry().with(filter);
    match format {
        Format::Text => Box::new(registry.with(log.with_target(false))),
        Format::Json => Box::new(registry.with(log.json().flatten_event(true).with_current_span(true))),
    }
}

/// Masks secrets in each line as it is written, wherever in it they stand: fields, spans, the causes of an error.
struct Redacted<W>(W);

struct Line<W>(W);

impl<'w, W: MakeWriter<'w>> MakeWriter<'w> for Redacted<W> {
    type Writer = Line<W::Writer>;

    fn make_writer(&'w self) -> Self::Writer {
        Line(self.0.make_writer())
    }
}

impl<W: Write> Write for Line<W> {
    /// Lines come whole.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        self.0.write_all(redact::text(&text).as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::error::Error;

    #[test]
    fn no_line_holds_a_secret_be_it_in_the_text_a_field_a_span_or_the_cause_of_an_error() {
        let secret = format!("ghp_{}", "a1".repeat(18));
        for format in [Format::Text, Format::Json] {
            let log = Arc::new(Mutex::new(Vec::new()));
            let written = log.clone();
            let writer = move || Shared(written.clone());
            tracing::subscriber::with_default(subscriber(format, "debug", writer), || {
                let _span = tracing::info_span!("request", note = secret.as_str()).entered();
                let inner = io::Error::other(format!("cannot clone https://x:{secret}@h/r with {secret}"));
                let error = Error::unavailable("git", inner);
                tracing::error!(?error, causes = error.causes(), field = %secret, "said {secret}");
            });
            let text = String::from_utf8(log.lock().unwrap().clone()).unwrap();
            assert!(text.contains("[redacted]") && text.contains("git does not answer"), "{text}");
            assert!(!text.contains(&secret), "{text}");
        }
    }

    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(line)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
}

//! Logging: one subscriber, as text for people or JSON lines for machines. No line contains a secret.

use std::io::{self, Write};

use tracing::Subscriber;
use tracing_subscriber::{
    filter::{LevelFilter, Targets},
    fmt::{self, MakeWriter},
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

use crate::kernel::redact;

/// The format of log lines.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum LogFormat {
    #[default]
    Text,
    Json,
}

/// Starts logging to standard error. `filter` is a level, or levels by target such as `info,shared=debug`. A second
/// call changes nothing.
///
/// Filters by span and field, as `EnvFilter` offers, would add a regex engine to every function.
pub fn start_logging(format: LogFormat, filter: &str) {
    // Keep a subscriber that a test or the runtime has started.
    let _ = build_subscriber(format, filter, io::stderr).try_init();
}

/// Builds the subscriber that writes to `writer`.
pub fn build_subscriber<W>(format: LogFormat, filter: &str, writer: W) -> Box<dyn Subscriber + Send + Sync>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let filter: Targets = filter.parse().unwrap_or_else(|_| Targets::new().with_default(LevelFilter::INFO));
    // Statements are logged with their parameters, which contain secrets: only from the level warn on.
    let filter =
        filter.with_targets(["tokio_postgres", "hyper", "aws_smithy_runtime"].map(|name| (name, LevelFilter::WARN)));
    // No colours: their codes end in letters and would hide the beginning of a secret.
    let log = fmt::layer().with_ansi(false).with_writer(RedactingWriter(writer));
    let registry = tracing_subscriber::registry().with(filter);
    match format {
        LogFormat::Text => Box::new(registry.with(log.with_target(false))),
        LogFormat::Json => Box::new(registry.with(log.json().flatten_event(true).with_current_span(true))),
    }
}

/// The longest line, in bytes. A longer one is cut, and the cut is shown.
const MAX_LINE: usize = 256 << 10;
/// A cut may divide a secret, so this much more is examined.
const MARGIN: usize = 8 << 10;

/// Redacts secrets from each line: in fields, spans and the causes of errors.
struct RedactingWriter<W>(W);

struct LogLine<W>(W);

impl<'w, W: MakeWriter<'w>> MakeWriter<'w> for RedactingWriter<W> {
    type Writer = LogLine<W::Writer>;

    fn make_writer(&'w self) -> Self::Writer {
        LogLine(self.0.make_writer())
    }
}

impl<W: Write> Write for LogLine<W> {
    /// The subscriber writes whole lines.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let examined = String::from_utf8_lossy(&line[..line.len().min(MAX_LINE + MARGIN)]);
        let text = redact::redact_text(&examined);
        if line.len() <= MAX_LINE {
            self.0.write_all(text.as_bytes())?;
        } else {
            let end = text.floor_char_boundary(MAX_LINE);
            self.0.write_all(format!("{} [{} more bytes]\n", &text[..end], line.len() - end).as_bytes())?;
        }
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
    use crate::kernel::error::Error;

    #[test]
    fn no_line_holds_a_secret_be_it_in_the_text_a_field_a_span_or_the_cause_of_an_error() {
        let secret = format!("ghp_{}", "a1".repeat(18));
        for format in [LogFormat::Text, LogFormat::Json] {
            let log = Arc::new(Mutex::new(Vec::new()));
            let written = log.clone();
            let writer = move || Shared(written.clone());
            tracing::subscriber::with_default(build_subscriber(format, "debug", writer), || {
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

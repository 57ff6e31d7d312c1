//! What a test logs, as the product writes it.

use std::{
    cell::RefCell,
    io::{self, Write},
    sync::{Arc, Mutex, Once},
};

use shared::kernel::telemetry::{LogFormat, build_subscriber};
use tracing::{Metadata, Subscriber, subscriber::Interest};
use tracing_subscriber::{Layer, layer::Context, layer::SubscriberExt};

type Lines = Arc<Mutex<Vec<u8>>>;

thread_local! {
    static CAPTURED: RefCell<Option<Lines>> = const { RefCell::new(None) };
}

/// The log of the thread that began it, from the level debug on, until it is dropped.
///
/// One subscriber serves all tests of the process: one for a thread alone depends on which thread reaches a line first.
#[derive(Debug)]
pub struct LogCapture(Lines);

impl LogCapture {
    pub fn begin() -> Self {
        static INSTALLED: Once = Once::new();
        INSTALLED.call_once(|| {
            let subscriber = build_subscriber(LogFormat::Json, "debug", || CapturingWriter).with(CapturingThreads);
            tracing::subscriber::set_global_default(subscriber).expect("RUST_LOG is not set");
        });
        let lines = Lines::default();
        CAPTURED.set(Some(lines.clone()));
        Self(lines)
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("no writer has panicked").clone()).expect("a log is text")
    }
}

impl Drop for LogCapture {
    fn drop(&mut self) {
        CAPTURED.set(None);
    }
}

/// Enables nothing on threads that capture no log.
struct CapturingThreads;

impl<S: Subscriber> Layer<S> for CapturingThreads {
    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        Interest::sometimes()
    }

    fn enabled(&self, _: &Metadata<'_>, _: Context<'_, S>) -> bool {
        CAPTURED.with_borrow(Option::is_some)
    }
}

struct CapturingWriter;

impl Write for CapturingWriter {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        CAPTURED.with_borrow(|lines| {
            if let Some(lines) = lines {
                lines.lock().expect("no writer has panicked").extend_from_slice(line);
            }
        });
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

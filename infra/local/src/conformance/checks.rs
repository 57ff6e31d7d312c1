//! What was checked, and what came of it.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::say::say;

/// The checks so far; each is told as it is made.
#[derive(Default)]
pub(super) struct Checks {
    passed: u32,
    failed: u32,
}

impl Checks {
    /// Notes a check; answers whether it passed.
    pub(super) fn note(&mut self, name: &str, verdict: Result<(), String>) -> bool {
        match verdict {
            Ok(()) => {
                self.passed += 1;
                say(format!("pass  {name}"));
                true
            }
            Err(why) => {
                self.failed += 1;
                say(format!("FAIL  {name}: {why}"));
                false
            }
        }
    }

    /// Notes whether something holds.
    pub(super) fn holds(&mut self, name: &str, holds: bool, why: impl FnOnce() -> String) -> bool {
        self.note(name, if holds { Ok(()) } else { Err(why()) })
    }

    /// Tells the sum; answers the exit code.
    pub(super) fn finish(self) -> u8 {
        say(format!("{} passed, {} failed", self.passed, self.failed));
        u8::from(self.failed > 0)
    }
}

/// Waits until something is so; false when it was not in time.
pub(super) async fn comes(within: Duration, is_so: impl Fn() -> bool) -> bool {
    let end = Instant::now() + within;
    while !is_so() {
        if Instant::now() >= end {
            return false;
        }
        sleep(Duration::from_millis(20)).await;
    }
    true
}

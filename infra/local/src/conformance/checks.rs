//! The checks and their results.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::console::print_line;

/// The checks so far; each is printed as it is made.
#[derive(Default)]
pub(super) struct Checks {
    passed: u32,
    failed: u32,
    skipped: u32,
}

impl Checks {
    /// Records a check and returns whether it passed.
    pub(super) fn note(&mut self, name: &str, verdict: Result<(), String>) -> bool {
        match verdict {
            Ok(()) => {
                self.passed += 1;
                print_line(format!("pass  {name}"));
                true
            }
            Err(why) => {
                self.failed += 1;
                print_line(format!("FAIL  {name}: {why}"));
                false
            }
        }
    }

    /// Records whether a condition holds.
    pub(super) fn holds(&mut self, name: &str, holds: bool, why: impl FnOnce() -> String) -> bool {
        self.note(name, if holds { Ok(()) } else { Err(why()) })
    }

    /// Reports a check that is not made.
    pub(super) fn skip(&mut self, name: &str) {
        self.skipped += 1;
        print_line(format!("skip  {name}"));
    }

    /// Prints the totals and returns the exit code.
    pub(super) fn finish(self) -> u8 {
        print_line(format!("{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped));
        u8::from(self.failed > 0)
    }
}

/// Waits for a condition; returns false if it was not met in time.
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

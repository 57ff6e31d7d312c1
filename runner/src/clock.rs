//! The clock of the machine.

use chrono::{DateTime, Utc};

/// The time now. It decides only when the credential is replaced: everything else is measured by the monotonic clock.
#[expect(
    clippy::disallowed_methods,
    reason = "this program has no clock that tests control, and no other place reads it"
)]
pub(crate) fn read_clock() -> DateTime<Utc> {
    Utc::now()
}

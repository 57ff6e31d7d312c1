//! How long Lambda lets an invocation run.

use std::time::Duration;

use lambda_runtime::Context;
use shared::kernel::clock::Time;

/// The part of an invocation's time that is reserved for reporting its result.
const MARGIN: Duration = Duration::from_millis(500);

/// The time that an invocation has left, without the margin. A deadline in the past counts as none: `cargo lambda
/// watch` always sends one of ten minutes after the beginning of 1970.
pub(crate) fn time_left(context: &Context, now: Time) -> Option<Duration> {
    let deadline = Duration::from_millis(context.deadline);
    let now = Duration::from_millis(u64::try_from(now.timestamp_millis()).unwrap_or(0));
    deadline.checked_sub(now).map(|left| left.saturating_sub(MARGIN))
}

#[cfg(test)]
mod tests {
    use shared::kernel::clock::Clock;

    use super::*;

    #[test]
    fn a_deadline_in_the_past_counts_as_none() {
        let now = Clock::System.now();
        let due = |millis: i64| {
            let mut context = Context::default();
            context.deadline = u64::try_from(now.timestamp_millis() + millis).unwrap();
            time_left(&context, now)
        };
        assert_eq!(due(10_000), Some(Duration::from_millis(9_500)));
        assert_eq!(due(100), Some(Duration::ZERO));
        assert_eq!(due(-1), None);
        let mut watched = Context::default();
        watched.deadline = 600_000;
        assert_eq!(time_left(&watched, now), None);
    }
}

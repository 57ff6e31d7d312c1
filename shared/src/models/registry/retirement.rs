//! Warnings of retired base models. Pure.

use chrono::{NaiveDate, TimeDelta};

use crate::kernel::clock::Time;

/// How long before the retirement the warning begins.
const NOTICE: TimeDelta = TimeDelta::days(90);

/// The warning for a base model that is retired or soon will be.
pub fn retirement_warning(base_model: &str, retires_on: Option<NaiveDate>, now: Time) -> Option<String> {
    let (day, today) = (retires_on?, now.date_naive());
    if day <= today {
        return Some(format!(
            "The base model {base_model} is retired since {day}: what stands on it may stop answering."
        ));
    }
    let near = day - today <= NOTICE;
    near.then(|| format!("The base model {base_model} is retired on {day}: train on another one before that day."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn warned(day: &str) -> Option<String> {
        let now = "2026-11-22T23:59:59Z".parse().unwrap();
        retirement_warning("meta/llama", Some(day.parse().unwrap()), now)
    }

    #[test]
    fn a_day_that_is_near_or_past_is_warned_of_and_one_far_ahead_is_not() {
        assert!(warned("2026-11-22").unwrap().contains("retired since 2026-11-22"));
        assert!(warned("2020-01-01").unwrap().contains("since"));
        assert!(warned("2026-11-23").unwrap().contains("meta/llama is retired on 2026-11-23"));
        assert!(warned("2027-02-20").is_some());
        assert_eq!(warned("2027-02-21"), None);
        assert_eq!(retirement_warning("meta/llama", None, Time::default()), None);
    }
}

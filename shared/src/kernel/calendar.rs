//! Calendar months in UTC, the period of quotas.

use chrono::{Datelike, Months};

use crate::kernel::clock::Time;

/// The first day of the month of a time, in UTC.
pub fn month_of(time: Time) -> chrono::NaiveDate {
    let date = time.date_naive();
    date.with_day(1).unwrap_or(date)
}

/// The first moment of the following month, in UTC.
pub fn next_month(now: Time) -> Time {
    let first = month_of(now);
    let next = first.checked_add_months(Months::new(1)).unwrap_or(first);
    next.and_hms_opt(0, 0, 0).map_or(now, |time| time.and_utc())
}

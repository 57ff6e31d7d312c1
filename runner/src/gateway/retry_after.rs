//! How long a provider asks to wait.

use std::time::Duration;

use axum::http::HeaderMap;
use chrono::DateTime;

/// Reads `retry-after-ms`, or `retry-after` as seconds or as a date. A date is compared with the answer's own `date`,
/// so that the clocks need not agree.
pub(super) fn read_retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let seconds = |text: &str| Duration::try_from_secs_f64(text.parse().ok()?).ok();
    if let Some(wait) = text("retry-after-ms").and_then(seconds) {
        return Some(wait / 1000);
    }
    let after = text("retry-after")?;
    seconds(after).or_else(|| {
        let until = DateTime::parse_from_rfc2822(after).ok()?;
        let now = DateTime::parse_from_rfc2822(text("date")?).ok()?;
        Some((until - now).to_std().unwrap_or_default())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&'static str, &str)]) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(*name, value.parse().unwrap());
        }
        read_retry_after(&headers)
    }

    #[test]
    fn a_wait_is_read_from_seconds_milliseconds_or_a_date() {
        assert_eq!(read(&[("retry-after", "7")]), Some(Duration::from_secs(7)));
        assert_eq!(read(&[("retry-after", "7"), ("retry-after-ms", "250")]), Some(Duration::from_millis(250)));
        let date = ("date", "Mon, 30 Nov 2026 08:00:00 GMT");
        assert_eq!(read(&[("retry-after", "Mon, 30 Nov 2026 08:01:30 GMT"), date]), Some(Duration::from_secs(90)));
        assert_eq!(read(&[("retry-after", "Mon, 30 Nov 2026 07:00:00 GMT"), date]), Some(Duration::ZERO));
        for wrong in ["", "-1", "soon", "NaN", "1e400"] {
            assert_eq!(read(&[("retry-after", wrong), date]), None, "{wrong}");
        }
    }
}

//! Failures of providers with remedies, and bounded HTTP calls: limited in size, without redirects.

use reqwest::{RequestBuilder, StatusCode, header::HeaderMap};
use serde::de::DeserializeOwned;

use crate::kernel::failure::{Category, Failure};

/// The largest response, in bytes.
const MOST_BYTES: usize = 16 * 1024 * 1024;

/// The longest accepted `Retry-After`.
const LONGEST_REST: u64 = 24 * 60 * 60;

/// A failure of a training.
pub(super) fn provider_failure(category: Category, code: impl Into<String>, message: impl Into<String>) -> Failure {
    Failure { remedy: remedy(category).to_owned(), ..Failure::new(category, code, message) }
}

/// A permanent failure: the same request would be rejected again.
pub(super) fn refused_failure(code: &str, message: impl Into<String>) -> Failure {
    provider_failure(Category::User, code, message)
}

/// A transient failure.
pub(super) fn transient_failure(code: &str, message: impl Into<String>) -> Failure {
    provider_failure(Category::Transient, code, message)
}

const fn remedy(category: Category) -> &'static str {
    match category {
        Category::Transient => "Nothing has to be done: it is tried again.",
        Category::RateLimit => "Wait; it is tried again by itself. Or have the provider raise the limit.",
        Category::Auth => {
            "Set a credential that may train models for the provider under /fine-tuning/providers, then retry the job."
        }
        Category::Agent => "Read the job's events, then retry it, or train with other parameters.",
        Category::User => "Correct the job's base model, parameters or dataset, and create a new one.",
        Category::Policy => "Ask the owner of the rule, or train with another dataset.",
        Category::Budget => "Raise the limit or the credit at the provider, then retry the job.",
        Category::Timeout => "Retry the job, or train with less.",
        Category::Internal => "Retry the job; if it stays, report its id.",
    }
}

/// A complete response of a provider.
pub(super) struct ProviderResponse {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl ProviderResponse {
    pub(super) fn read<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        serde_json::from_slice(&self.body).map_err(|error| {
            tracing::debug!(%error, "the response of a training provider is malformed");
            transient_failure("PROVIDER_MALFORMED", "The provider's answer cannot be read.")
        })
    }

    /// The failure for an unsuccessful response. `said` is the message of the provider.
    pub(super) fn to_failure(&self, said: &str) -> Failure {
        let status = self.status.as_u16();
        let details = if said.is_empty() { String::new() } else { format!(": {said}") };
        let because = |what: &str| format!("The provider {what} ({status}){details}");
        match status {
            401 | 403 => provider_failure(Category::Auth, "PROVIDER_AUTH", because("refuses the credential")),
            402 => provider_failure(Category::Budget, "PROVIDER_BUDGET", because("asks to be paid")),
            429 => Failure {
                retry_after_seconds: retry_after_seconds(&self.headers),
                ..provider_failure(Category::RateLimit, "PROVIDER_RATE_LIMIT", because("asks to slow down"))
            },
            408 | 409 | 425 | 500.. => Failure {
                retry_after_seconds: retry_after_seconds(&self.headers),
                ..transient_failure("PROVIDER_ERROR", because("failed"))
            },
            300..=399 => refused_failure("PROVIDER_REFUSED", because("sends elsewhere; is its base URL right?")),
            _ => refused_failure("PROVIDER_REFUSED", because("refuses")),
        }
    }
}

/// The `Retry-After` of a response: seconds, or a time by the clock of the response.
fn retry_after_seconds(headers: &HeaderMap) -> Option<u64> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let asked = text("retry-after")?;
    let seconds = asked.trim().parse().ok().or_else(|| {
        let time = |text: &str| chrono::DateTime::parse_from_rfc2822(text).ok();
        u64::try_from((time(asked)? - time(text("date")?)?).num_seconds()).ok()
    });
    seconds.map(|seconds: u64| seconds.min(LONGEST_REST))
}

/// Sends a request and reads the whole response.
pub(super) async fn send_request(request: RequestBuilder) -> Result<ProviderResponse, Failure> {
    let lost = |error: reqwest::Error| {
        let why = if error.is_timeout() { "does not answer in time" } else { "cannot be reached" };
        tracing::debug!(error = ?error.without_url(), "a provider of training {why}");
        transient_failure("PROVIDER_UNREACHABLE", format!("The provider {why}."))
    };
    let mut response = request.send().await.map_err(lost)?;
    let (status, headers, mut body) = (response.status(), std::mem::take(response.headers_mut()), Vec::new());
    while let Some(chunk) = response.chunk().await.map_err(lost)? {
        if body.len() + chunk.len() > MOST_BYTES {
            return Err(transient_failure("PROVIDER_MALFORMED", "The provider's answer is too large."));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(ProviderResponse { status, headers, body })
}

/// A failure of our object store.
pub(super) fn of_files(error: &crate::kernel::error::Error) -> Failure {
    tracing::warn!(?error, "a dataset file cannot be read");
    transient_failure("FILES_UNAVAILABLE", "The file store cannot be reached.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, headers: &[(&'static str, &str)]) -> ProviderResponse {
        let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        ProviderResponse { status: StatusCode::from_u16(status).unwrap(), headers, body: Vec::new() }
    }

    #[test]
    fn each_status_has_its_category() {
        for (status, category) in [
            (400, Category::User),
            (401, Category::Auth),
            (402, Category::Budget),
            (403, Category::Auth),
            (404, Category::User),
            (302, Category::User),
            (409, Category::Transient),
            (429, Category::RateLimit),
            (500, Category::Transient),
            (599, Category::Transient),
        ] {
            assert_eq!(answer(status, &[]).to_failure("").category, category, "{status}");
        }
    }

    #[test]
    fn retry_after_is_read_as_seconds_or_a_date_and_bounded() {
        let asked = |headers: &[(&'static str, &str)]| answer(429, headers).to_failure("").retry_after_seconds;
        let date = ("date", "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(asked(&[("retry-after", "20")]), Some(20));
        assert_eq!(asked(&[("retry-after", "Sun, 06 Nov 1994 08:50:37 GMT"), date]), Some(60));
        assert_eq!(asked(&[("retry-after", "Sun, 06 Nov 1994 08:40:00 GMT"), date]), None, "that is over");
        assert_eq!(asked(&[("retry-after", "99999999999")]), Some(LONGEST_REST));
        assert_eq!(asked(&[("retry-after", "soon")]), None);
        assert_eq!(asked(&[]), None);
    }
}

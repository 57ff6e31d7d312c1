//! OpenCode's errors by name, and the words of a provider, as failures of ours.

use super::wire::Fault;
use crate::kernel::failure::{Category, Failure};

/// How a run ended that has an error.
#[derive(Debug, PartialEq)]
pub(super) enum Ended {
    Aborted,
    Failed(Failure),
}

pub(super) fn ended(fault: &Fault) -> Ended {
    let failed = |category, code: &str| {
        let said = if fault.data.message.is_empty() { &fault.name } else { &fault.data.message };
        Ended::Failed(Failure::new(category, code, said.as_str()))
    };
    match fault.name.as_str() {
        "MessageAbortedError" => Ended::Aborted,
        "ProviderAuthError" => failed(Category::Auth, "PROVIDER_AUTH"),
        "ContentFilterError" => failed(Category::Policy, "CONTENT_FILTER"),
        "ContextOverflowError" => failed(Category::Agent, "CONTEXT_OVERFLOW"),
        "MessageOutputLengthError" => failed(Category::Agent, "OUTPUT_LIMIT"),
        "APIError" => {
            let (category, code) = of_provider(fault);
            failed(category, code)
        }
        _ => failed(Category::Agent, "AGENT_ERROR"),
    }
}

fn of_provider(fault: &Fault) -> (Category, &'static str) {
    let body = fault.data.body.as_deref().unwrap_or_default();
    match fault.data.status {
        Some(401 | 403) => (Category::Auth, "PROVIDER_AUTH"),
        Some(402) => (Category::Budget, "PROVIDER_QUOTA"),
        Some(429) if body.contains("insufficient_quota") => (Category::Budget, "PROVIDER_QUOTA"),
        Some(429) => (Category::RateLimit, "PROVIDER_RATE_LIMIT"),
        Some(408 | 500..=599) | None => (Category::Transient, "PROVIDER_ERROR"),
        Some(_) if fault.data.retryable => (Category::Transient, "PROVIDER_ERROR"),
        Some(404) => (Category::User, "MODEL_UNKNOWN"),
        Some(_) => (Category::Agent, "PROVIDER_REFUSED"),
    }
}

/// While OpenCode tries again it passes on the provider's words only, so these must tell whether it is a limit.
pub(super) fn is_limit(message: &str) -> bool {
    let said = message.to_ascii_lowercase();
    ["429", "rate limit", "rate_limit", "ratelimit", "too many requests", "quota", "usage limit"]
        .iter()
        .any(|word| said.contains(word))
}

/// The failure of a provider that was tried often enough.
pub(super) fn given_up(message: &str) -> Failure {
    if is_limit(message) {
        Failure::new(Category::RateLimit, "PROVIDER_RATE_LIMIT", message)
    } else {
        Failure::transient("PROVIDER_ERROR", message)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_error_is_told_by_its_name_and_status() {
        for (name, status, retryable, category) in [
            ("ProviderAuthError", None, false, Category::Auth),
            ("APIError", Some(401), false, Category::Auth),
            ("APIError", Some(403), false, Category::Auth),
            ("APIError", Some(429), true, Category::RateLimit),
            ("APIError", Some(503), true, Category::Transient),
            ("APIError", None, true, Category::Transient),
            ("APIError", Some(400), false, Category::Agent),
            ("APIError", Some(404), false, Category::User),
            ("ContextOverflowError", None, false, Category::Agent),
            ("ContentFilterError", None, false, Category::Policy),
            ("SomethingNew", None, false, Category::Agent),
        ] {
            let fault = json!({"name": name, "data": {"message": "m", "isRetryable": retryable, "statusCode": status}});
            let fault: Fault = serde_json::from_value(fault).unwrap();
            let Ended::Failed(failure) = ended(&fault) else { panic!("{name} is a failure") };
            assert_eq!(failure.category, category, "{name} {status:?}");
        }
        let aborted: Fault = serde_json::from_value(json!({"name": "MessageAbortedError"})).unwrap();
        assert_eq!(ended(&aborted), Ended::Aborted);
    }

    #[test]
    fn a_spent_quota_is_a_matter_of_budget_and_not_of_pace() {
        let data = json!({"message": "m", "statusCode": 429, "responseBody": "{\"code\":\"insufficient_quota\"}"});
        let fault: Fault = serde_json::from_value(json!({"name": "APIError", "data": data})).unwrap();
        assert!(matches!(ended(&fault), Ended::Failed(failure) if failure.category == Category::Budget));
    }

    #[test]
    fn a_limit_is_known_by_the_words_of_the_provider() {
        assert!(is_limit("stub error 429"));
        assert!(is_limit("Rate limit reached for gpt"));
        assert!(!is_limit("Provider is overloaded"));
        assert!(!is_limit("stub error 500"));
    }
}

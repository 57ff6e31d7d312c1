//! The calls of the model in a run: what they used, and whether the provider lets the agent work at all.

use std::time::Duration;

use crate::gateway::{GatewayEvent, ModelCall};

use super::{reporter::Notice, run::RunEnd};

/// How many calls in a row a provider may fail before the run does. Agents try again by themselves, some without end.
const MOST_FAILURES: u32 = 10;

/// How many failures in a row are not those of a call beside the work, such as one for a title.
const CLEAR_FAILURES: u32 = 3;

/// From which wait on the session pauses, as a provider asks for it. Agents wait shorter ones out by themselves.
const LONG_WAIT: Duration = Duration::from_mins(2);

/// What is known of the calls so far.
#[derive(Debug, Default)]
pub(super) struct ModelCalls {
    pub(super) tokens: i64,
    pub(super) cost_usd: Option<String>,
    has_answered: bool,
    /// The failures since the last answer, and the last of them.
    failures: u32,
    last_failure: Option<ProviderFailure>,
    /// A long wait that the provider has asked for since its last answer.
    long_wait: Option<Duration>,
}

/// A call that a provider refused or could not answer.
#[derive(Debug)]
struct ProviderFailure {
    provider: String,
    status: u16,
}

impl ModelCalls {
    /// Takes an event in, with the cost that the agent has stated last, and returns what is to be reported.
    pub(super) fn record(&mut self, event: GatewayEvent, cost: Option<f64>) -> Notice {
        match event {
            GatewayEvent::ModelCall(call) => {
                let used = call.usage.map_or(0, |usage| usage.input_tokens + usage.output_tokens);
                self.tokens = self.tokens.saturating_add(i64::try_from(used).unwrap_or(i64::MAX));
                self.cost_usd = cost.map(|cost| format!("{cost:.6}"));
                self.judge(call);
                Notice::Usage { tokens: self.tokens, cost_usd: self.cost_usd.clone() }
            }
            GatewayEvent::AuthenticationFailed { provider } => {
                Notice::log("error", &format!("{provider} refuses the key."))
            }
            GatewayEvent::RateLimited { provider, status, retry_after } => {
                self.long_wait = retry_after.filter(|wait| *wait >= LONG_WAIT);
                Notice::log("warning", &format!("{provider} asks to wait ({status})."))
            }
            GatewayEvent::ModelRefused { model } => {
                Notice::log("warning", &format!("The session may not use the model {model}."))
            }
        }
    }

    fn judge(&mut self, call: ModelCall) {
        match call.status {
            401..=403 | 429 | 500.. => {
                self.failures += 1;
                self.last_failure = Some(ProviderFailure { provider: call.provider, status: call.status });
            }
            ..=299 if call.complete => {
                (self.has_answered, self.failures, self.last_failure, self.long_wait) = (true, 0, None, None);
            }
            // The agent gave the call up, or asked for something wrong.
            _ => {}
        }
    }

    /// Whether the provider fails for so long that the agent need not try again: a refusal does not pass with time.
    pub(super) fn are_given_up(&self) -> bool {
        let is_refusal = self.last_failure.as_ref().is_some_and(|failure| matches!(failure.status, 401..=403));
        let has_failed = self.failures >= if is_refusal { CLEAR_FAILURES } else { MOST_FAILURES };
        has_failed || self.retry_after().is_some()
    }

    /// For how long the session is to pause, because the provider asks for a long wait.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        self.long_wait.filter(|_| self.last_failure.as_ref().is_some_and(|failure| is_rate_limit(failure.status)))
    }

    /// How a turn ends that the agent has ended because of its provider, whatever it says itself.
    pub(super) fn failure(&self) -> Option<RunEnd> {
        let ProviderFailure { provider, status } = self.last_failure.as_ref()?;
        let (is_refusal, code, what) = match status {
            401 | 403 => (true, "PROVIDER_AUTH", "refuses the key"),
            402 => (true, "PROVIDER_QUOTA", "wants to be paid"),
            status if is_rate_limit(*status) => (false, "PROVIDER_RATE_LIMIT", "asks to wait"),
            _ => (false, "PROVIDER_ERROR", "does not answer"),
        };
        let is_clear =
            is_refusal || !self.has_answered || self.failures >= CLEAR_FAILURES || self.retry_after().is_some();
        is_clear
            .then(|| RunEnd::failed(code, &format!("{provider} {what} ({status}), {} times in a row", self.failures)))
    }
}

fn is_rate_limit(status: u16) -> bool {
    matches!(status, 429 | 529)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::Protocol;

    fn after(statuses: &[u16]) -> ModelCalls {
        let mut calls = ModelCalls::default();
        for status in statuses {
            calls.record(call(*status), None);
        }
        calls
    }

    fn call(status: u16) -> GatewayEvent {
        GatewayEvent::ModelCall(ModelCall {
            provider: "openai".into(),
            protocol: Protocol::ChatCompletions,
            model: "m".into(),
            usage: None,
            status,
            complete: true,
            duration: Duration::ZERO,
        })
    }

    fn code(statuses: &[u16]) -> Option<String> {
        match after(statuses).failure()? {
            RunEnd::Failed { code, .. } => Some(code),
            end @ RunEnd::Completed { .. } => panic!("{end:?}"),
        }
    }

    #[test]
    fn a_run_whose_provider_fails_last_has_a_failure_of_that_kind() {
        for (statuses, expected) in [
            (vec![200, 401], "PROVIDER_AUTH"),
            (vec![403], "PROVIDER_AUTH"),
            (vec![200, 402], "PROVIDER_QUOTA"),
            (vec![429], "PROVIDER_RATE_LIMIT"),
            (vec![200, 529, 529, 529], "PROVIDER_RATE_LIMIT"),
            (vec![200, 500, 502, 503], "PROVIDER_ERROR"),
        ] {
            assert_eq!(code(&statuses).as_deref(), Some(expected), "{statuses:?}");
        }
    }

    #[test]
    fn a_long_wait_for_a_provider_ends_the_run_until_then_and_a_short_one_does_not() {
        let limited = |seconds| {
            let mut calls = after(&[200]);
            let retry_after = Some(Duration::from_secs(seconds));
            calls.record(GatewayEvent::RateLimited { provider: "openai".into(), status: 429, retry_after }, None);
            calls.record(call(429), None);
            calls
        };
        let mut calls = limited(3600);
        assert!(calls.are_given_up() && calls.retry_after() == Some(Duration::from_hours(1)));
        assert!(matches!(calls.failure(), Some(RunEnd::Failed { code, .. }) if code == "PROVIDER_RATE_LIMIT"));
        calls.record(call(200), None);
        assert!(!calls.are_given_up() && calls.retry_after().is_none(), "the agent got through");
        assert!(!limited(60).are_given_up() && limited(60).retry_after().is_none());
    }

    #[test]
    fn a_single_failure_after_an_answer_and_one_that_was_overcome_fail_nothing() {
        for statuses in [vec![], vec![200, 500], vec![401, 200], vec![500, 500, 500, 200], vec![400], vec![200, 404]] {
            assert_eq!(code(&statuses), None, "{statuses:?}");
        }
    }

    #[test]
    fn a_provider_is_given_up_after_ten_failures_or_three_refusals_in_a_row() {
        assert!(after(&[503; 10]).are_given_up());
        assert!(!after(&[503; 9]).are_given_up());
        assert!(after(&[401; 3]).are_given_up() && !after(&[401; 2]).are_given_up());
        assert!(!after(&[503, 503, 503, 503, 503, 503, 503, 503, 503, 200, 503]).are_given_up());
    }
}

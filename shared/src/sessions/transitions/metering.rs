//! Booking what an agent used.

use serde_json::json;

use crate::{
    events::log::EventType,
    kernel::{
        actor::Actor,
        usage::{Usage, format_usd},
    },
};

use super::super::{change::SessionChange, usage_claims::UsageBounds};

/// The code of the warning that an agent reports more than is booked.
const USAGE_WITHHELD: &str = "USAGE_WITHHELD";

/// Raises the usage of a scope to the figures that `agent` reports, within the bounds of the run if there are any.
/// Returns whether the session's total changed, or something was withheld for the first time in the run.
pub(super) fn meter_usage(
    change: &mut SessionChange,
    agent: Actor,
    scope: String,
    reported: Usage,
    bounds: Option<&UsageBounds>,
) -> bool {
    let before = change.session.usage.total;
    let withholds = book_usage(change, scope, reported, bounds);
    let total = change.session.usage.total;
    if total != before {
        change.spent = Usage {
            tokens_input: change.spent.tokens_input + total.tokens_input - before.tokens_input,
            tokens_output: change.spent.tokens_output + total.tokens_output - before.tokens_output,
            tokens_reasoning: change.spent.tokens_reasoning + total.tokens_reasoning - before.tokens_reasoning,
            tokens_cached: change.spent.tokens_cached + total.tokens_cached - before.tokens_cached,
            cost_micros: change.spent.cost_micros + total.cost_micros - before.cost_micros,
        };
        let payload = json!({
            "tokens_input": total.tokens_input,
            "tokens_output": total.tokens_output,
            "tokens_reasoning": total.tokens_reasoning,
            "tokens_cached": total.tokens_cached,
            "cost_usd": format_usd(total.cost_micros),
        });
        change.add_event_by(agent, EventType::Usage, payload);
    }
    if withholds {
        add_withheld_warning(change);
    }
    withholds || total != before
}

/// Returns whether something is withheld for the first time in the run.
fn book_usage(change: &mut SessionChange, scope: String, reported: Usage, bounds: Option<&UsageBounds>) -> bool {
    let (run, usage) = (&change.session.run, &mut change.session.usage);
    let Some(bounds) = bounds else {
        usage.book(scope, reported);
        return false;
    };
    let running = run.started_at.map(|began| change.now - began).unwrap_or_default();
    usage.book_claim(scope, reported, run.number, bounds.most_after(running))
}

fn add_withheld_warning(change: &mut SessionChange) {
    let withheld = change.session.usage.claimed().unwrap_or_default();
    let text = format!(
        "The agent reports more usage than a run may book by now. {} tokens and {} US dollars are kept as claimed and \
         not booked.",
        withheld.tokens,
        format_usd(withheld.cost_micros),
    );
    change.add_log(json!({"level": "warning", "message": text, "code": USAGE_WITHHELD}));
}

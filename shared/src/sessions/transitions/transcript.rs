//! What an agent says and does, in the log of its session.

use serde_json::{Value, json};

use crate::{
    agents::contract::TranscriptEntry, events::log::EventType, kernel::actor::Actor, sessions::change::SessionChange,
};

/// How many warnings a full log takes: an agent that goes on for ever must not write them for ever.
const MAX_WARNINGS: i64 = 100;

/// Records what an agent said and did since the last observation, which has no secrets. Entries beyond the size of the
/// log are left out, and a warning says how many.
pub(super) fn record_transcript(
    change: &mut SessionChange,
    agent: &Actor,
    transcript: Vec<TranscriptEntry>,
    max_events: i64,
) {
    let free = usize::try_from(max_events - change.session.last_event_seq).unwrap_or(0);
    let omitted = transcript.len().saturating_sub(free);
    for entry in transcript.into_iter().take(free) {
        let (kind, payload) = transcript_event(entry);
        change.add_redacted_event(agent.clone(), kind, payload);
    }
    if omitted > 0 && change.session.last_event_seq < max_events + MAX_WARNINGS {
        let message = format!("The log holds its {max_events} events; {omitted} entries of the agent were left out.");
        change.add_log(json!({"level": "warning", "code": "LOG_FULL", "message": message}));
    }
}

fn transcript_event(entry: TranscriptEntry) -> (EventType, Value) {
    let kind = match &entry {
        TranscriptEntry::Log { .. } => EventType::Log,
        TranscriptEntry::Message { .. } => EventType::Message,
        TranscriptEntry::Tool { .. } => EventType::Tool,
        TranscriptEntry::FileChanged { .. } => EventType::FileChanged,
    };
    let mut payload = serde_json::to_value(entry).unwrap_or_default();
    if let Value::Object(map) = &mut payload {
        map.remove("type");
        map.retain(|_, value| !value.is_null());
    }
    (kind, payload)
}

//! Events as discriminated unions: one schema for each type of event, with its own payload. REST, Server-Sent Events
//! and the WebSocket use the same schemas.

use serde_json::{Map, Value, json};

use crate::events::{ControlEventPayload, SessionEventPayload, TenantEventPayload, TrainingEventPayload};

/// The types of events with a common base: the base, the prefix of the names of their schemas, and the lists of types.
struct Members {
    base: &'static str,
    prefix: &'static str,
    lists: &'static [&'static [(&'static str, &'static str, &'static str)]],
}

/// The unions, which replace the schemas of the same names.
const UNIONS: [(&str, &[Members]); 4] = [
    ("Event", &[Members { base: "Event", prefix: "", lists: &[SessionEventPayload::SCHEMAS] }]),
    ("TrainingEvent", &[Members { base: "TrainingEvent", prefix: "", lists: &[TrainingEventPayload::SCHEMAS] }]),
    (
        "TopicEvent",
        &[Members {
            base: "TopicEvent",
            prefix: "Topic",
            lists: &[SessionEventPayload::SCHEMAS, TenantEventPayload::SCHEMAS],
        }],
    ),
    (
        "StreamFrame",
        &[
            Members {
                base: "StreamFrame",
                prefix: "Stream",
                lists: &[SessionEventPayload::SCHEMAS, TenantEventPayload::SCHEMAS],
            },
            Members { base: "ControlFrame", prefix: "Stream", lists: &[ControlEventPayload::SCHEMAS] },
        ],
    ),
];

/// Replaces the schema of each kind of log entry by the union of its types.
pub(super) fn complete(schemas: &mut Map<String, Value>) {
    for (name, members) in UNIONS {
        let Some(description) = schemas.get(name).map(|base| base["description"].clone()) else { continue };
        let (mut references, mut mapping) = (Vec::new(), Map::new());
        for Members { base, prefix, lists } in members {
            let Some(base) = schemas.remove(*base) else { continue };
            for (kind, variant, payload) in lists.iter().copied().flatten() {
                let member = format!("{prefix}{variant}");
                let reference = format!("#/components/schemas/{member}");
                references.push(json!({"$ref": reference}));
                mapping.insert((*kind).to_owned(), reference.into());
                schemas.insert(member, of_type(base.clone(), kind, payload));
            }
        }
        let union = json!({
            "description": description, "oneOf": references,
            "discriminator": {"propertyName": "type", "mapping": mapping},
        });
        schemas.insert(name.to_owned(), union);
    }
}

/// Describes the frames of the WebSocket. OpenAPI has no place for the messages of a WebSocket; a webhook is what the
/// server sends without a request.
pub(super) fn describe_frames(document: &mut Value) {
    if document.pointer("/components/schemas/StreamFrame").is_none() {
        return;
    }
    document["webhooks"] = json!({"live_frame": {"post": {
        "operationId": "receive_live_frame",
        "summary": "Receive a frame",
        "description": "The WebSocket of the live stream sends each frame as one text message. No request is sent.",
        "tags": ["live"],
        "security": [],
        "requestBody": {
            "description": "The frame.",
            "required": true,
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/StreamFrame"}}},
        },
        "responses": {"200": {"description": "A frame has no answer."}},
    }}});
}

/// The schema of one type of event.
fn of_type(mut base: Value, kind: &str, payload: &str) -> Value {
    base["description"] = format!("An event of the type `{kind}`.").into();
    base["properties"]["type"] = json!({"type": "string", "enum": [kind], "description": "The type of the event."});
    let description = "The details of the event.";
    base["properties"]["payload"] =
        json!({"$ref": format!("#/components/schemas/{payload}"), "description": description});
    base
}

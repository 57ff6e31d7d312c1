//! The body of a request: what the gateway must know of it, and the one thing that it adds.

use std::borrow::Cow;

use bytes::Bytes;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::protocol::Protocol;

const INCLUDE_USAGE: &str = "\"include_usage\":true";

/// A request that is ready for a provider.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PreparedRequest {
    pub(super) model: String,
    pub(super) body: Bytes,
    /// Whether the usage was asked for by the gateway, so that its chunk must not reach the agent.
    pub(super) is_usage_added: bool,
}

/// A field that stands twice is an error: the provider could read the other one.
#[derive(Deserialize)]
struct RequestHead<'a> {
    #[serde(borrow)]
    model: Cow<'a, str>,
    #[serde(default)]
    stream: Option<bool>,
    #[serde(default, borrow, deserialize_with = "read_raw")]
    stream_options: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct StreamOptions<'a> {
    #[serde(default, borrow, deserialize_with = "read_raw")]
    include_usage: Option<&'a RawValue>,
}

/// As it is written, also `null`.
fn read_raw<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// A request of Gemini, whose path names the model. Its body stays as it is.
pub(super) fn prepare_gemini_request(model: &str, body: &Bytes) -> Result<PreparedRequest, String> {
    let text = std::str::from_utf8(body).map_err(|_| "it is not UTF-8".to_owned())?;
    if !text.trim_start().starts_with('{') {
        return Err("it is no object".to_owned());
    }
    Ok(PreparedRequest { model: model.to_owned(), body: body.clone(), is_usage_added: false })
}

/// Reads a request. Its body stays as it is, except that a stream of chat completions is made to end with its usage.
pub(super) fn prepare_request(protocol: Protocol, body: &Bytes) -> Result<PreparedRequest, String> {
    let text = std::str::from_utf8(body).map_err(|_| "it is not UTF-8".to_owned())?;
    // A sequence would be read as the fields in their order.
    if !text.trim_start().starts_with('{') {
        return Err("it is no object".to_owned());
    }
    let head: RequestHead = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let model = head.model.clone().into_owned();
    let is_chat_stream = protocol == Protocol::ChatCompletions && head.stream == Some(true);
    let added = if is_chat_stream { add_usage_option(text, head.stream_options)? } else { None };
    let is_usage_added = added.is_some();
    Ok(PreparedRequest { model, body: added.map_or_else(|| body.clone(), Bytes::from), is_usage_added })
}

/// The body with `stream_options.include_usage`; none if it asks for the usage already.
fn add_usage_option(body: &str, options: Option<&RawValue>) -> Result<Option<String>, String> {
    let Some(options) = options else {
        let at = body.find('{').ok_or("it is no object")? + 1;
        return Ok(Some(format!("{}\"stream_options\":{{{INCLUDE_USAGE}}},{}", &body[..at], &body[at..])));
    };
    if options.get() == "null" {
        return Ok(Some(replace(body, options, &format!("{{{INCLUDE_USAGE}}}"))));
    }
    let inner: StreamOptions = serde_json::from_str(options.get()).map_err(|error| error.to_string())?;
    let changed = match inner.include_usage.map(RawValue::get) {
        Some("true") => return Ok(None),
        Some(_) => inner.include_usage.map(|value| replace(options.get(), value, "true")).unwrap_or_default(),
        None => {
            let rest = &options.get()[1..];
            let comma = if rest.trim_start().starts_with('}') { "" } else { "," };
            format!("{{{INCLUDE_USAGE}{comma}{rest}")
        }
    };
    Ok(Some(replace(body, options, &changed)))
}

/// Replaces a part of a text that was read from it.
fn replace(text: &str, part: &RawValue, by: &str) -> String {
    let at = part.get().as_ptr().addr() - text.as_ptr().addr();
    format!("{}{by}{}", &text[..at], &text[at + part.get().len()..])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn prepare(body: &str) -> Result<PreparedRequest, String> {
        prepare_request(Protocol::ChatCompletions, &Bytes::from(body.to_owned()))
    }

    #[test]
    fn a_chat_stream_is_made_to_report_its_usage_and_nothing_else_changes() {
        for (body, expected) in [
            (
                r#"{"model":"m","stream":true}"#,
                r#"{"stream_options":{"include_usage":true},"model":"m","stream":true}"#,
            ),
            (
                r#" {"stream_options": null, "model":"m","stream":true}"#,
                r#" {"stream_options": {"include_usage":true}, "model":"m","stream":true}"#,
            ),
            (
                r#"{"model":"m","stream":true,"stream_options":{ }}"#,
                r#"{"model":"m","stream":true,"stream_options":{"include_usage":true }}"#,
            ),
            (
                r#"{"model":"m","stream":true,"stream_options":{"a":1,"include_usage" : false}}"#,
                r#"{"model":"m","stream":true,"stream_options":{"a":1,"include_usage" : true}}"#,
            ),
        ] {
            let prepared = prepare(body).unwrap();
            assert_eq!(std::str::from_utf8(&prepared.body).unwrap(), expected);
            assert!(prepared.is_usage_added);
        }
    }

    #[test]
    fn a_request_that_needs_no_usage_option_stays_as_it_is() {
        for body in [
            r#"{"model":"m"}"#,
            r#"{"model":"m","stream":false}"#,
            r#"{"model":"m","stream":true,"stream_options":{"include_usage":true}}"#,
        ] {
            let prepared = prepare(body).unwrap();
            assert_eq!((&prepared.body[..], prepared.is_usage_added), (body.as_bytes(), false));
        }
        let body = Bytes::from_static(br#"{"model":"m","stream":true}"#);
        assert_eq!(prepare_request(Protocol::Messages, &body).unwrap().body, body);
    }

    #[test]
    fn a_request_that_two_readers_could_read_differently_is_refused() {
        for body in [
            r#"{"model":"allowed","model":"other"}"#,
            r#"{"model":"allowed","mod\u0065l":"other"}"#,
            r#"{"stream":true}"#,
            r#"{"model":["m"]}"#,
            r#"["m"]"#,
            r#"{"model":"m"} {"model":"other"}"#,
            "",
        ] {
            assert!(prepare(body).is_err(), "{body}");
        }
    }

    proptest! {
        #[test]
        fn an_added_option_is_the_only_change_of_the_content(
            options in prop_oneof![
                Just(None), Just(Some(json!(null))), Just(Some(json!({}))), Just(Some(json!({"include_usage": null}))),
                Just(Some(json!({"x": [1, "}"], "include_usage": false}))), Just(Some(json!({"x": {"include_usage": false}}))),
            ],
            text in ".{0,20}", pretty in any::<bool>(),
        ) {
            let mut request = json!({"a": text, "model": "m", "stream": true, "z": {"stream_options": {}}});
            if let Some(options) = options {
                request["stream_options"] = options;
            }
            let body = if pretty { serde_json::to_string_pretty(&request) } else { serde_json::to_string(&request) };
            let prepared = prepare(&body.unwrap()).unwrap();
            let mut sent: Value = serde_json::from_slice(&prepared.body).unwrap();
            prop_assert_eq!(&sent["stream_options"]["include_usage"], &json!(true));
            if request["stream_options"].get("include_usage").is_some() {
                sent["stream_options"]["include_usage"] = request["stream_options"]["include_usage"].clone();
            } else {
                sent["stream_options"].as_object_mut().unwrap().remove("include_usage");
                if !request["stream_options"].is_object() {
                    prop_assert_eq!(&sent["stream_options"], &json!({}));
                    sent["stream_options"] = json!(null);
                    if request.get("stream_options").is_none() {
                        sent.as_object_mut().unwrap().remove("stream_options");
                    }
                }
            }
            prop_assert_eq!(sent, request);
        }
    }
}

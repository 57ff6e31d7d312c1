//! JSON bodies: read within bounds of size and time, and parsed into a known shape.

use axum::{
    body::{Body, to_bytes},
    extract::{FromRequest, Request},
    http::header,
};
use serde::de::DeserializeOwned;
use shared::{
    app::App,
    kernel::error::{Code, Error, Result},
};

use crate::http::problem::ApiError;

/// The default limit of a body, in bytes.
pub const BODY_LIMIT: usize = 1024 * 1024;

/// A JSON body of at most `LIMIT` bytes. Unknown fields are rejected by name.
pub(crate) struct Json<T, const LIMIT: usize = BODY_LIMIT>(pub T);

/// A JSON body that may be empty.
pub(crate) struct OptionalJson<T, const LIMIT: usize = BODY_LIMIT>(pub T);

impl<T: DeserializeOwned, const LIMIT: usize> FromRequest<App> for Json<T, LIMIT> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> Result<Self, ApiError> {
        Ok(Self(parse(&read_json(request, app, LIMIT, true).await?)?))
    }
}

impl<T: DeserializeOwned + Default, const LIMIT: usize> FromRequest<App> for OptionalJson<T, LIMIT> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> Result<Self, ApiError> {
        let body = read_json(request, app, LIMIT, false).await?;
        Ok(Self(if body.is_empty() { T::default() } else { parse(&body)? }))
    }
}

/// Reads a whole body, of at most `limit` bytes, within the configured time.
pub(crate) async fn read_body(body: Body, app: &App, limit: usize) -> Result<bytes::Bytes> {
    tokio::time::timeout(app.settings.body_time, to_bytes(body, limit))
        .await
        .map_err(|_| Error::new(Code::BodyTooSlow, "The body did not arrive in time."))?
        .map_err(|_| {
            let detail = format!("The body is larger than {} MiB, or was interrupted.", limit / 1024 / 1024);
            Error::new(Code::PayloadTooLarge, detail)
        })
}

/// Reads a body that is declared as JSON.
async fn read_json(request: Request, app: &App, limit: usize, required: bool) -> Result<bytes::Bytes> {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let body = read_body(request.into_body(), app, limit).await?;
    if body.is_empty() && required {
        return Err(Error::new(Code::BodyMalformed, "The body is empty."));
    }
    if !body.is_empty() && !kind.as_deref().is_some_and(is_json) {
        return Err(Error::new(Code::UnsupportedMediaType, "The body is not declared as application/json."));
    }
    Ok(body)
}

/// Whether a media type is JSON.
fn is_json(kind: &str) -> bool {
    let essence = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

/// Parses JSON. Text that is not JSON is malformed; a value of another shape is rejected by field.
fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T> {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        let inner = error.into_inner();
        // serde reports a number in the place of an enum value as a syntax error.
        let is_json = || serde_json::from_slice::<serde_json::Value>(body).is_ok();
        if inner.is_data() || is_json() { shape_error(&path, &inner.to_string()) } else { malformed_body(&inner) }
    })?;
    deserializer.end().map_err(|error| malformed_body(&error))?;
    Ok(value)
}

fn malformed_body(error: &serde_json::Error) -> Error {
    let (line, column) = (error.line(), error.column());
    let text = error.to_string();
    let why = text.split(" at line ").next().unwrap_or_default();
    Error::new(Code::BodyMalformed, format!("The body is not JSON (line {line}, column {column}): {why}."))
        .caused_by(error.to_string())
}

/// The field and the reason in a message of serde.
pub(super) fn shape_error(path: &str, message: &str) -> Error {
    let message = message.split(" at line ").next().unwrap_or(message);
    let named = |prefix: &str| message.strip_prefix(prefix).and_then(|rest| rest.split('`').next());
    let parent = if path == "." { "" } else { path };
    let below = |name: &str| if parent.is_empty() { name.to_owned() } else { format!("{parent}.{name}") };
    if let Some(name) = named("unknown field `") {
        // The path may already end with the name of the unknown field.
        let field =
            if parent == name || parent.ends_with(&format!(".{name}")) { parent.to_owned() } else { below(name) };
        return Error::invalid_field(clean(&field), "is not a known field");
    }
    if let Some(name) = named("missing field `") {
        return Error::invalid_field(below(name), "is required");
    }
    if let Some(name) = named("duplicate field `") {
        return Error::invalid_field(below(name), "is sent twice");
    }
    let field = if parent.is_empty() { "body" } else { parent };
    Error::invalid_field(clean(field), clean(message))
}

fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).take(200).collect()
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use shared::identity::auth::Role;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only parsed")]
    struct Shape {
        number: i64,
        inner: Option<Inner>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only parsed")]
    struct Inner {
        text: String,
        word: Option<Role>,
    }

    fn refused(body: &str) -> (Code, String) {
        let error = parse::<Shape>(body.as_bytes()).unwrap_err();
        (error.code(), error.fields().first().map(|field| field.field.clone()).unwrap_or_default())
    }

    #[test]
    fn text_that_is_not_json_is_malformed_and_another_shape_is_rejected_by_field() {
        assert_eq!(refused("{").0, Code::BodyMalformed);
        assert_eq!(refused(r#"{"number": 1} x"#).0, Code::BodyMalformed);
        assert_eq!(refused(r#"{"number": 1, "inner": {"text": "\ud800"}}"#).0, Code::BodyMalformed);
        assert_eq!(refused(r#"{"number": "1"}"#), (Code::ValidationFailed, "number".to_owned()));
        assert_eq!(refused("{}"), (Code::ValidationFailed, "number".to_owned()));
        assert_eq!(refused(r#"{"number": 1, "nmber": 2}"#), (Code::ValidationFailed, "nmber".to_owned()));
        assert_eq!(refused(r#"{"number": 1, "inner": {"txt": 2}}"#), (Code::ValidationFailed, "inner.txt".to_owned()));
        assert_eq!(refused(r#"{"number": 1, "inner": {}}"#), (Code::ValidationFailed, "inner.text".to_owned()));
        for word in ["7", "[]", "true", "\"owner\""] {
            let body = format!(r#"{{"number": 1, "inner": {{"text": "", "word": {word}}}}}"#);
            assert_eq!(refused(&body), (Code::ValidationFailed, "inner.word".to_owned()), "{word}");
        }
        let twice = refused(r#"{"number": 1, "inner": null, "number": 2}"#);
        assert_eq!(twice, (Code::ValidationFailed, "number".to_owned()));
        assert_eq!(refused("[]"), (Code::ValidationFailed, "body".to_owned()));
    }
}

//! What handlers are given: who calls, ids, bodies and queries, each parsed once and refused with a problem.

use std::{marker::PhantomData, ops::Deref, str::FromStr, sync::Arc};

use axum::{
    body::{Body, to_bytes},
    extract::{FromRequest, FromRequestParts, RawPathParams, Request},
    http::{HeaderMap, header, request::Parts},
};
use serde::de::DeserializeOwned;
use shared::{
    agent::store::not_found,
    app::App,
    auth::{
        Caller as Person, Role, Scope,
        scope::Area,
        service::{AgentCaller, Call, Credentials, Identity, identify, require, require_scope},
    },
    error::{Code, Error, Result},
    external::MAX_RESULT,
    id::{AgentId, ArtifactId, SessionId},
};

use crate::problem::Failed;

/// The id under which a request is told of in every log line and problem: the caller's own, or one of ours.
#[derive(Clone)]
pub(crate) struct RequestText(pub Arc<str>);

/// The largest body of a request, in bytes.
pub const BODY_LIMIT: usize = 1024 * 1024;

/// The network address that a request came from.
#[derive(Clone)]
pub(crate) struct Address(pub Arc<str>);

/// A caller whose role is at least `R`, and whose scopes allow the area of the route. The signature of a handler says who
/// may call it.
pub(crate) struct Caller<R>(Person, PhantomData<R>);

/// A caller that also named its tenant, as requests that create must.
pub(crate) struct Creator<R>(Person, PhantomData<R>);

pub(crate) trait AtLeast {
    const ROLE: Role;
}

pub(crate) struct Viewer;
pub(crate) struct Member;
pub(crate) struct Lead;
pub(crate) struct Admin;

impl AtLeast for Viewer {
    const ROLE: Role = Role::Viewer;
}

impl AtLeast for Member {
    const ROLE: Role = Role::Member;
}

impl AtLeast for Lead {
    const ROLE: Role = Role::Lead;
}

impl AtLeast for Admin {
    const ROLE: Role = Role::Admin;
}

impl<R> Deref for Caller<R> {
    type Target = Person;

    fn deref(&self) -> &Person {
        &self.0
    }
}

impl<R> Deref for Creator<R> {
    type Target = Person;

    fn deref(&self) -> &Person {
        &self.0
    }
}

impl<R: AtLeast> FromRequestParts<App> for Caller<R> {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failed> {
        Ok(Self(allowed::<R>(parts, app).await?, PhantomData))
    }
}

impl<R: AtLeast> FromRequestParts<App> for Creator<R> {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failed> {
        let caller = allowed::<R>(parts, app).await?;
        if !parts.headers.contains_key("x-tenant-id") {
            return Err(
                Error::new(Code::TenantRequired, "This request creates something and must name its tenant.").into()
            );
        }
        Ok(Self(caller, PhantomData))
    }
}

async fn allowed<R: AtLeast>(parts: &Parts, app: &App) -> Result<Person> {
    let caller = match who(parts, app).await? {
        Identity::Caller(caller) => caller,
        Identity::Agent(_) => {
            return Err(Error::new(Code::Forbidden, "An agent's token reaches the endpoints of agents alone."));
        }
    };
    require(&caller, R::ROLE)?;
    if let Some(area) = Area::of_path(parts.uri.path()) {
        require_scope(&caller, Scope { area, write: !parts.method.is_safe() })?;
    }
    Ok(caller)
}

/// An agent that calls with the token of its registration. The path names the agent: another's is answered as an unknown one.
pub(crate) struct Agent(pub AgentCaller);

impl FromRequestParts<App> for Agent {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failed> {
        let caller = match who(parts, app).await? {
            Identity::Agent(caller) => caller,
            Identity::Caller(_) => {
                return Err(Error::new(Code::Forbidden, "This is for the agent itself, with its own token.").into());
            }
        };
        let named: AgentId = path(parts, app, "id", "is not a uuid").await?;
        if named == caller.agent_id { Ok(Self(caller)) } else { Err(not_found(named).into()) }
    }
}

/// Who sends a request; asked once, by whoever needs to know first.
pub(crate) async fn who(parts: &Parts, app: &App) -> Result<Identity> {
    if let Some(known) = parts.extensions.get::<Identity>() {
        return Ok(known.clone());
    }
    let request_id = parts.extensions.get::<RequestText>().map(|id| id.0.clone()).unwrap_or_default();
    let address = parts.extensions.get::<Address>().map(|address| address.0.clone());
    identify(app, credentials(&parts.headers)?, Call { request_id, address }).await
}

/// What the headers of a request say of who sends it.
pub(crate) fn credentials(headers: &HeaderMap) -> Result<Credentials<'_>> {
    let unreadable = |name: &str| Error::new(Code::Unauthenticated, format!("The {name} header cannot be read."));
    let authorization = text(headers, header::AUTHORIZATION.as_str()).map_err(|()| unreadable("Authorization"))?;
    let agent_token = text(headers, "x-agent-token").map_err(|()| unreadable("X-Agent-Token"))?;
    let tenant = text(headers, "x-tenant-id")
        .map_err(|()| Error::new(Code::TenantInvalid, "X-Tenant-ID is neither a uuid nor a slug."))?;
    Ok(Credentials { authorization, agent_token, tenant })
}

/// The one value of a header; an error when it is there twice or is not text.
fn text<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, ()> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(Some).map_err(|_| ()),
        (Some(_), Some(_)) => Err(()),
    }
}

/// The session that the path names.
pub(crate) struct Id(pub SessionId);

/// What the path names by its id.
pub(crate) struct Named<T>(pub T);

/// The session and the checkpoint that the path names.
pub(crate) struct CheckpointOf(pub SessionId, pub i32);

/// The session and the artifact that the path names.
pub(crate) struct ArtifactOf(pub SessionId, pub ArtifactId);

impl FromRequestParts<App> for Id {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failed> {
        Ok(Self(path(parts, app, "id", "is not a uuid").await?))
    }
}

impl<T: FromStr> FromRequestParts<App> for Named<T> {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failed> {
        Ok(Self(path(parts, app, "id", "is not a uuid").await?))
    }
}

impl FromRequestParts<App> for CheckpointOf {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failed> {
        let sequence: i32 = path(parts, app, "sequence", "is not the number of a checkpoint").await?;
        if sequence < 1 {
            return Err(Error::field("sequence", "is not the number of a checkpoint").into());
        }
        Ok(Self(path(parts, app, "id", "is not a uuid").await?, sequence))
    }
}

impl FromRequestParts<App> for ArtifactOf {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failed> {
        let artifact = path(parts, app, "artifact_id", "is not a uuid").await?;
        Ok(Self(path(parts, app, "id", "is not a uuid").await?, artifact))
    }
}

/// One part of the path.
pub(crate) async fn path<T: FromStr>(parts: &mut Parts, app: &App, name: &str, refusal: &str) -> Result<T> {
    let unreadable = || Error::field(name, refusal);
    let params = RawPathParams::from_request_parts(parts, app).await.map_err(|_| unreadable())?;
    let value = params.iter().find(|(known, _)| *known == name).map(|(_, value)| value.to_owned());
    value.and_then(|value| value.parse().ok()).ok_or_else(unreadable)
}

/// The body, as JSON of a known shape: unknown fields are refused and named.
pub(crate) struct Json<T>(pub T);

/// A body as large as the result of a task may be.
pub(crate) struct LargeJson<T>(pub T);

/// A body that may be left out.
pub(crate) struct OptionalJson<T>(pub T);

impl<T: DeserializeOwned> FromRequest<App> for Json<T> {
    type Rejection = Failed;

    async fn from_request(request: Request, app: &App) -> Result<Self, Failed> {
        Ok(Self(parse(&read(request, app, BODY_LIMIT, true).await?)?))
    }
}

impl<T: DeserializeOwned> FromRequest<App> for LargeJson<T> {
    type Rejection = Failed;

    async fn from_request(request: Request, app: &App) -> Result<Self, Failed> {
        Ok(Self(parse(&read(request, app, MAX_RESULT, true).await?)?))
    }
}

impl<T: DeserializeOwned + Default> FromRequest<App> for OptionalJson<T> {
    type Rejection = Failed;

    async fn from_request(request: Request, app: &App) -> Result<Self, Failed> {
        let body = read(request, app, BODY_LIMIT, false).await?;
        Ok(Self(if body.is_empty() { T::default() } else { parse(&body)? }))
    }
}

/// A whole body, of bounded size, within bounded time.
pub(crate) async fn whole(body: Body, app: &App, limit: usize) -> Result<bytes::Bytes> {
    tokio::time::timeout(app.settings.body_time, to_bytes(body, limit))
        .await
        .map_err(|_| Error::new(Code::BodyTooSlow, "The body did not come in time."))?
        .map_err(|_| {
            let detail = format!("The body is larger than {} MiB, or broke off.", limit / 1024 / 1024);
            Error::new(Code::PayloadTooLarge, detail)
        })
}

async fn read(request: Request, app: &App, limit: usize, required: bool) -> Result<bytes::Bytes> {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let body = whole(request.into_body(), app, limit).await?;
    if body.is_empty() && required {
        return Err(Error::new(Code::BodyMalformed, "The body is empty."));
    }
    let json = kind.as_deref().is_some_and(|kind| {
        let essence = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
    });
    if !body.is_empty() && !json {
        return Err(Error::new(Code::UnsupportedMediaType, "The body is not declared as application/json."));
    }
    Ok(body)
}

/// Reads JSON: what is no JSON is malformed, what has another shape is refused by field.
fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T> {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        let inner = error.into_inner();
        // A number where a word of a known set belongs is told as a fault of the syntax.
        let other_kind = || serde_json::from_slice::<serde_json::Value>(body).is_ok();
        if inner.is_data() || other_kind() { misshapen(&path, &inner.to_string()) } else { malformed(&inner) }
    })?;
    deserializer.end().map_err(|error| malformed(&error))?;
    Ok(value)
}

fn malformed(error: &serde_json::Error) -> Error {
    let (line, column) = (error.line(), error.column());
    Error::new(Code::BodyMalformed, format!("The body is not JSON (line {line}, column {column})."))
        .caused_by(error.to_string())
}

/// From serde's sentence to the field that it is about.
fn misshapen(path: &str, message: &str) -> Error {
    let message = message.split(" at line ").next().unwrap_or(message);
    let named = |prefix: &str| message.strip_prefix(prefix).and_then(|rest| rest.split('`').next());
    let parent = if path == "." { "" } else { path };
    let below = |name: &str| if parent.is_empty() { name.to_owned() } else { format!("{parent}.{name}") };
    if let Some(name) = named("unknown field `") {
        // The path of an unknown field may already end with its name.
        let field =
            if parent == name || parent.ends_with(&format!(".{name}")) { parent.to_owned() } else { below(name) };
        return Error::field(clean(&field), "is not a field that can be sent here");
    }
    if let Some(name) = named("missing field `") {
        return Error::field(below(name), "is required");
    }
    if let Some(name) = named("duplicate field `") {
        return Error::field(below(name), "is sent twice");
    }
    let field = if parent.is_empty() { "body" } else { parent };
    Error::field(clean(field), clean(message))
}

fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).take(200).collect()
}

/// The query, of a known shape: unknown parameters are refused and named.
pub(crate) struct Query<T>(pub T);

impl<T: DeserializeOwned> FromRequestParts<App> for Query<T> {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Failed> {
        let query = parts.uri.query().unwrap_or_default();
        let deserializer = serde_urlencoded::Deserializer::new(form_urlencoded::parse(query.as_bytes()));
        let value = serde_path_to_error::deserialize(deserializer).map_err(|error| {
            let path = error.path().to_string();
            misshapen(&path, &error.into_inner().to_string())
        });
        Ok(Self(value?))
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only whether it parses is asked")]
    struct Shape {
        number: i64,
        inner: Option<Inner>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only whether it parses is asked")]
    struct Inner {
        text: String,
        word: Option<Role>,
    }

    fn refused(body: &str) -> (Code, String) {
        let error = parse::<Shape>(body.as_bytes()).unwrap_err();
        (error.code(), error.fields().first().map(|field| field.field.clone()).unwrap_or_default())
    }

    #[test]
    fn what_is_no_json_is_malformed_and_what_has_another_shape_is_refused_by_field() {
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

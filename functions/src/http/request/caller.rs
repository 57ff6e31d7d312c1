//! The caller of a request. The signature of a handler says who may call it.

use std::{marker::PhantomData, ops::Deref, sync::Arc};

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, header, request::Parts},
};
use shared::{
    agents::{registry::service::not_found, runners},
    app::App,
    events::stream::ticket::redeem_ticket,
    identity::{
        self,
        auth::{
            AgentCaller, CallOrigin, Caller as AuthenticatedCaller, CallerIdentity, Credentials, EnrolmentCaller, Role,
            RunnerCaller, Scope, require_role, require_scope, scope::Area,
        },
    },
    kernel::{
        error::{Code, Error, Result},
        id::{AgentId, RunnerId},
    },
};

use crate::http::{problem::ApiError, request::path::path};

/// The id of a request in logs and problems: the caller's own or a new one.
#[derive(Clone)]
pub(crate) struct RequestText(pub Arc<str>);

/// The network address that a request came from.
#[derive(Clone)]
pub(crate) struct ClientAddress(pub Arc<str>);

/// A caller whose role is at least `R` and whose scopes include the area of the route.
pub(crate) struct Caller<R>(AuthenticatedCaller, PhantomData<R>);

/// The lowest role that may call a handler.
pub(crate) trait MinimumRole {
    const ROLE: Role;
}

pub(crate) struct Viewer;
pub(crate) struct Member;
pub(crate) struct Lead;
pub(crate) struct Admin;

impl MinimumRole for Viewer {
    const ROLE: Role = Role::Viewer;
}

impl MinimumRole for Member {
    const ROLE: Role = Role::Member;
}

impl MinimumRole for Lead {
    const ROLE: Role = Role::Lead;
}

impl MinimumRole for Admin {
    const ROLE: Role = Role::Admin;
}

impl<R> Deref for Caller<R> {
    type Target = AuthenticatedCaller;

    fn deref(&self) -> &AuthenticatedCaller {
        &self.0
    }
}

impl<R: MinimumRole> FromRequestParts<App> for Caller<R> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        Ok(Self(authorize::<R>(parts, app).await?, PhantomData))
    }
}

async fn authorize<R: MinimumRole>(parts: &Parts, app: &App) -> Result<AuthenticatedCaller> {
    let caller = identify_caller(parts, app).await?.into_caller()?;
    require_role(&caller, R::ROLE)?;
    require_scope_of_path(&caller, parts)?;
    Ok(caller)
}

/// Refuses a caller whose scopes do not include the area of the route.
fn require_scope_of_path(caller: &AuthenticatedCaller, parts: &Parts) -> Result<()> {
    match Area::of_path(parts.uri.path()) {
        Some(area) => require_scope(caller, Scope { area, write: !parts.method.is_safe() }),
        None => Ok(()),
    }
}

/// A viewer who may come with a ticket in the query, because a browser sends no headers with an event stream. The
/// ticket is what counts if a credential comes too.
pub(crate) struct StreamReader(AuthenticatedCaller);

impl Deref for StreamReader {
    type Target = AuthenticatedCaller;

    fn deref(&self) -> &AuthenticatedCaller {
        &self.0
    }
}

impl FromRequestParts<App> for StreamReader {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let query = parts.uri.query().unwrap_or_default();
        let ticket = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "ticket");
        let Some((_, ticket)) = ticket else { return Ok(Self(authorize::<Viewer>(parts, app).await?)) };
        let subscriber = Box::pin(redeem_ticket(app, &ticket)).await?;
        let request_id = parts.extensions.get::<RequestText>().map(|id| id.0.clone()).unwrap_or_default();
        let caller = AuthenticatedCaller { request_id, ..subscriber.to_caller()? };
        require_scope_of_path(&caller, parts)?;
        Ok(Self(caller))
    }
}

/// An agent with the token of its registration. The path names the agent; another agent counts as unknown.
pub(crate) struct Agent(pub AgentCaller);

impl FromRequestParts<App> for Agent {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let CallerIdentity::Agent(caller) = identify_caller(parts, app).await? else {
            let detail = "Only the agent itself may call this, with its token.";
            return Err(Error::new(Code::AgentTokenRequired, detail).into());
        };
        let named: AgentId = path(parts, app, "id", "is not a uuid").await?;
        if named == caller.agent_id { Ok(Self(caller)) } else { Err(not_found(named).into()) }
    }
}

/// An agent with the token of its registration, or a runner that works as an agent of its pool. The path names the
/// agent; another agent counts as unknown.
pub(crate) struct TaskAgent(pub AgentCaller);

impl FromRequestParts<App> for TaskAgent {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let CallerIdentity::Runner(runner) = identify_caller(parts, app).await? else {
            let Agent(caller) = Agent::from_request_parts(parts, app).await?;
            return Ok(Self(caller));
        };
        let named: AgentId = path(parts, app, "id", "is not a uuid").await?;
        Ok(Self(runner.as_agent(named).ok_or_else(|| not_found(named))?))
    }
}

/// A runner with its credential. The path names the runner; another runner counts as unknown.
pub(crate) struct Runner(pub RunnerCaller);

impl FromRequestParts<App> for Runner {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let CallerIdentity::Runner(caller) = identify_caller(parts, app).await? else {
            let detail = "Only the runner itself may call this, with its credential.";
            return Err(Error::new(Code::RunnerCredentialRequired, detail).into());
        };
        let named: RunnerId = path(parts, app, "id", "is not a uuid").await?;
        if named == caller.runner_id { Ok(Self(caller)) } else { Err(runners::not_found(named).into()) }
    }
}

/// A runner that registers: for the first time with an enrolment token, later with its credential.
pub(crate) enum RegisteringRunner {
    New(EnrolmentCaller),
    Known(RunnerCaller),
}

impl FromRequestParts<App> for RegisteringRunner {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        match identify_caller(parts, app).await? {
            CallerIdentity::Enrolment(caller) => Ok(Self::New(caller)),
            CallerIdentity::Runner(caller) => Ok(Self::Known(caller)),
            _ => {
                let detail = "A runner registers with an enrolment token.";
                Err(Error::new(Code::EnrolmentTokenRequired, detail).into())
            }
        }
    }
}

/// The sender of a request. The first layer that needs it identifies it, once.
pub(crate) async fn identify_caller(parts: &Parts, app: &App) -> Result<CallerIdentity> {
    if let Some(known) = parts.extensions.get::<CallerIdentity>() {
        return Ok(known.clone());
    }
    let request_id = parts.extensions.get::<RequestText>().map(|id| id.0.clone()).unwrap_or_default();
    let address = parts.extensions.get::<ClientAddress>().map(|address| address.0.clone());
    identity::auth::identify_caller(app, credentials(&parts.headers)?, CallOrigin { request_id, address }).await
}

/// The credentials in the headers of a request.
pub(crate) fn credentials(headers: &HeaderMap) -> Result<Credentials<'_>> {
    let unreadable = |name: &str| Error::new(Code::Unauthenticated, format!("The {name} header cannot be read."));
    let authorization =
        single_value(headers, header::AUTHORIZATION.as_str()).map_err(|()| unreadable("Authorization"))?;
    let agent_token = single_value(headers, "x-agent-token").map_err(|()| unreadable("X-Agent-Token"))?;
    let tenant = single_value(headers, "x-tenant-id")
        .map_err(|()| Error::new(Code::TenantInvalid, "X-Tenant-ID is neither a uuid nor a slug."))?;
    Ok(Credentials { authorization, agent_token, tenant })
}

/// The value of a header; an error if the header occurs twice or is not text.
fn single_value<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, ()> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(Some).map_err(|_| ()),
        (Some(_), Some(_)) => Err(()),
    }
}

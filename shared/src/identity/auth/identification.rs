//! Identifies the caller of a request by its credential: an API key, a token of an issuer, the token of an agent, the
//! credential of a runner, or a token with which runners enrol.

use crate::{
    identity::{services::IdentityServices, tenants::slug::is_slug},
    kernel::{
        error::{Code, Error, Result},
        id::{AgentTokenId, TenantId},
    },
};

use super::{
    Caller, Principal, Role,
    agent_caller::{AgentCaller, AgentCredential},
    caller::{
        CallOrigin, CallerIdentity, Credentials, VerifiedCredential, check_named_tenant, invalid_credential,
        tenant_inactive, unauthenticated_error,
    },
    key::{self, PresentedKey},
    oidc::{login, token},
    runner_credentials::{verify_enrolment_token, verify_runner_credential},
    store::TenantIdentity,
};

/// Authenticates a call and determines the tenant that it acts on.
pub async fn identify_caller(
    services: &IdentityServices,
    credentials: Credentials<'_>,
    call: CallOrigin,
) -> Result<CallerIdentity> {
    let text = presented_credential(credentials)?;
    if text.starts_with(key::RUNNER_PREFIX) {
        return verify_runner_credential(services, text, credentials.tenant, call).await.map(CallerIdentity::Runner);
    }
    if text.starts_with(key::ENROLMENT_PREFIX) {
        return verify_enrolment_token(services, text, credentials.tenant, call).await.map(CallerIdentity::Enrolment);
    }
    if credentials.agent_token.is_some() || text.starts_with(key::AGENT_PREFIX) {
        return verify_agent_token(services, text, credentials.tenant, call).await.map(CallerIdentity::Agent);
    }
    let known = if token::has_token_form(text) {
        Box::pin(login::authenticate_token(services, text, &call)).await?
    } else {
        verify_key(services, text).await?
    };
    let tenant = match credentials.tenant {
        None => None,
        Some(named) => resolve_tenant(services, &known, named).await?,
    };
    let (tenant_id, active) = tenant.map_or((known.tenant_id, known.tenant_active), |t| (t.id, t.is_active));
    if !known.tenant_active || !active {
        return Err(tenant_inactive());
    }
    Ok(CallerIdentity::Caller(Caller {
        tenant_id,
        home_tenant_id: known.tenant_id,
        role: known.role,
        scopes: known.scopes,
        principal: known.principal,
        valid_until: known.valid_until,
        request_id: call.request_id,
        address: call.address,
    }))
}

/// The one credential of a request.
fn presented_credential(credentials: Credentials<'_>) -> Result<&str> {
    match (credentials.authorization, credentials.agent_token) {
        (Some(_), Some(_)) => Err(unauthenticated_error("Two credentials were sent: Authorization and X-Agent-Token.")),
        (None, Some(token)) => Ok(token.trim()),
        (None, None) => Err(unauthenticated_error("No credential was sent.")),
        (Some(header), None) => match header.split_once(' ') {
            Some((scheme, text)) if scheme.eq_ignore_ascii_case("bearer") => Ok(text.trim()),
            _ => Err(unauthenticated_error("The Authorization header does not hold a Bearer credential.")),
        },
    }
}

async fn verify_key(services: &IdentityServices, text: &str) -> Result<VerifiedCredential> {
    let presented = PresentedKey::parse(text).ok_or_else(invalid_credential)?;
    let now = services.clock.now();
    let known = services.credentials.find_key(&services.db, presented.id).await?.ok_or_else(invalid_credential)?;
    let alive = known.revoked_at.is_none_or(|at| at > now) && known.expires_at.is_none_or(|at| at > now);
    let owner = known.owner.as_ref();
    if presented.environment != known.environment
        || !presented.matches(&services.pepper, &known.secret_hash)
        || !alive
        || !owner.is_none_or(|owner| owner.is_active)
    {
        return Err(invalid_credential());
    }
    services.credentials.record_key_use(&services.db, presented.id, &known, now).await;
    Ok(VerifiedCredential {
        tenant_id: known.tenant_id,
        tenant_slug: known.tenant_slug.clone(),
        tenant_active: known.tenant_active,
        role: owner.map_or(known.role, |owner| owner.role.min(known.role)),
        scopes: known.scopes.clone(),
        principal: Principal::Key {
            id: presented.id,
            name: known.name.clone(),
            user_id: owner.map(|owner| owner.id),
            expires_at: known.expires_at,
        },
        valid_until: None,
    })
}

async fn verify_agent_token(
    services: &IdentityServices,
    text: &str,
    tenant: Option<&str>,
    call: CallOrigin,
) -> Result<AgentCaller> {
    let presented = PresentedKey::parse_agent(text).ok_or_else(invalid_credential)?;
    let token_id = AgentTokenId(presented.id.0);
    let known = services.credentials.find_agent_token(&services.db, token_id).await?.ok_or_else(invalid_credential)?;
    let now = services.clock.now();
    if presented.environment != known.environment || !presented.matches(&services.pepper, &known.secret_hash) {
        return Err(invalid_credential());
    }
    if known.is_deregistered {
        return Err(Error::new(Code::AgentDeregistered, "The agent of this token was deregistered."));
    }
    if known.expires_at.is_some_and(|at| at <= now) {
        return Err(invalid_credential());
    }
    check_named_tenant(tenant, &known.tenant_slug, known.tenant_id)?;
    if !known.tenant_active {
        return Err(tenant_inactive());
    }
    Ok(AgentCaller {
        tenant_id: known.tenant_id,
        agent_id: known.agent_id,
        credential: AgentCredential::Token { id: token_id, is_new: !known.is_used },
        name: known.agent_name.clone(),
        request_id: call.request_id,
        address: call.address,
    })
}

/// The tenant that `X-Tenant-ID` names, which only an admin may choose; `None` if it is the caller's own.
async fn resolve_tenant(
    services: &IdentityServices,
    known: &VerifiedCredential,
    named: &str,
) -> Result<Option<TenantIdentity>> {
    let named = named.trim();
    let is_id = named.parse::<TenantId>().is_ok();
    if !is_id && !is_slug(named) {
        return Err(Error::new(Code::TenantInvalid, "X-Tenant-ID must be a uuid or a slug."));
    }
    let named = if is_id { named.to_ascii_lowercase() } else { named.to_owned() };
    if named == known.tenant_slug || named.parse() == Ok(known.tenant_id) {
        return Ok(None);
    }
    if known.role != Role::Admin {
        return Err(Error::new(Code::TenantMismatch, "X-Tenant-ID does not name the tenant of your credential."));
    }
    let tenant = services.credentials.find_tenant(&services.db, &named).await?;
    tenant.map(Some).ok_or_else(|| Error::new(Code::TenantNotFound, "There is no such tenant."))
}

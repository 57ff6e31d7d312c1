//! `POST /api-keys`: creates an API key with at most the rights of the caller.

use axum::extract::State;
use chrono::{DateTime, FixedOffset};
use serde::Deserialize;
use shared::{
    app::App,
    identity::auth::{
        Role,
        keys::{self, ApiKeyInput},
    },
    kernel::id::UserId,
};
use utoipa::ToSchema;

use crate::{
    api_keys::resource::CreatedApiKey,
    http::{
        problem::HandlerResult,
        query::double_option,
        request::{Caller, Json, Member},
        version::Created,
    },
};

/// An API key to be created.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewKey {
    /// The name of the key.
    #[schema(min_length = 1, max_length = 100)]
    name: String,
    /// The role of the key, at most that of the caller. Default: the role of the caller.
    role: Option<Role>,
    /// The scopes that the key is limited to, such as `sessions:read`. Default: the scopes of the caller.
    #[schema(max_items = 50)]
    #[serde(default)]
    scopes: Vec<String>,
    /// When the key expires: within five years, and not after the key that creates it. Default: with the key that
    /// creates it, or never.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<DateTime<FixedOffset>>,
    /// The user whose key it is. Default: the caller. Null makes a key of the tenant, which requires the role lead.
    #[serde(default, deserialize_with = "double_option")]
    #[schema(value_type = Option<uuid::Uuid>)]
    user_id: Option<Option<UserId>>,
}

/// Create an API key
///
/// Creates a key with at most the role and the scopes of the caller. The secret is shown only once. Requires the role
/// member.
#[utoipa::path(post, path = "/api/v1/api-keys", operation_id = "create_api_key", tag = "api-keys", request_body = NewKey,
    responses((status = 201, description = "The created key with its secret.", body = CreatedApiKey,
        headers(("Location" = String, description = "The URL of the created object.")))))]
pub(super) async fn create(
    State(app): State<App>,
    caller: Caller<Member>,
    Json(new): Json<NewKey>,
) -> HandlerResult<Created<CreatedApiKey>> {
    let input = ApiKeyInput {
        name: new.name,
        role: new.role,
        scopes: new.scopes,
        expires_at: new.expires_at.map(Into::into),
        user_id: new.user_id,
    };
    Ok(Created(keys::create(&app, &caller, input).await?.into()))
}

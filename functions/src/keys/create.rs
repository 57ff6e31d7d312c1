//! `POST /api-keys`: makes a key, never of more than the caller has.

use axum::extract::State;
use chrono::{DateTime, FixedOffset};
use serde::Deserialize;
use shared::{
    app::App,
    auth::{
        Role,
        keys::{self, Wanted},
    },
    id::UserId,
};
use utoipa::ToSchema;

use crate::{
    keys::NewlyMade,
    problem::{Answer, Problems},
    query::given,
    request::{Creator, Json, Member},
    version::Created,
};

/// A key to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewKey {
    #[schema(min_length = 1, max_length = 100)]
    name: String,
    /// At most the caller's, which it is when absent.
    role: Option<Role>,
    /// What it is narrowed to, such as `sessions:read`; within those of the caller, which it gets when absent.
    #[schema(max_items = 50)]
    #[serde(default)]
    scopes: Vec<String>,
    /// In the future, within 5 years; never when absent.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<DateTime<FixedOffset>>,
    /// Whose key it is: the caller's when absent; null = the tenant's own (lead and more).
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<uuid::Uuid>)]
    user_id: Option<Option<UserId>>,
}

#[utoipa::path(post, path = "/api/v1/api-keys", operation_id = "create_api_key", tag = "api-keys", request_body = NewKey,
    params(("X-Tenant-ID" = String, Header, description = "The caller's tenant: uuid or slug.")),
    responses((status = 201, description = "It was made; its secret is shown this once.", body = NewlyMade,
        headers(("Location" = String, description = "Its place."))), Problems))]
pub(super) async fn create(
    State(app): State<App>,
    caller: Creator<Member>,
    Json(new): Json<NewKey>,
) -> Answer<Created<NewlyMade>> {
    let wanted = Wanted {
        name: new.name,
        role: new.role,
        scopes: new.scopes,
        expires_at: new.expires_at.map(Into::into),
        user_id: new.user_id,
    };
    Ok(Created(keys::mint(&app, &caller, wanted).await?.into()))
}

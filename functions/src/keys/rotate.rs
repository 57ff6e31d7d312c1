//! `POST /api-keys/{id}/rotate`: makes a key in the place of another, which stays good for a while.

use axum::extract::State;
use serde::Deserialize;
use shared::{app::App, auth::keys, id::KeyId};
use utoipa::ToSchema;

use crate::{
    keys::NewlyMade,
    problem::{Answer, Problems},
    request::{Caller, Member, Named, OptionalJson},
    version::Created,
};

#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Rotation {
    /// How long the old key stays good; 86400 when absent.
    #[schema(minimum = 0, maximum = 604_800)]
    overlap_seconds: Option<i64>,
}

#[utoipa::path(post, path = "/api/v1/api-keys/{id}/rotate", operation_id = "rotate_api_key", tag = "api-keys",
    request_body = Option<Rotation>, params(("id" = uuid::Uuid, Path)),
    responses((status = 201, description = "The new key, of the same name, role, scopes and person; its secret is shown this once.",
        body = NewlyMade, headers(("Location" = String, description = "Its place."))), Problems))]
pub(super) async fn rotate(
    State(app): State<App>,
    caller: Caller<Member>,
    Named(id): Named<KeyId>,
    OptionalJson(rotation): OptionalJson<Rotation>,
) -> Answer<Created<NewlyMade>> {
    Ok(Created(keys::rotate(&app, &caller, id, rotation.overlap_seconds).await?.into()))
}

//! `POST /users`: makes a person.

use axum::extract::State;
use serde::Deserialize;
use shared::{
    app::App,
    auth::Role,
    user::{
        User,
        service::{self, NewUser as Wanted},
    },
};
use utoipa::ToSchema;

use crate::{
    problem::{Answer, Problems},
    request::{Creator, Json, Lead},
    version::Created,
};

/// A person to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewUser {
    /// Unique in the tenant; kept in lower case.
    #[schema(format = Email, max_length = 254)]
    email: String,
    #[schema(min_length = 1, max_length = 200)]
    full_name: String,
    /// A lead makes viewers and members, an admin everybody.
    role: Role,
}

#[utoipa::path(post, path = "/api/v1/users", operation_id = "create_user", tag = "users", request_body = NewUser,
    params(("X-Tenant-ID" = String, Header, description = "The caller's tenant: uuid or slug.")),
    responses((status = 201, description = "They were made.", body = User,
        headers(("Location" = String, description = "Their place."), ("ETag" = String, description = "Their version."))), Problems))]
pub(super) async fn create(
    State(app): State<App>,
    caller: Creator<Lead>,
    Json(new): Json<NewUser>,
) -> Answer<Created<User>> {
    let wanted = Wanted { email: new.email, full_name: new.full_name, role: new.role };
    Ok(Created(service::create(&app, &caller, wanted).await?))
}

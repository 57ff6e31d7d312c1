//! `POST /users`: creates a user.

use axum::extract::State;
use serde::Deserialize;
use shared::{
    app::App,
    identity::{
        auth::Role,
        users::{
            User,
            service::{self, UserInput},
        },
    },
};
use utoipa::ToSchema;

use crate::http::{
    problem::HandlerResult,
    request::{Caller, Json, Lead},
    version::Created,
};

/// A user to be created.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewUser {
    /// The e-mail address, unique in the tenant; stored in lower case.
    #[schema(format = Email, max_length = 254)]
    email: String,
    /// The full name.
    #[schema(min_length = 1, max_length = 200)]
    full_name: String,
    /// The role. A lead can create viewers and members, an admin all roles.
    role: Role,
}

/// Create a user
///
/// Creates a user of the caller's tenant. Requires the role lead.
#[utoipa::path(post, path = "/api/v1/users", operation_id = "create_user", tag = "users", request_body = NewUser,
    responses((status = 201, description = "The created user.", body = User,
        headers(("Location" = String, description = "The URL of the created object."), ("ETag" = String, description = "The version of the object.")))))]
pub(super) async fn create(
    State(app): State<App>,
    caller: Caller<Lead>,
    Json(new): Json<NewUser>,
) -> HandlerResult<Created<User>> {
    let wanted = UserInput { email: new.email, full_name: new.full_name, role: new.role };
    Ok(Created(service::create(&app, &caller, wanted).await?))
}

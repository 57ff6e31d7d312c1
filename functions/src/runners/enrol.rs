//! `POST /runners/enrolments`: creates a token with which runners enrol in a pool.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use shared::{
    agents::runners::{
        enrolment::{Enrolment, EnrolmentRequest, EnrolmentUses},
        enrolments,
    },
    app::App,
};
use utoipa::ToSchema;

use crate::http::{
    problem::HandlerResult,
    request::{Caller, Json, Lead},
    version::{Created, Versioned},
};

/// An enrolment to be created.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewEnrolment {
    /// The pool that runners join. It comes into being with its first runner.
    #[schema(pattern = "^[a-z0-9][a-z0-9-]{0,39}$")]
    pool: String,
    /// How many runners may enrol with the token. Default: `one`.
    uses: Option<EnrolmentUses>,
    /// For how long the token is valid. Default: 3600.
    #[schema(minimum = 1, maximum = 3600)]
    expires_in_seconds: Option<i64>,
}

/// An enrolment that was created, with its token.
#[derive(Serialize, ToSchema)]
pub(super) struct CreatedEnrolment {
    #[serde(flatten)]
    enrolment: Enrolment,
    /// The token that a runner sends as `Authorization: Bearer <token>` to register. It is shown only once.
    token: String,
}

impl Versioned for CreatedEnrolment {
    fn location(&self) -> String {
        format!("/api/v1/runners/enrolments/{}", self.enrolment.id)
    }

    fn version(&self) -> Option<i64> {
        None
    }

    fn has_secret(&self) -> bool {
        true
    }
}

/// Create an enrolment
///
/// Creates a token with which one runner, or any number of them, enrol in a pool. The token is shown only once.
/// Requires the role lead.
#[utoipa::path(post, path = "/api/v1/runners/enrolments", operation_id = "create_runner_enrolment", tag = "runners",
    request_body = NewEnrolment,
    responses((status = 201, description = "The enrolment with its token.", body = CreatedEnrolment,
        headers(("Location" = String, description = "The URL of the created object.")))))]
pub(super) async fn enrol(
    State(app): State<App>,
    caller: Caller<Lead>,
    Json(new): Json<NewEnrolment>,
) -> HandlerResult<Created<CreatedEnrolment>> {
    let request = EnrolmentRequest::parse(new.pool, new.uses, new.expires_in_seconds)?;
    let (enrolment, token) = enrolments::create(&app, &caller, request).await?;
    Ok(Created(CreatedEnrolment { enrolment, token }))
}

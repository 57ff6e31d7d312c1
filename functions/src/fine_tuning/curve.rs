//! `GET /fine-tuning/jobs/{id}/curve`: the loss by training step.

use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use shared::{
    app::App,
    kernel::{error::ValidationErrors, id::TrainingJobId},
    training::{jobs::service, trainers::Point},
};
use utoipa::{IntoParams, ToSchema};

use crate::http::{
    problem::HandlerResult,
    query::parse_one,
    request::{Caller, PathId, Query, Viewer},
};

/// How many points are shown when nothing is said, and at most.
const POINTS: i64 = 500;
const MOST_POINTS: i64 = 2000;

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct CurveQuery {
    /// The number of the attempt. Default: the last one.
    #[param(value_type = Option<i32>, minimum = 1)]
    attempt: Option<String>,
    /// The largest number of points. Default: 500.
    #[param(value_type = Option<i64>, minimum = 2, maximum = 2000)]
    points: Option<String>,
}

/// The training curve of an attempt.
#[derive(Serialize, ToSchema)]
pub(super) struct Curve {
    /// The number of the attempt.
    attempt: i32,
    /// The points, ordered by step.
    items: Vec<Point>,
    /// The number of all points, including those that are left out.
    total: i64,
}

/// Get a training curve
///
/// Returns the losses of one attempt of a job by step. If there are more points than requested, they are spread
/// evenly.
#[utoipa::path(get, path = "/api/v1/fine-tuning/jobs/{id}/curve", operation_id = "get_training_curve", tag = "fine-tuning", params(("id" = uuid::Uuid, Path, description = "The id of the training job."), CurveQuery),
    responses((status = 200, description = "The curve so far.", body = Curve)))]
pub(super) async fn curve(
    State(app): State<App>,
    caller: Caller<Viewer>,
    PathId(id): PathId<TrainingJobId>,
    Query(query): Query<CurveQuery>,
) -> HandlerResult<Json<Curve>> {
    let mut refused = ValidationErrors::default();
    let attempt = parse_one(&mut refused, "attempt", query.attempt, "is not the number of an attempt");
    let points = parse_one(&mut refused, "points", query.points, "must be 2 to 2000").unwrap_or(POINTS);
    if !(2..=MOST_POINTS).contains(&points) {
        refused.add("points", "must be 2 to 2000");
    }
    refused.into_result()?;
    let (attempt, stretch) = service::get_curve(&app, &caller, id, attempt, points).await?;
    Ok(Json(Curve { attempt, items: stretch.points, total: stretch.total }))
}

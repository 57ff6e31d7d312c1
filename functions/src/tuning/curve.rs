//! `GET /fine-tuning/jobs/{id}/curve`: how the loss went.

use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use shared::{app::App, error::Refusals, id::TrainingJobId, trainer::Point, tuning::service};
use utoipa::{IntoParams, ToSchema};

use crate::{
    problem::{Answer, Problems},
    query::one,
    request::{Caller, Named, Query, Viewer},
};

/// How many points are shown when nothing is said, and at most.
const POINTS: i64 = 500;
const MOST_POINTS: i64 = 2000;

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct CurveQuery {
    /// The last one when absent.
    #[param(value_type = Option<i32>, minimum = 1)]
    attempt: Option<String>,
    /// How many points at most, 500 when absent; where there are more they are spread evenly.
    #[param(value_type = Option<i64>, minimum = 2, maximum = 2000)]
    points: Option<String>,
}

/// The curve of an attempt.
#[derive(Serialize, ToSchema)]
pub(super) struct Curve {
    attempt: i32,
    /// By step.
    items: Vec<Point>,
    /// How many points there are, shown or not.
    total: i64,
}

#[utoipa::path(get, path = "/api/v1/fine-tuning/jobs/{id}/curve", operation_id = "get_training_curve", tag = "fine-tuning", params(("id" = uuid::Uuid, Path), CurveQuery),
    responses((status = 200, description = "The curve so far.", body = Curve), Problems))]
pub(super) async fn curve(
    State(app): State<App>,
    caller: Caller<Viewer>,
    Named(id): Named<TrainingJobId>,
    Query(query): Query<CurveQuery>,
) -> Answer<Json<Curve>> {
    let mut refused = Refusals::default();
    let attempt = one(&mut refused, "attempt", query.attempt, "is not the number of an attempt");
    let points = one(&mut refused, "points", query.points, "must be 2 to 2000").unwrap_or(POINTS);
    if !(2..=MOST_POINTS).contains(&points) {
        refused.add("points", "must be 2 to 2000");
    }
    refused.finish()?;
    let (attempt, stretch) = service::curve(&app, &caller, id, attempt, points).await?;
    Ok(Json(Curve { attempt, items: stretch.points, total: stretch.total }))
}

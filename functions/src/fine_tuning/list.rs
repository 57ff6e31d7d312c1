//! `GET /fine-tuning/jobs`: the tenant's training jobs, newest first.

use axum::{Json, extract::State};
use serde::Deserialize;
use shared::{
    app::App,
    kernel::error::{Result, ValidationErrors},
    training::{
        jobs::{service, status::TrainingStatus, store::TrainingJobFilter},
        trainers::Provider,
    },
};
use utoipa::IntoParams;

use crate::{
    fine_tuning::view::TrainingJobView,
    http::{
        problem::HandlerResult,
        query::{parse_fragment, parse_limit, parse_list, parse_one},
        request::{Caller, Query, Viewer},
        response::Items,
    },
};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct JobsQuery {
    /// Only these statuses, separated by commas.
    status: Option<String>,
    /// Only these providers, separated by commas.
    provider: Option<String>,
    /// A part of the id, the base model or the name of the target model.
    #[param(max_length = 200)]
    q: Option<String>,
    /// The largest number of items in the page. Default: 50.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 200)]
    limit: Option<String>,
    /// The `next_cursor` of the previous page.
    #[param(format = Uuid)]
    cursor: Option<String>,
}

/// List training jobs
///
/// Returns the training jobs of the tenant, newest first.
#[utoipa::path(get, path = "/api/v1/fine-tuning/jobs", operation_id = "list_training_jobs", tag = "fine-tuning", params(JobsQuery),
    responses((status = 200, description = "A page of jobs.", body = Items<TrainingJobView>)))]
pub(super) async fn list(
    State(app): State<App>,
    caller: Caller<Viewer>,
    Query(query): Query<JobsQuery>,
) -> HandlerResult<Json<Items<TrainingJobView>>> {
    let mut refusals = ValidationErrors::default();
    let refused = &mut refusals;
    let filter = TrainingJobFilter {
        status: parse_list(refused, "status", query.status.as_deref(), |word| {
            TrainingStatus::parse(word).map(TrainingStatus::name)
        }),
        provider: parse_list(refused, "provider", query.provider.as_deref(), |word| {
            Provider::parse_name(word).map(Provider::name)
        }),
        q: parse_fragment(refused, query.q),
    };
    let limit = parse_limit(refused, query.limit);
    let before = parse_one(refused, "cursor", query.cursor, "is not a cursor of this list");
    refusals.into_result()?;
    let found = service::list(&app, &caller, &filter, before, limit + 1).await?;
    let views =
        found.into_iter().map(|job| TrainingJobView::of(&app, job)).collect::<Result<Vec<TrainingJobView>>>()?;
    Ok(Json(Items::page(views, limit, |last| last.id.to_string())))
}

//! `GET /fine-tuning/jobs`: the tenant's training jobs, newest first.

use axum::{Json, extract::State};
use serde::Deserialize;
use shared::{
    app::App,
    error::{Refusals, Result},
    trainer::Provider,
    tuning::{service, status::Status, store::Filter},
};
use utoipa::IntoParams;

use crate::{
    problem::{Answer, Problems},
    query::{fragment, limit, one, words},
    reply::Items,
    request::{Caller, Query, Viewer},
    tuning::view::TrainingJobView,
};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct JobsQuery {
    /// One or more states, separated by commas.
    status: Option<String>,
    /// One or more providers, separated by commas.
    provider: Option<String>,
    /// A fragment of the id, the base model or the target model's name.
    #[param(max_length = 200)]
    q: Option<String>,
    /// How many at most, 50 when absent.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 200)]
    limit: Option<String>,
    /// `next_cursor` of the page before.
    #[param(format = Uuid)]
    cursor: Option<String>,
}

#[utoipa::path(get, path = "/api/v1/fine-tuning/jobs", operation_id = "list_training_jobs", tag = "fine-tuning", params(JobsQuery),
    responses((status = 200, description = "A page of them.", body = Items<TrainingJobView>), Problems))]
pub(super) async fn list(
    State(app): State<App>,
    caller: Caller<Viewer>,
    Query(query): Query<JobsQuery>,
) -> Answer<Json<Items<TrainingJobView>>> {
    let mut refusals = Refusals::default();
    let refused = &mut refusals;
    let filter = Filter {
        status: words(refused, "status", query.status.as_deref(), |word| Status::parse(word).map(Status::name)),
        provider: words(refused, "provider", query.provider.as_deref(), |word| Provider::of(word).map(Provider::name)),
        q: fragment(refused, query.q),
    };
    let limit = limit(refused, query.limit);
    let before = one(refused, "cursor", query.cursor, "is not a cursor of this list");
    refusals.finish()?;
    let found = service::list(&app, &caller, &filter, before, limit + 1).await?;
    let views =
        found.into_iter().map(|job| TrainingJobView::of(&app, job)).collect::<Result<Vec<TrainingJobView>>>()?;
    Ok(Json(Items::page(views, limit, |last| last.id.to_string())))
}

//! `POST /runners/{id}/heartbeat`: a runner reports its state and its tasks, and learns what it is to do.

use axum::{Json as JsonResponse, extract::State};
use serde::Serialize;
use shared::{
    agents::runners::{
        heartbeat::{NewHeartbeat, RunnerCommand, RunnerHeartbeat},
        service,
    },
    app::App,
};
use utoipa::ToSchema;

use crate::http::{
    problem::HandlerResult,
    request::{Json, Runner},
};

/// The answer to a heartbeat of a runner.
#[derive(Serialize, ToSchema)]
pub(super) struct RunnerCommands {
    /// What the runner is to do. A command is repeated until the runner reports the state that follows.
    commands: Vec<RunnerCommand>,
}

/// Send a heartbeat of a runner
///
/// Reports that the runner is alive, with its state and its tasks. A runner that sends none for four intervals counts
/// as offline.
#[utoipa::path(post, path = "/api/v1/runners/{id}/heartbeat", operation_id = "heartbeat_runner", tag = "runners",
    request_body = NewHeartbeat, params(("id" = uuid::Uuid, Path, description = "The id of the runner.")),
    security(("runner_credential" = [])),
    responses((status = 200, description = "What the runner is to do.", body = RunnerCommands)))]
pub(super) async fn heartbeat(
    State(app): State<App>,
    Runner(runner): Runner,
    Json(heartbeat): Json<NewHeartbeat>,
) -> HandlerResult<JsonResponse<RunnerCommands>> {
    let heartbeat = RunnerHeartbeat::parse(heartbeat)?;
    let commands = service::record_heartbeat(&app, &runner, &heartbeat).await?;
    Ok(JsonResponse(RunnerCommands { commands }))
}

//! Liveness, readiness, and the documentation of the API. No credential is required.

mod docs;
mod live;
mod ready;

use axum::Extension;
use shared::app::App;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(crate) use docs::documentation;

use self::ready::LastReadiness;

/// `/health` and `/ready`.
pub fn routes() -> OpenApiRouter<App> {
    live::start_clock();
    OpenApiRouter::new().routes(routes!(live::health)).routes(routes!(ready::ready))
}

/// What `/ready` remembers. Each service has its own.
pub(crate) fn readiness_layer() -> Extension<LastReadiness> {
    Extension(LastReadiness::default())
}

/// Sets the revision that this process was built from. Only the first call has an effect.
pub fn set_commit(commit: &str) {
    live::COMMIT.get_or_init(|| commit.to_owned());
}

//! Liveness, readiness, and the documentation of the API. No credential is required.

mod docs;
mod live;
mod ready;

use axum::Extension;
use shared::app::App;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(crate) use docs::documentation;

/// `/health` and `/ready`.
pub fn routes() -> OpenApiRouter<App> {
    live::start_clock();
    let ready = OpenApiRouter::new().routes(routes!(ready::ready)).layer(Extension(ready::LastReadiness::default()));
    OpenApiRouter::new().routes(routes!(live::health)).merge(ready)
}

/// Sets the revision that this process was built from. Only the first call has an effect.
pub fn set_commit(commit: &str) {
    live::COMMIT.get_or_init(|| commit.to_owned());
}

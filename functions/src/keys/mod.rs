//! API keys.

mod create;
mod delete;
mod get;
mod list;
mod rotate;

use serde::Serialize;
use shared::{
    app::App,
    auth::{key::ApiKey, keys::Shown},
};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::version::Object;

/// Everything under `/api/v1/api-keys`.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(create::create, list::list))
        .routes(routes!(get::get, delete::delete))
        .routes(routes!(rotate::rotate))
}

/// A key that was just made.
#[derive(Serialize, ToSchema)]
struct NewlyMade {
    #[serde(flatten)]
    key: ApiKey,
    /// What is sent as `Authorization: Bearer <secret>`. It is shown this once and kept nowhere.
    secret: String,
}

impl From<Shown> for NewlyMade {
    fn from(shown: Shown) -> Self {
        Self { key: shown.key, secret: shown.secret }
    }
}

impl Object for NewlyMade {
    fn place(&self) -> String {
        self.key.place()
    }

    fn version(&self) -> Option<i64> {
        None
    }
}

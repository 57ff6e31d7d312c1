//! The URL of an API key, and a created key with its secret.

use serde::Serialize;
use shared::identity::auth::{key::ApiKey, keys::CreatedKey};
use utoipa::ToSchema;

use crate::http::version::Versioned;

/// An API key that was created, with its secret.
#[derive(Serialize, ToSchema)]
pub(super) struct CreatedApiKey {
    #[serde(flatten)]
    key: ApiKey,
    /// The secret, to be sent as `Authorization: Bearer <secret>`. It is shown only once and not stored.
    secret: String,
}

impl From<CreatedKey> for CreatedApiKey {
    fn from(created: CreatedKey) -> Self {
        Self { key: created.key, secret: created.secret }
    }
}

impl Versioned for ApiKey {
    fn location(&self) -> String {
        format!("/api/v1/api-keys/{}", self.id)
    }

    fn version(&self) -> Option<i64> {
        None
    }
}

impl Versioned for CreatedApiKey {
    fn location(&self) -> String {
        self.key.location()
    }

    fn version(&self) -> Option<i64> {
        None
    }

    fn has_secret(&self) -> bool {
        true
    }
}

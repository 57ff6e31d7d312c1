//! The representation of an environment and of its versions.

use serde::Serialize;
use shared::{
    agents::environments::{Environment, EnvironmentVersion, spec::EnvironmentSpec},
    kernel::{actor::Actor, clock::Time, id::EnvironmentId},
};
use utoipa::ToSchema;

use crate::http::version::Versioned;

/// An environment at its newest version.
#[derive(Serialize, ToSchema)]
#[schema(as = Environment)]
pub(super) struct EnvironmentView {
    /// The id of the environment.
    pub(super) id: EnvironmentId,
    /// The name of the environment, unique in the tenant.
    name: String,
    /// Whether sessions that name no environment work in this one.
    is_default: bool,
    #[serde(flatten)]
    spec: EnvironmentSpec,
    /// The version of the environment, which is also its `ETag`.
    version: i32,
    /// The actor that created the environment.
    created_by: Actor,
    /// When the environment was created.
    #[schema(value_type = String, format = DateTime)]
    created_at: Time,
    /// When the environment was last changed.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Time,
}

/// One version of an environment.
#[derive(Serialize, ToSchema)]
#[schema(as = EnvironmentVersion)]
pub(super) struct EnvironmentVersionView {
    /// The number of the version.
    pub(super) version: i32,
    /// The name that the environment had.
    name: String,
    #[serde(flatten)]
    spec: EnvironmentSpec,
    /// The actor that created the version.
    created_by: Actor,
    /// When the version was created.
    #[schema(value_type = String, format = DateTime)]
    created_at: Time,
}

impl From<Environment> for EnvironmentView {
    fn from(one: Environment) -> Self {
        let Environment { id, name, is_default, spec, version, created_by, created_at, updated_at } = one;
        Self { id, name, is_default, spec, version, created_by, created_at, updated_at }
    }
}

impl From<EnvironmentVersion> for EnvironmentVersionView {
    fn from(one: EnvironmentVersion) -> Self {
        let EnvironmentVersion { version, name, spec, created_by, created_at } = one;
        Self { version, name, spec, created_by, created_at }
    }
}

impl Versioned for EnvironmentView {
    fn location(&self) -> String {
        format!("/api/v1/environments/{}", self.id)
    }

    fn version(&self) -> Option<i64> {
        Some(self.version.into())
    }
}

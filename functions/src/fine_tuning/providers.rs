//! `/fine-tuning/providers`: the tenant's settings of training providers. Keys are never returned.

use axum::{
    Json as JsonResponse,
    extract::{FromRequestParts, State},
    http::{StatusCode, request::Parts},
};
use serde::{Deserialize, Serialize};
use shared::{
    app::App,
    kernel::{actor::Actor, clock::Time, error::Error},
    training::{
        jobs::provider::{self, ProviderDetails, ProviderInput},
        trainers::Provider,
    },
};
use utoipa::ToSchema;

use crate::http::{
    problem::{ApiError, HandlerResult},
    query::double_option,
    request::{Caller, Json, Lead, Viewer, path},
    response::Items,
};

/// A training provider and the tenant's settings for it.
#[derive(Serialize, ToSchema)]
#[schema(as = TrainingProvider)]
pub(super) struct ProviderView {
    /// The provider.
    provider: Provider,
    /// Whether jobs may use the provider on this host.
    offered: bool,
    /// The URL of the provider's API; null means that of the provider.
    base_url: Option<String>,
    /// Whether an API key is stored.
    api_key_set: bool,
    /// The actor that last changed the settings; null if nobody did.
    updated_by: Option<Actor>,
    /// When the settings were last changed; null if they never were.
    #[schema(value_type = Option<String>, format = DateTime)]
    updated_at: Option<Time>,
}

impl From<ProviderDetails> for ProviderView {
    fn from(shown: ProviderDetails) -> Self {
        let (updated_by, updated_at) = shown.updated.unzip();
        Self {
            provider: shown.provider,
            offered: shown.offered,
            base_url: shown.base_url,
            api_key_set: shown.api_key_set,
            updated_by,
            updated_at,
        }
    }
}

/// The settings of a training provider.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ProviderSettings {
    /// The URL of the provider's API. Default: that of the provider.
    #[schema(max_length = 2000)]
    base_url: Option<String>,
    /// The API key, stored encrypted and never returned. If absent, the stored key stays valid for the `base_url`
    /// that it was set with; null removes it.
    #[serde(default, deserialize_with = "double_option")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 1000, write_only)]
    api_key: Option<Option<String>>,
}

/// The provider that the path names.
pub(super) struct Of(Provider);

impl FromRequestParts<App> for Of {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let unknown = "is not a provider; one of: simulated, openai, aws, command";
        let name: String = path(parts, app, "provider", unknown).await?;
        Ok(Self(Provider::parse_name(&name).ok_or_else(|| Error::invalid_field("provider", unknown))?))
    }
}

/// List training providers
///
/// Returns all training providers with the settings of the tenant. API keys are not shown.
#[utoipa::path(get, path = "/api/v1/fine-tuning/providers", operation_id = "list_training_providers", tag = "fine-tuning",
    responses((status = 200, description = "The providers.", body = Items<ProviderView>)))]
pub(super) async fn list(
    State(app): State<App>,
    caller: Caller<Viewer>,
) -> HandlerResult<JsonResponse<Items<ProviderView>>> {
    let all = provider::list(&app, &caller).await?;
    Ok(JsonResponse(Items::all(all.into_iter().map(ProviderView::from).collect())))
}

/// Get a training provider
///
/// Returns one training provider with the settings of the tenant. The API key is not shown.
#[utoipa::path(get, path = "/api/v1/fine-tuning/providers/{provider}", operation_id = "get_training_provider", tag = "fine-tuning",
    params(("provider" = Provider, Path, description = "The provider.")),
    responses((status = 200, description = "The provider.", body = ProviderView)))]
pub(super) async fn get(
    State(app): State<App>,
    caller: Caller<Viewer>,
    Of(provider): Of,
) -> HandlerResult<JsonResponse<ProviderView>> {
    Ok(JsonResponse(provider::get(&app, &caller, provider).await?.into()))
}

/// Set a training provider
///
/// Sets the tenant's URL and API key for a provider, which apply from the next call on. Requires the role lead.
#[utoipa::path(put, path = "/api/v1/fine-tuning/providers/{provider}", operation_id = "put_training_provider", tag = "fine-tuning",
    params(("provider" = Provider, Path, description = "The provider.")), request_body = ProviderSettings,
    responses((status = 200, description = "The provider with its settings.", body = ProviderView)))]
pub(super) async fn put(
    State(app): State<App>,
    caller: Caller<Lead>,
    Of(provider): Of,
    Json(sent): Json<ProviderSettings>,
) -> HandlerResult<JsonResponse<ProviderView>> {
    let raw = ProviderInput { base_url: sent.base_url, api_key: sent.api_key };
    Ok(JsonResponse(provider::put_provider(&app, &caller, provider, raw).await?.into()))
}

/// Delete the settings of a training provider
///
/// Removes the tenant's URL and API key for a provider. Requires the role lead.
#[utoipa::path(delete, path = "/api/v1/fine-tuning/providers/{provider}", operation_id = "delete_training_provider", tag = "fine-tuning",
    params(("provider" = Provider, Path, description = "The provider.")),
    responses((status = 204, description = "The settings were removed.")))]
pub(super) async fn delete(
    State(app): State<App>,
    caller: Caller<Lead>,
    Of(provider): Of,
) -> HandlerResult<StatusCode> {
    provider::delete(&app, &caller, provider).await?;
    Ok(StatusCode::NO_CONTENT)
}

//! `/fine-tuning/providers`: what the tenant set for who trains: where it answers, and the key for it, which is never shown.

use axum::{
    Json as Plain,
    extract::{FromRequestParts, State},
    http::{StatusCode, request::Parts},
};
use serde::{Deserialize, Serialize};
use shared::{
    app::App,
    auth::Actor,
    clock::Time,
    error::Error,
    trainer::Provider,
    tuning::provider::{self, Raw, Shown},
};
use utoipa::ToSchema;

use crate::{
    problem::{Answer, Failed, Problems},
    query::given,
    reply::Items,
    request::{Caller, Json, Lead, Viewer, path},
};

/// A provider of training, and what the tenant set for it.
#[derive(Serialize, ToSchema)]
#[schema(as = TrainingProvider)]
pub(super) struct ProviderView {
    provider: Provider,
    /// Whether jobs may name it here.
    offered: bool,
    /// The provider's own when null.
    base_url: Option<String>,
    /// Whether there is a key; which one is never shown.
    api_key_set: bool,
    updated_by: Option<Actor>,
    #[schema(value_type = Option<String>, format = DateTime)]
    updated_at: Option<Time>,
}

impl From<Shown> for ProviderView {
    fn from(shown: Shown) -> Self {
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

/// What is to hold for a provider.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ProviderSettings {
    /// The provider's own when absent.
    #[schema(max_length = 2000)]
    base_url: Option<String>,
    /// It is kept sealed and never answered. Absent: the kept one stays, for the `base_url` that it was sent with. Null: there
    /// is none any more.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 1000, write_only)]
    api_key: Option<Option<String>>,
}

/// The provider that the path names.
pub(super) struct Of(Provider);

impl FromRequestParts<App> for Of {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failed> {
        let unknown = "is not a provider; one of: simulated, openai, aws, command";
        let name: String = path(parts, app, "provider", unknown).await?;
        Ok(Self(Provider::of(&name).ok_or_else(|| Error::field("provider", unknown))?))
    }
}

#[utoipa::path(get, path = "/api/v1/fine-tuning/providers", operation_id = "list_training_providers", tag = "fine-tuning",
    responses((status = 200, description = "Every provider.", body = Items<ProviderView>), Problems))]
pub(super) async fn list(State(app): State<App>, caller: Caller<Viewer>) -> Answer<Plain<Items<ProviderView>>> {
    let all = provider::list(&app, &caller).await?;
    Ok(Plain(Items::all(all.into_iter().map(ProviderView::from).collect())))
}

#[utoipa::path(get, path = "/api/v1/fine-tuning/providers/{provider}", operation_id = "get_training_provider", tag = "fine-tuning",
    params(("provider" = Provider, Path)),
    responses((status = 200, description = "The provider.", body = ProviderView), Problems))]
pub(super) async fn get(
    State(app): State<App>,
    caller: Caller<Viewer>,
    Of(provider): Of,
) -> Answer<Plain<ProviderView>> {
    Ok(Plain(provider::get(&app, &caller, provider).await?.into()))
}

#[utoipa::path(put, path = "/api/v1/fine-tuning/providers/{provider}", operation_id = "put_training_provider", tag = "fine-tuning",
    params(("provider" = Provider, Path)), request_body = ProviderSettings,
    responses((status = 200, description = "It holds from the next call on.", body = ProviderView), Problems))]
pub(super) async fn put(
    State(app): State<App>,
    caller: Caller<Lead>,
    Of(provider): Of,
    Json(sent): Json<ProviderSettings>,
) -> Answer<Plain<ProviderView>> {
    let raw = Raw { base_url: sent.base_url, api_key: sent.api_key };
    Ok(Plain(provider::put(&app, &caller, provider, raw).await?.into()))
}

#[utoipa::path(delete, path = "/api/v1/fine-tuning/providers/{provider}", operation_id = "delete_training_provider", tag = "fine-tuning",
    params(("provider" = Provider, Path)),
    responses((status = 204, description = "Nothing is set for it any more."), Problems))]
pub(super) async fn delete(State(app): State<App>, caller: Caller<Lead>, Of(provider): Of) -> Answer<StatusCode> {
    provider::delete(&app, &caller, provider).await?;
    Ok(StatusCode::NO_CONTENT)
}

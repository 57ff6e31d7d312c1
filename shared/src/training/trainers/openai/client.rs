//! The HTTP calls: with the tenant's own key, through the outbound guard, each with a timeout.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, TryStreamExt};
use reqwest::{
    Body, Method, RequestBuilder, StatusCode, Url,
    multipart::{Form, Part},
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{
    kernel::failure::{Category, Failure},
    platform::http_client::Outbound,
    training::trainers::{
        TrainerConnection,
        trouble::{ProviderResponse, provider_failure, refused_failure, send_request},
    },
};

use super::{
    settings::OpenaiSettings,
    wire::{File, ListedObject, OpenaiCheckpoint, OpenaiEvent, OpenaiJob, OpenaiPage, OpenaiRefusal},
};

/// The default base URL.
const BASE_URL: &str = "https://api.openai.com/v1";

/// The most pages of a list that are read.
const MOST_PAGES: usize = 50;

pub(super) struct OpenaiClient<'a> {
    outbound: &'a Outbound,
    base: Url,
    key: &'a str,
    call_time: Duration,
    upload_time: Duration,
}

impl<'a> OpenaiClient<'a> {
    pub(super) fn new(
        outbound: &'a Outbound,
        settings: &OpenaiSettings,
        connection: &'a TrainerConnection,
    ) -> Result<Self, Failure> {
        let text = connection.base_url.as_deref().unwrap_or(BASE_URL);
        let refused = |why| refused_failure("PROVIDER_URL", format!("The provider's base URL {why}."));
        let base = outbound.check_url(text).map_err(refused)?;
        let key = connection.api_key.as_deref().filter(|key| !key.is_empty()).ok_or_else(|| {
            provider_failure(
                Category::Auth,
                "PROVIDER_KEY_MISSING",
                "The tenant has set no API key for the provider openai.",
            )
        })?;
        Ok(Self { outbound, base, key, call_time: settings.call_time, upload_time: settings.upload_time })
    }

    /// Whether the provider knows a model; true if that is unknown.
    pub(super) async fn has_model(&self, model: &str) -> Result<bool, Failure> {
        let answer = send_request(self.request_builder(Method::GET, &["models", model], &[])?).await?;
        let unknown =
            answer.status == StatusCode::NOT_FOUND && parse_refusal(&answer).error.code() == "model_not_found";
        if answer.status == StatusCode::NOT_FOUND { Ok(!unknown) } else { check_answer(answer).map(|_| true) }
    }

    pub(super) async fn find_job(&self, id: &str) -> Result<Option<OpenaiJob>, Failure> {
        parse_found(send_request(self.request_builder(Method::GET, &["fine_tuning", "jobs", id], &[])?).await?)
    }

    pub(super) async fn create(&self, body: &Value, once: &str) -> Result<OpenaiJob, Failure> {
        let request = self.request_builder(Method::POST, &["fine_tuning", "jobs"], &[])?;
        check_answer(send_request(request.header("idempotency-key", once).json(body)).await?)?.read()
    }

    /// `None` when there is nothing to cancel: the job is unknown or has ended.
    pub(super) async fn cancel_job(&self, id: &str) -> Result<Option<OpenaiJob>, Failure> {
        let answer =
            send_request(self.request_builder(Method::POST, &["fine_tuning", "jobs", id, "cancel"], &[])?).await?;
        if matches!(answer.status, StatusCode::BAD_REQUEST | StatusCode::CONFLICT)
            && self.find_job(id).await?.is_none_or(|job| job.is_over())
        {
            return Ok(None);
        }
        parse_found(answer)
    }

    /// The jobs, newest first, until one matches `ends`.
    pub(super) async fn list_jobs(&self, ends: impl Fn(&OpenaiJob) -> bool + Send) -> Result<Vec<OpenaiJob>, Failure> {
        self.list(&["fine_tuning", "jobs"], &[], ends).await.map(Option::unwrap_or_default)
    }

    pub(super) async fn list_files(&self, ends: impl Fn(&File) -> bool + Send) -> Result<Vec<File>, Failure> {
        self.list(&["files"], &[("purpose", "fine-tune")], ends).await.map(Option::unwrap_or_default)
    }

    pub(super) async fn list_events(
        &self,
        id: &str,
        ends: impl Fn(&OpenaiEvent) -> bool + Send,
    ) -> Result<Vec<OpenaiEvent>, Failure> {
        self.list(&["fine_tuning", "jobs", id, "events"], &[], ends).await.map(Option::unwrap_or_default)
    }

    /// `None` if the provider keeps no checkpoints.
    pub(super) async fn list_checkpoints(&self, id: &str) -> Result<Option<Vec<OpenaiCheckpoint>>, Failure> {
        self.list(&["fine_tuning", "jobs", id, "checkpoints"], &[], |_| false).await
    }

    pub(super) async fn upload_file(
        &self,
        name: &str,
        bytes: u64,
        content: impl Stream<Item = Result<Bytes, Failure>> + Send + 'static,
    ) -> Result<File, Failure> {
        let content = Body::wrap_stream(content.map_err(|failure| std::io::Error::other(failure.message)));
        let part = Part::stream_with_length(content, bytes).file_name(name.to_owned());
        let part = part
            .mime_str("application/jsonl")
            .map_err(|error| provider_failure(Category::Internal, "UPLOAD", error.to_string()))?;
        let form = Form::new().text("purpose", "fine-tune").part("file", part);
        let request = self.request_builder(Method::POST, &["files"], &[])?.timeout(self.upload_time).multipart(form);
        check_answer(send_request(request).await?)?.read()
    }

    /// The items of a list, newest first, until one matches `ends`; `None` if there is no such list.
    async fn list<T: ListedObject + DeserializeOwned>(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
        ends: impl Fn(&T) -> bool + Send,
    ) -> Result<Option<Vec<T>>, Failure> {
        let mut all: Vec<T> = Vec::new();
        for _ in 0..MOST_PAGES {
            let after = all.last().map(|last| last.id().to_owned());
            let mut query = query.to_vec();
            query.push(("limit", "100"));
            query.extend(after.as_deref().map(|after| ("after", after)));
            let Some(page): Option<OpenaiPage<T>> =
                parse_found(send_request(self.request_builder(Method::GET, path, &query)?).await?)?
            else {
                return Ok(None);
            };
            // A server that ignores `after` returns the same page again.
            let repeats = page.data.first().is_none_or(|first| all.iter().any(|known| known.id() == first.id()));
            for one in if repeats { Vec::new() } else { page.data } {
                if ends(&one) {
                    return Ok(Some(all));
                }
                all.push(one);
            }
            if repeats || !page.has_more {
                break;
            }
        }
        Ok(Some(all))
    }

    fn request_builder(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
    ) -> Result<RequestBuilder, Failure> {
        let mut url = self.base.clone();
        let refused = |why: &str| refused_failure("PROVIDER_URL", format!("The provider's base URL {why}."));
        url.path_segments_mut().map_err(|()| refused("is not a URL of https"))?.pop_if_empty().extend(path);
        let request = self.outbound.request(method, url.as_str()).map_err(refused)?;
        let request = if query.is_empty() { request } else { request.query(query) };
        Ok(request.bearer_auth(self.key).timeout(self.call_time))
    }
}

fn parse_found<T: DeserializeOwned>(answer: ProviderResponse) -> Result<Option<T>, Failure> {
    if answer.status == StatusCode::NOT_FOUND { Ok(None) } else { check_answer(answer)?.read().map(Some) }
}

fn parse_refusal(answer: &ProviderResponse) -> OpenaiRefusal {
    serde_json::from_slice(&answer.body).unwrap_or_default()
}

fn check_answer(answer: ProviderResponse) -> Result<ProviderResponse, Failure> {
    if answer.status.is_success() {
        return Ok(answer);
    }
    let OpenaiRefusal { error } = parse_refusal(&answer);
    // An exhausted quota does not recover by waiting.
    if matches!(error.code(), "insufficient_quota" | "billing_hard_limit_reached") {
        return Err(provider_failure(Category::Budget, "PROVIDER_BUDGET", error.message()));
    }
    Err(answer.to_failure(error.message()))
}

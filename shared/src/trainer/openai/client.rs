//! The calls that we make: with the tenant's own key, through the guard of outbound calls, bounded in time each.

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
    outbound::Outbound,
    session::outcome::{Category, Failure},
    trainer::{
        Connection,
        trouble::{Answer, failure, refusal, send},
    },
};

use super::{
    Settings,
    wire::{Checkpoint, Event, File, Job, Listed, Page, Refusal},
};

/// Whom we call where the tenant names nobody.
const BASE_URL: &str = "https://api.openai.com/v1";

/// The most pages of a list that are read.
const MOST_PAGES: usize = 50;

pub(super) struct Client<'a> {
    outbound: &'a Outbound,
    base: Url,
    key: &'a str,
    call_time: Duration,
    upload_time: Duration,
}

impl<'a> Client<'a> {
    pub(super) fn new(
        outbound: &'a Outbound,
        settings: &Settings,
        connection: &'a Connection,
    ) -> Result<Self, Failure> {
        let text = connection.base_url.as_deref().unwrap_or(BASE_URL);
        let refused = |why| refusal("PROVIDER_URL", format!("The provider's base URL {why}."));
        let base = outbound.check(text).map_err(refused)?;
        let key = connection.api_key.as_deref().filter(|key| !key.is_empty()).ok_or_else(|| {
            failure(Category::Auth, "PROVIDER_KEY_MISSING", "The tenant has set no API key for the provider openai.")
        })?;
        Ok(Self { outbound, base, key, call_time: settings.call_time, upload_time: settings.upload_time })
    }

    /// Whether the provider knows a model; true where it cannot say.
    pub(super) async fn knows(&self, model: &str) -> Result<bool, Failure> {
        let answer = send(self.call(Method::GET, &["models", model], &[])?).await?;
        let unknown = answer.status == StatusCode::NOT_FOUND && said(&answer).error.code() == "model_not_found";
        if answer.status == StatusCode::NOT_FOUND { Ok(!unknown) } else { checked(answer).map(|_| true) }
    }

    pub(super) async fn job(&self, id: &str) -> Result<Option<Job>, Failure> {
        found(send(self.call(Method::GET, &["fine_tuning", "jobs", id], &[])?).await?)
    }

    pub(super) async fn create(&self, body: &Value, once: &str) -> Result<Job, Failure> {
        let request = self.call(Method::POST, &["fine_tuning", "jobs"], &[])?;
        checked(send(request.header("idempotency-key", once).json(body)).await?)?.read()
    }

    /// None when there is nothing to call off: the job is unknown, or over.
    pub(super) async fn cancel(&self, id: &str) -> Result<Option<Job>, Failure> {
        let answer = send(self.call(Method::POST, &["fine_tuning", "jobs", id, "cancel"], &[])?).await?;
        if matches!(answer.status, StatusCode::BAD_REQUEST | StatusCode::CONFLICT)
            && self.job(id).await?.is_none_or(|job| job.is_over())
        {
            return Ok(None);
        }
        found(answer)
    }

    /// The jobs, newest first, until one is found that `ends` them.
    pub(super) async fn jobs(&self, ends: impl Fn(&Job) -> bool + Send) -> Result<Vec<Job>, Failure> {
        self.list(&["fine_tuning", "jobs"], &[], ends).await.map(Option::unwrap_or_default)
    }

    pub(super) async fn files(&self, ends: impl Fn(&File) -> bool + Send) -> Result<Vec<File>, Failure> {
        self.list(&["files"], &[("purpose", "fine-tune")], ends).await.map(Option::unwrap_or_default)
    }

    pub(super) async fn events(&self, id: &str, ends: impl Fn(&Event) -> bool + Send) -> Result<Vec<Event>, Failure> {
        self.list(&["fine_tuning", "jobs", id, "events"], &[], ends).await.map(Option::unwrap_or_default)
    }

    /// None where the provider keeps no checkpoints.
    pub(super) async fn checkpoints(&self, id: &str) -> Result<Option<Vec<Checkpoint>>, Failure> {
        self.list(&["fine_tuning", "jobs", id, "checkpoints"], &[], |_| false).await
    }

    pub(super) async fn upload(
        &self,
        name: &str,
        bytes: u64,
        content: impl Stream<Item = Result<Bytes, Failure>> + Send + 'static,
    ) -> Result<File, Failure> {
        let content = Body::wrap_stream(content.map_err(|failure| std::io::Error::other(failure.message)));
        let part = Part::stream_with_length(content, bytes).file_name(name.to_owned());
        let part = part
            .mime_str("application/jsonl")
            .map_err(|error| failure(Category::Internal, "UPLOAD", error.to_string()))?;
        let form = Form::new().text("purpose", "fine-tune").part("file", part);
        let request = self.call(Method::POST, &["files"], &[])?.timeout(self.upload_time).multipart(form);
        checked(send(request).await?)?.read()
    }

    /// The things of a list, newest first, up to the first that `ends` it; None where there is no such list.
    async fn list<T: Listed + DeserializeOwned>(
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
            let Some(page): Option<Page<T>> = found(send(self.call(Method::GET, path, &query)?).await?)? else {
                return Ok(None);
            };
            // Who does not know `after` answers with the same page again.
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

    fn call(&self, method: Method, path: &[&str], query: &[(&str, &str)]) -> Result<RequestBuilder, Failure> {
        let mut url = self.base.clone();
        let refused = |why: &str| refusal("PROVIDER_URL", format!("The provider's base URL {why}."));
        url.path_segments_mut().map_err(|()| refused("is not a URL of https"))?.pop_if_empty().extend(path);
        let request = self.outbound.request(method, url.as_str()).map_err(refused)?;
        let request = if query.is_empty() { request } else { request.query(query) };
        Ok(request.bearer_auth(self.key).timeout(self.call_time))
    }
}

fn found<T: DeserializeOwned>(answer: Answer) -> Result<Option<T>, Failure> {
    if answer.status == StatusCode::NOT_FOUND { Ok(None) } else { checked(answer)?.read().map(Some) }
}

fn said(answer: &Answer) -> Refusal {
    serde_json::from_slice(&answer.body).unwrap_or_default()
}

fn checked(answer: Answer) -> Result<Answer, Failure> {
    if answer.status.is_success() {
        return Ok(answer);
    }
    let Refusal { error } = said(&answer);
    // What is used up does not come back by waiting for a while.
    if matches!(error.code(), "insufficient_quota" | "billing_hard_limit_reached") {
        return Err(failure(Category::Budget, "PROVIDER_BUDGET", error.message()));
    }
    Err(answer.refused(error.message()))
}

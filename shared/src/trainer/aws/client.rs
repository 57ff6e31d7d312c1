//! The three calls that we make to Amazon Bedrock, signed. The whole SDK of Bedrock is minutes of compiling for three
//! calls in JSON; the signing is the SDK's own.

use aws_credential_types::provider::ProvideCredentials;
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4,
};
use reqwest::{Client as Http, Method, StatusCode, Url, redirect};
use serde::Deserialize;
use serde_json::Value;

use crate::{
    clock::Clock,
    error::{Error, Result as Made},
    session::outcome::{Category, Failure},
    trainer::trouble::{Answer, failure, passing, send},
};

use super::Settings;

#[derive(Debug)]
pub(super) struct Client {
    http: Http,
    settings: Settings,
    clock: Clock,
}

/// A model customization job. What we can do without may be absent.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Job {
    #[serde(rename = "jobArn")]
    pub(super) arn: String,
    pub(super) status: String,
    pub(super) failure_message: Option<String>,
    pub(super) creation_time: Option<String>,
    pub(super) end_time: Option<String>,
    pub(super) output_model_arn: Option<String>,
    pub(super) training_metrics: Option<TrainingMetrics>,
    #[serde(default)]
    pub(super) validation_metrics: Vec<ValidationMetrics>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TrainingMetrics {
    pub(super) training_loss: Option<f64>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ValidationMetrics {
    pub(super) validation_loss: Option<f64>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Said {
    #[serde(alias = "Message")]
    message: String,
    #[serde(rename = "__type")]
    kind: String,
}

impl Client {
    pub(super) fn new(settings: Settings, clock: Clock) -> Made<Self> {
        let http = Http::builder().redirect(redirect::Policy::none()).timeout(settings.call_time).build();
        Ok(Self { http: http.map_err(Error::internal)?, settings, clock })
    }

    /// A job by its name or its ARN.
    pub(super) async fn job(&self, name: &str) -> Result<Option<Job>, Failure> {
        let answer = self.call(Method::GET, &["model-customization-jobs", name], None).await?;
        if is_unknown(&answer) { Ok(None) } else { checked(answer)?.read().map(Some) }
    }

    /// Makes a job. None when there is one of that name.
    pub(super) async fn create(&self, body: &Value) -> Result<Option<String>, Failure> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Created {
            job_arn: String,
        }
        let answer = self.call(Method::POST, &["model-customization-jobs"], Some(body)).await?;
        if matches!(kind(&answer).as_str(), "ConflictException" | "ResourceInUseException") {
            return Ok(None);
        }
        Ok(Some(checked(answer)?.read::<Created>()?.job_arn))
    }

    /// Stops a job; one that is unknown, or over, is left as it is.
    pub(super) async fn stop(&self, name: &str) -> Result<(), Failure> {
        let answer = self.call(Method::POST, &["model-customization-jobs", name, "stop"], None).await?;
        let over = matches!(kind(&answer).as_str(), "ConflictException" | "ValidationException");
        if is_unknown(&answer) || over { Ok(()) } else { checked(answer).map(drop) }
    }

    async fn call(&self, method: Method, path: &[&str], body: Option<&Value>) -> Result<Answer, Failure> {
        let broken = |why: String| failure(Category::Internal, "AWS_CALL", why);
        let mut url = Url::parse(&self.settings.endpoint).map_err(|error| broken(error.to_string()))?;
        let mut segments = url.path_segments_mut().map_err(|()| broken("the endpoint is no URL".to_owned()))?;
        segments.pop_if_empty().extend(path);
        drop(segments);
        let body = body.map(ToString::to_string).unwrap_or_default();
        let mut request = self.http.request(method.clone(), url.clone());
        for (name, value) in self.signed(method.as_str(), url.as_str(), body.as_bytes()).await? {
            request = request.header(name, value);
        }
        send(request.header("content-type", "application/json").body(body)).await
    }

    /// The headers that prove who calls.
    async fn signed(&self, method: &str, url: &str, body: &[u8]) -> Result<Vec<(String, String)>, Failure> {
        let credentials = self.settings.credentials.provide_credentials().await;
        let credentials = credentials.map_err(|_| {
            failure(Category::Auth, "AWS_CREDENTIALS_MISSING", "This ioc has no credentials of AWS in its environment.")
        })?;
        let broken = |why: String| failure(Category::Internal, "AWS_CALL", why);
        let identity = credentials.into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.settings.region)
            .name("bedrock")
            .time(self.clock.now().into())
            .settings(SigningSettings::default())
            .build()
            .map_err(|error| broken(error.to_string()))?
            .into();
        let request = SignableRequest::new(method, url, std::iter::empty(), SignableBody::Bytes(body));
        let signed =
            request.and_then(|request| sign(request, &parameters)).map_err(|error| broken(error.to_string()))?;
        let headers = signed.output().headers().map(|(name, value)| (name.to_owned(), value.to_owned()));
        Ok(headers.collect())
    }
}

fn said(answer: &Answer) -> Said {
    serde_json::from_slice(&answer.body).unwrap_or_default()
}

/// What kind of error an answer is, by its header or its body; empty for none.
fn kind(answer: &Answer) -> String {
    if answer.status.is_success() {
        return String::new();
    }
    let header = answer.headers.get("x-amzn-errortype").and_then(|value| value.to_str().ok()).map(str::to_owned);
    let whole = header.unwrap_or_else(|| said(answer).kind);
    // `namespace#Kind:where it is documented`
    let kind = whole.split(':').next().unwrap_or_default();
    kind.rsplit('#').next().unwrap_or_default().to_owned()
}

fn is_unknown(answer: &Answer) -> bool {
    answer.status == StatusCode::NOT_FOUND || kind(answer) == "ResourceNotFoundException"
}

fn checked(answer: Answer) -> Result<Answer, Failure> {
    if answer.status.is_success() {
        return Ok(answer);
    }
    let message = said(&answer).message;
    Err(match kind(&answer).as_str() {
        "ThrottlingException" => failure(Category::RateLimit, "PROVIDER_RATE_LIMIT", message),
        "ServiceQuotaExceededException" => failure(Category::Budget, "PROVIDER_BUDGET", message),
        "InternalServerException" | "ServiceUnavailableException" => passing("PROVIDER_ERROR", message),
        _ => answer.refused(&message),
    })
}

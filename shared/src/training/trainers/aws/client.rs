//! The three calls to Amazon Bedrock, signed with the SDK's own signer. The whole SDK of Bedrock would add minutes of
//! compile time for three JSON calls.

use aws_credential_types::provider::ProvideCredentials;
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4,
};
use reqwest::{Client, Method, StatusCode, Url, redirect};
use serde::Deserialize;
use serde_json::Value;

use crate::{
    kernel::{
        clock::Clock,
        error::{self, Error},
        failure::{Category, Failure},
    },
    platform::tls::http_client_builder,
    training::trainers::trouble::{ProviderResponse, provider_failure, send_request, transient_failure},
};

use super::settings::AwsSettings;

#[derive(Debug)]
pub(super) struct SageMakerClient {
    http: Client,
    settings: AwsSettings,
    clock: Clock,
}

/// A model customization job. Fields that we can do without are optional.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SageMakerJob {
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
struct AwsRefusal {
    #[serde(alias = "Message")]
    message: String,
    #[serde(rename = "__type")]
    kind: String,
}

impl SageMakerClient {
    pub(super) fn new(settings: AwsSettings, clock: Clock) -> error::Result<Self> {
        let http = http_client_builder()?.redirect(redirect::Policy::none()).timeout(settings.call_time).build();
        Ok(Self { http: http.map_err(Error::internal)?, settings, clock })
    }

    /// A job by its name or its ARN.
    pub(super) async fn find_job(&self, name: &str) -> Result<Option<SageMakerJob>, Failure> {
        let answer = self.call_service(Method::GET, &["model-customization-jobs", name], None).await?;
        if is_unknown(&answer) { Ok(None) } else { check_answer(answer)?.read().map(Some) }
    }

    /// Creates a job. `None` when one of that name exists.
    pub(super) async fn create(&self, body: &Value) -> Result<Option<String>, Failure> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct CreatedJob {
            job_arn: String,
        }
        let answer = self.call_service(Method::POST, &["model-customization-jobs"], Some(body)).await?;
        if matches!(error_kind(&answer).as_str(), "ConflictException" | "ResourceInUseException") {
            return Ok(None);
        }
        Ok(Some(check_answer(answer)?.read::<CreatedJob>()?.job_arn))
    }

    /// Stops a job. Does nothing if it is unknown or has ended.
    pub(super) async fn stop_job(&self, name: &str) -> Result<(), Failure> {
        let answer = self.call_service(Method::POST, &["model-customization-jobs", name, "stop"], None).await?;
        let over = matches!(error_kind(&answer).as_str(), "ConflictException" | "ValidationException");
        if is_unknown(&answer) || over { Ok(()) } else { check_answer(answer).map(drop) }
    }

    async fn call_service(
        &self,
        method: Method,
        path: &[&str],
        body: Option<&Value>,
    ) -> Result<ProviderResponse, Failure> {
        let broken = |why: String| provider_failure(Category::Internal, "AWS_CALL", why);
        let mut url = Url::parse(&self.settings.endpoint).map_err(|error| broken(error.to_string()))?;
        let mut segments = url.path_segments_mut().map_err(|()| broken("the endpoint is no URL".to_owned()))?;
        segments.pop_if_empty().extend(path);
        drop(segments);
        let body = body.map(ToString::to_string).unwrap_or_default();
        let mut request = self.http.request(method.clone(), url.clone());
        for (name, value) in self.sign_request(method.as_str(), url.as_str(), body.as_bytes()).await? {
            request = request.header(name, value);
        }
        send_request(request.header("content-type", "application/json").body(body)).await
    }

    /// The signed headers of a request.
    async fn sign_request(&self, method: &str, url: &str, body: &[u8]) -> Result<Vec<(String, String)>, Failure> {
        let credentials = self.settings.credentials.provide_credentials().await;
        let credentials = credentials.map_err(|_| {
            provider_failure(
                Category::Auth,
                "AWS_CREDENTIALS_MISSING",
                "This ioc has no credentials of AWS in its environment.",
            )
        })?;
        let broken = |why: String| provider_failure(Category::Internal, "AWS_CALL", why);
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

fn parse_refusal(answer: &ProviderResponse) -> AwsRefusal {
    serde_json::from_slice(&answer.body).unwrap_or_default()
}

/// The error type of a response, from its header or body; empty for none.
fn error_kind(answer: &ProviderResponse) -> String {
    if answer.status.is_success() {
        return String::new();
    }
    let header = answer.headers.get("x-amzn-errortype").and_then(|value| value.to_str().ok()).map(str::to_owned);
    let whole = header.unwrap_or_else(|| parse_refusal(answer).kind);
    // `namespace#Kind:where it is documented`
    let kind = whole.split(':').next().unwrap_or_default();
    kind.rsplit('#').next().unwrap_or_default().to_owned()
}

fn is_unknown(answer: &ProviderResponse) -> bool {
    answer.status == StatusCode::NOT_FOUND || error_kind(answer) == "ResourceNotFoundException"
}

fn check_answer(answer: ProviderResponse) -> Result<ProviderResponse, Failure> {
    if answer.status.is_success() {
        return Ok(answer);
    }
    let message = parse_refusal(&answer).message;
    Err(match error_kind(&answer).as_str() {
        "ThrottlingException" => provider_failure(Category::RateLimit, "PROVIDER_RATE_LIMIT", message),
        "ServiceQuotaExceededException" => provider_failure(Category::Budget, "PROVIDER_BUDGET", message),
        "InternalServerException" | "ServiceUnavailableException" => transient_failure("PROVIDER_ERROR", message),
        _ => answer.to_failure(&message),
    })
}

//! The protocols of model providers that pass through the gateway.

use std::borrow::Cow;

use axum::http::Method;

/// The longest name of a model in a path.
const MODEL_LENGTH: usize = 200;

/// A protocol of a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// OpenAI-compatible `POST /v1/chat/completions`.
    ChatCompletions,
    /// OpenAI `POST /v1/responses`.
    Responses,
    /// Anthropic `POST /v1/messages`.
    Messages,
    /// Gemini's `POST /v1beta/models/{model}:generateContent`, `:streamGenerateContent` and `:countTokens`.
    Gemini,
}

/// A method of Gemini's API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GeminiMethod {
    Generate,
    Stream,
    CountTokens,
}

impl GeminiMethod {
    fn parse(name: &str) -> Option<Self> {
        [Self::Generate, Self::Stream, Self::CountTokens].into_iter().find(|method| method.name() == name)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Generate => "generateContent",
            Self::Stream => "streamGenerateContent",
            Self::CountTokens => "countTokens",
        }
    }
}

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    Generate(Protocol),
    /// A call of Gemini, whose path names the model.
    Gemini(GeminiMethod),
    /// `GET /v1/models`, of a provider that speaks one of the protocols.
    Models {
        anthropic: bool,
    },
}

impl Endpoint {
    /// The endpoint at a path; none for everything that does not pass through.
    pub(super) fn find(method: &Method, path: &str, has_anthropic_version: bool) -> Option<Self> {
        match (method.as_str(), path) {
            ("POST", "/v1/chat/completions") => Some(Self::Generate(Protocol::ChatCompletions)),
            ("POST", "/v1/responses") => Some(Self::Generate(Protocol::Responses)),
            ("POST", "/v1/messages") => Some(Self::Generate(Protocol::Messages)),
            ("GET", "/v1/models") => Some(Self::Models { anthropic: has_anthropic_version }),
            ("POST", path) => split_gemini_path(path).map(|(_, method)| Self::Gemini(method)),
            _ => None,
        }
    }

    /// The path below the provider's base URL, which contains the version.
    pub(super) fn path(self, model: &str) -> Cow<'static, str> {
        match self {
            Self::Generate(Protocol::ChatCompletions) => "/chat/completions".into(),
            Self::Generate(Protocol::Responses) => "/responses".into(),
            Self::Generate(Protocol::Messages) => "/messages".into(),
            Self::Generate(Protocol::Gemini) | Self::Models { .. } => "/models".into(),
            Self::Gemini(method) => format!("/models/{model}:{}", method.name()).into(),
        }
    }

    /// The protocol of a call that is metered; none for a list of models.
    pub(super) fn protocol(self) -> Option<Protocol> {
        match self {
            Self::Generate(protocol) => Some(protocol),
            Self::Gemini(_) => Some(Protocol::Gemini),
            Self::Models { .. } => None,
        }
    }

    pub(super) fn is_spoken_by(self, protocols: &[Protocol]) -> bool {
        match self {
            Self::Models { anthropic: true } => protocols.contains(&Protocol::Messages),
            Self::Models { anthropic: false } => {
                protocols.iter().any(|one| matches!(one, Protocol::ChatCompletions | Protocol::Responses))
            }
            _ => self.protocol().is_some_and(|protocol| protocols.contains(&protocol)),
        }
    }

    /// Whose form errors have.
    pub(super) fn error_form(self) -> ErrorForm {
        match self {
            Self::Generate(Protocol::Messages) | Self::Models { anthropic: true } => ErrorForm::Anthropic,
            Self::Generate(Protocol::Gemini) | Self::Gemini(_) => ErrorForm::Google,
            Self::Generate(_) | Self::Models { anthropic: false } => ErrorForm::OpenAi,
        }
    }

    /// The parameters that reach the provider.
    pub(super) fn allowed_parameters(self) -> &'static [&'static str] {
        match self {
            Self::Generate(Protocol::Messages) => &["beta"],
            Self::Gemini(GeminiMethod::Stream) => &["alt"],
            Self::Generate(_) | Self::Gemini(_) => &[],
            Self::Models { .. } => &["after_id", "before_id", "limit"],
        }
    }
}

/// The form of a provider's errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ErrorForm {
    OpenAi,
    Anthropic,
    Google,
}

/// The model and the method that a path of Gemini names.
pub(super) fn split_gemini_path(path: &str) -> Option<(&str, GeminiMethod)> {
    let (model, method) = path.strip_prefix("/v1beta/models/")?.split_once(':')?;
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let is_name = (1..=MODEL_LENGTH).contains(&model.len()) && model.bytes().all(is_letter) && !model.starts_with('.');
    Some((model, GeminiMethod::parse(method)?)).filter(|_| is_name)
}

/// The parameters of a query that are allowed, as they were written.
pub(super) fn filter_query(query: &str, allowed: &[&str]) -> String {
    let is_allowed = |pair: &&str| allowed.contains(&pair.split('=').next().unwrap_or_default());
    query.split('&').filter(is_allowed).collect::<Vec<_>>().join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_gemini_names_a_model_and_a_known_method() {
        let path = "/v1beta/models/gemini-2.5-pro:streamGenerateContent";
        assert_eq!(split_gemini_path(path), Some(("gemini-2.5-pro", GeminiMethod::Stream)));
        let endpoint = Endpoint::find(&Method::POST, path, false).unwrap();
        assert_eq!(endpoint.path("gemini-2.5-pro"), "/models/gemini-2.5-pro:streamGenerateContent");
        assert!(endpoint.is_spoken_by(&[Protocol::Gemini]) && !endpoint.is_spoken_by(&[Protocol::ChatCompletions]));
        for wrong in [
            "/v1beta/models/a:batchEmbedContents",
            "/v1beta/models/a/b:generateContent",
            "/v1beta/models/..:generateContent",
            "/v1beta/models/a%2fb:generateContent",
            "/v1beta/models/:generateContent",
            "/v1beta/files/a:generateContent",
            "/v1beta/models/a",
        ] {
            assert_eq!(Endpoint::find(&Method::POST, wrong, false), None, "{wrong}");
        }
        assert_eq!(Endpoint::find(&Method::GET, path, false), None);
    }

    #[test]
    fn only_the_known_endpoints_pass_through() {
        let find = |method: Method, path| Endpoint::find(&method, path, false);
        assert!(find(Method::POST, "/v1/chat/completions").is_some());
        for path in
            ["/v1/files", "/v1/messages/batches", "/v1/messages/", "/v1//messages", "/", "/v1/models/x", "/V1/messages"]
        {
            assert_eq!(find(Method::POST, path), None, "{path}");
        }
        assert_eq!(find(Method::GET, "/v1/messages"), None);
        assert_eq!(find(Method::POST, "/v1/models"), None);
    }

    #[test]
    fn a_query_keeps_only_the_allowed_parameters() {
        assert_eq!(filter_query("key=secret&beta=true&x", &["beta"]), "beta=true");
        assert_eq!(filter_query("key=secret", &[]), "");
    }
}

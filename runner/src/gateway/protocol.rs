//! The protocols of model providers that pass through the gateway.

use axum::http::Method;

/// A protocol of a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// OpenAI-compatible `POST /v1/chat/completions`.
    ChatCompletions,
    /// OpenAI `POST /v1/responses`.
    Responses,
    /// Anthropic `POST /v1/messages`.
    Messages,
}

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    Generate(Protocol),
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
            _ => None,
        }
    }

    /// The path below the provider's base URL, which contains the version.
    pub(super) fn path(self) -> &'static str {
        match self {
            Self::Generate(Protocol::ChatCompletions) => "/chat/completions",
            Self::Generate(Protocol::Responses) => "/responses",
            Self::Generate(Protocol::Messages) => "/messages",
            Self::Models { .. } => "/models",
        }
    }

    pub(super) fn is_spoken_by(self, protocols: &[Protocol]) -> bool {
        match self {
            Self::Generate(protocol) => protocols.contains(&protocol),
            Self::Models { anthropic: true } => protocols.contains(&Protocol::Messages),
            Self::Models { anthropic: false } => protocols.iter().any(|one| *one != Protocol::Messages),
        }
    }

    /// Whether errors have Anthropic's form.
    pub(super) fn is_anthropic(self) -> bool {
        matches!(self, Self::Generate(Protocol::Messages) | Self::Models { anthropic: true })
    }

    /// The parameters that reach the provider.
    pub(super) fn allowed_parameters(self) -> &'static [&'static str] {
        match self {
            Self::Generate(Protocol::Messages) => &["beta"],
            Self::Generate(_) => &[],
            Self::Models { .. } => &["after_id", "before_id", "limit"],
        }
    }
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
    fn only_the_four_endpoints_pass_through() {
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

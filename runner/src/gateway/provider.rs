//! The providers of models to which a gateway passes requests.

use std::fmt;

use super::protocol::Protocol;

/// The key of a provider. It is never printed.
#[derive(Clone)]
pub struct ProviderKey(String);

impl ProviderKey {
    /// A key; characters that no header may have make every call fail.
    pub fn new(key: impl Into<String>) -> Self {
        Self(key.into())
    }

    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ProviderKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ProviderKey(..)")
    }
}

/// How a provider is given its key.
#[derive(Clone, Debug)]
pub enum Credential {
    /// `authorization: Bearer KEY` (OpenAI and compatible servers).
    Bearer(ProviderKey),
    /// `x-api-key: KEY` (Anthropic).
    ApiKey(ProviderKey),
    /// `x-goog-api-key: KEY` (Gemini).
    GoogleKey(ProviderKey),
    /// None, for a server that asks for none.
    Absent,
}

/// The models that a session may use at a provider.
#[derive(Clone, Debug)]
pub enum ModelAllowList {
    /// Every model.
    All,
    /// Exact names, or beginnings of names that end with `*`.
    Only(Vec<String>),
}

impl ModelAllowList {
    /// Whether the list contains a model.
    pub fn allows(&self, model: &str) -> bool {
        let fits = |pattern: &String| match pattern.strip_suffix('*') {
            Some(beginning) => model.starts_with(beginning),
            None => model == pattern,
        };
        match self {
            Self::All => true,
            Self::Only(patterns) => patterns.iter().any(fits),
        }
    }
}

/// A provider of models.
#[derive(Clone, Debug)]
pub struct Provider {
    /// The name by which calls are reported.
    pub name: String,
    /// The URL in front of `/chat/completions`, `/responses`, `/messages` and `/models`, such as
    /// `https://api.example.com/v1`, or `/v1beta` for Gemini.
    pub base_url: String,
    /// The protocols that it speaks. A request goes to the first provider that speaks its protocol and allows its
    /// model.
    pub protocols: Vec<Protocol>,
    /// How it is given its key.
    pub credential: Credential,
    /// The models that this session may use there.
    pub models: ModelAllowList,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_allowed_by_its_name_or_by_its_beginning() {
        let list = ModelAllowList::Only(vec!["small".into(), "large-*".into()]);
        assert!(list.allows("small") && list.allows("large-2"));
        assert!(!list.allows("smaller") && !list.allows("a-large-2") && !list.allows(""));
    }

    #[test]
    fn a_key_is_not_printed() {
        let credential = Credential::Bearer(ProviderKey::new("sk-secret"));
        assert!(!format!("{credential:?}").contains("secret"));
    }
}

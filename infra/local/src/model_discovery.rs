//! Finds a model of the user's own: the keys that a runner passes to the providers of models.

use std::{collections::BTreeMap, ffi::OsString, path::PathBuf};

use serde_json::Value;

/// The variable with the key of each provider that a runner knows.
const KEYS: [(&str, &str); 2] = [("ANTHROPIC_API_KEY", "anthropic"), ("OPENAI_API_KEY", "openai")];

/// The variable of the default model of each provider.
const MODELS: [(&str, &str); 2] = [("anthropic", "RUNNER_ANTHROPIC_MODEL"), ("openai", "RUNNER_OPENAI_MODEL")];

/// The model setting that selects the scripted model.
pub const SCRIPTED: &str = "scripted";

/// A model of the user's own, as variables of the runner: the keys, the addresses and the model.
pub type ModelEnvironment = Vec<(OsString, OsString)>;

/// Looks for keys in the environment and among the credentials that OpenCode stores. `None` means the scripted model.
/// `model` is the one to use where a session names none, as provider/model.
pub fn find(environment: &BTreeMap<OsString, OsString>, model: Option<&str>) -> Option<ModelEnvironment> {
    if model == Some(SCRIPTED) {
        return None;
    }
    let get = |name: &str| environment.get(&OsString::from(name)).filter(|value| !value.is_empty());
    let stored = stored_keys(get("XDG_DATA_HOME").map(PathBuf::from), get("HOME").map(PathBuf::from));
    let keys = KEYS.iter().filter_map(|(variable, provider)| {
        let key = get(variable).cloned().or_else(|| stored.get(*provider).map(OsString::from))?;
        Some((OsString::from(variable), key))
    });
    let mut found: ModelEnvironment = keys.collect();
    if found.is_empty() {
        return None;
    }
    for address in ["ANTHROPIC_BASE_URL", "OPENAI_BASE_URL"] {
        found.extend(get(address).map(|url| (address.into(), url.clone())));
    }
    found.extend(model.and_then(default_model));
    Some(found)
}

/// The scripted model at this address, as every provider.
pub fn scripted(base_url: &str) -> ModelEnvironment {
    let variables = [
        ("ANTHROPIC_API_KEY", "none"),
        ("ANTHROPIC_BASE_URL", base_url),
        ("RUNNER_ANTHROPIC_MODEL", SCRIPTED),
        ("OPENAI_API_KEY", "none"),
        ("OPENAI_BASE_URL", base_url),
        ("RUNNER_OPENAI_MODEL", SCRIPTED),
    ];
    variables.map(|(name, value)| (name.into(), value.into())).into()
}

/// `anthropic/claude-opus-4-5` sets the default of the programs that ask Anthropic.
fn default_model(model: &str) -> Option<(OsString, OsString)> {
    let (provider, model) = model.split_once('/')?;
    let (_, variable) = MODELS.iter().find(|(known, _)| *known == provider)?;
    Some((variable.into(), model.into()))
}

/// The API keys that the user has stored with `opencode auth login`, by their provider.
fn stored_keys(data: Option<PathBuf>, home: Option<PathBuf>) -> BTreeMap<String, String> {
    let data = data.or_else(|| Some(home?.join(".local/share")));
    let text = data.and_then(|data| std::fs::read_to_string(data.join("opencode/auth.json")).ok());
    let stored: BTreeMap<String, Value> = text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    let key = |(provider, one): (String, Value)| match (one["type"].as_str(), one["key"].as_str()) {
        (Some("api"), Some(key)) => Some((provider, key.to_owned())),
        _ => None,
    };
    stored.into_iter().filter_map(key).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(variables: &[(&str, &str)]) -> BTreeMap<OsString, OsString> {
        variables.iter().map(|(name, value)| (name.into(), value.into())).collect()
    }

    fn value<'a>(found: &'a ModelEnvironment, name: &str) -> Option<&'a str> {
        found.iter().find(|(known, _)| known == name).and_then(|(_, value)| value.to_str())
    }

    #[test]
    fn no_key_means_the_scripted_model() {
        assert_eq!(find(&with(&[("HOME", "/nowhere"), ("OPENAI_API_KEY", "")]), None), None);
    }

    #[test]
    fn a_key_comes_with_its_address_and_the_model_that_was_named() {
        let variables = with(&[("ANTHROPIC_API_KEY", "k"), ("ANTHROPIC_BASE_URL", "u"), ("OTHER", "x")]);
        let own = find(&variables, Some("anthropic/claude")).unwrap();
        assert_eq!(own.len(), 3);
        for (name, expected) in
            [("ANTHROPIC_API_KEY", "k"), ("ANTHROPIC_BASE_URL", "u"), ("RUNNER_ANTHROPIC_MODEL", "claude")]
        {
            assert_eq!(value(&own, name), Some(expected));
        }
    }

    #[test]
    fn a_key_is_left_alone_when_the_scripted_model_is_asked_for() {
        assert_eq!(find(&with(&[("OPENAI_API_KEY", "k")]), Some(SCRIPTED)), None);
    }

    #[test]
    fn a_key_that_opencode_has_stored_is_found() {
        let home = crate::paths::temporary("own-model").unwrap();
        std::fs::create_dir_all(home.join(".local/share/opencode")).unwrap();
        let stored = r#"{"openai": {"type": "api", "key": "k"}, "anthropic": {"type": "oauth", "access": "a"}}"#;
        std::fs::write(home.join(".local/share/opencode/auth.json"), stored).unwrap();
        let own = find(&with(&[("HOME", home.to_str().unwrap())]), None).unwrap();
        assert_eq!((value(&own, "OPENAI_API_KEY"), own.len()), (Some("k"), 1));
        std::fs::remove_dir_all(home).unwrap();
    }
}

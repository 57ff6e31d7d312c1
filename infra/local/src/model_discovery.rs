//! Finds a model of the user's own, and how OpenCode is configured for it.

use std::{collections::BTreeMap, ffi::OsString, path::PathBuf};

use crate::services::OwnModel;

/// The provider of each known kind of key.
const KEYS: [(&str, &str); 2] = [("ANTHROPIC_API_KEY", "anthropic"), ("OPENAI_API_KEY", "openai")];

/// The model setting that selects the scripted model.
pub const SCRIPTED: &str = "scripted";

/// Looks for keys, for a configuration of OpenCode and for its stored credentials. `None` means the scripted model.
pub fn find(environment: &BTreeMap<OsString, OsString>, model: Option<String>) -> Option<OwnModel> {
    if model.as_deref() == Some(SCRIPTED) {
        return None;
    }
    let get = |name: &str| environment.get(&OsString::from(name)).filter(|value| !value.is_empty());
    let home = get("HOME").map(PathBuf::from);
    let under = |variable: &str, usual: &str| {
        let base = get(variable).map(PathBuf::from).or_else(|| Some(home.as_ref()?.join(usual)));
        base.map(|base| base.join("opencode"))
    };
    let files = ["opencode.json", "opencode.jsonc", "config.json"];
    let usual = under("XDG_CONFIG_HOME", ".config")
        .and_then(|folder| files.map(|file| folder.join(file)).into_iter().find(|file| file.is_file()));
    let config = get("OPENCODE_CONFIG").map(PathBuf::from).or(usual);
    let credentials = under("XDG_DATA_HOME", ".local/share")
        .and_then(|folder| std::fs::read_to_string(folder.join("auth.json")).ok());
    let providers: Vec<_> = KEYS.iter().filter(|(key, _)| get(key).is_some()).map(|(_, provider)| *provider).collect();
    if config.is_none() && credentials.is_none() && providers.is_empty() {
        return None;
    }
    // Also related variables, such as the address of a gateway.
    let prefixed = |name: &str| name.starts_with("ANTHROPIC_") || name.starts_with("OPENAI_");
    let keys = environment.iter().filter(|(name, _)| name.to_str().is_some_and(prefixed));
    let keys = keys.map(|(name, value)| (name.clone(), value.clone())).collect();
    Some(OwnModel { config, credentials, keys, providers, model })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(variables: &[(&str, &str)]) -> BTreeMap<OsString, OsString> {
        variables.iter().map(|(name, value)| (name.into(), value.into())).collect()
    }

    #[test]
    fn without_key_and_configuration_there_is_no_own_model() {
        assert_eq!(find(&with(&[("HOME", "/nowhere"), ("OPENAI_API_KEY", "")]), None), None);
    }

    #[test]
    fn a_key_brings_its_provider() {
        let own =
            find(&with(&[("ANTHROPIC_API_KEY", "k"), ("ANTHROPIC_BASE_URL", "u"), ("OTHER", "x")]), None).unwrap();
        assert_eq!(own.providers, ["anthropic"]);
        assert_eq!(own.keys.len(), 2);
    }

    #[test]
    fn a_key_is_left_alone_when_the_scripted_model_is_asked_for() {
        assert_eq!(find(&with(&[("OPENAI_API_KEY", "k")]), Some(SCRIPTED.to_owned())), None);
    }

    #[test]
    fn a_configuration_of_opencode_is_found_where_it_usually_is() {
        let home = crate::paths::temporary("own-model").unwrap();
        let folder = home.join(".config/opencode");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("opencode.jsonc"), "{}").unwrap();
        let own = find(&with(&[("HOME", home.to_str().unwrap())]), None).unwrap();
        assert_eq!(own.config, Some(folder.join("opencode.jsonc")));
        std::fs::remove_dir_all(home).unwrap();
    }
}

//! The placeholders in the environment and the files of a program. Pure.

use std::path::Path;

use super::{endpoint::ProgramEndpoints, error::ProgramError};
use crate::acp::{PermissionPolicy, PermissionRule, ToolKind};

/// The longest value.
const VALUE_BYTES: usize = 500;

/// The values of all placeholders.
pub(super) struct Template {
    values: Vec<(String, String)>,
}

impl Template {
    /// Refuses values that could end a quoted text in JSON or TOML, because the model is chosen by users.
    pub(super) fn new(
        home: &Path,
        endpoints: &ProgramEndpoints,
        policy: &PermissionPolicy,
    ) -> Result<Self, ProgramError> {
        let home = home.to_string_lossy().into_owned();
        let ProgramEndpoints { model, tools } = endpoints;
        let named = [
            ("base_url", model.base_url.clone()),
            ("model", model.model.clone()),
            ("api_key_placeholder", model.api_key_placeholder.clone()),
            ("tools_url", tools.url.clone()),
            ("tools_token", tools.token.clone()),
            ("home", home),
        ];
        let mut values = Vec::new();
        for (name, value) in named {
            if value.is_empty() || value.len() > VALUE_BYTES || !value.chars().all(is_safe) {
                return Err(ProgramError::UnsafeValue { what: name, value });
            }
            values.push((format!("{{{name}}}"), value));
        }
        for name in ["read", "edit", "delete", "move", "search", "execute", "think", "fetch", "other"] {
            let rule = match policy.decide(ToolKind::parse(name)) {
                PermissionRule::Allow => "allow",
                PermissionRule::Ask => "ask",
                PermissionRule::Deny => "deny",
            };
            values.push((format!("{{permission.{name}}}"), rule.to_owned()));
        }
        Ok(Self { values })
    }

    /// The text with every placeholder replaced. Values are not searched for placeholders.
    pub(super) fn fill(&self, text: &str) -> String {
        let mut filled = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find('{') {
            filled.push_str(&rest[..at]);
            rest = &rest[at..];
            let found = self.values.iter().find(|(placeholder, _)| rest.starts_with(placeholder));
            let (text, length) = found.map_or(("{", 1), |(placeholder, value)| (value, placeholder.len()));
            filled.push_str(text);
            rest = &rest[length..];
        }
        filled.push_str(rest);
        filled
    }
}

fn is_safe(letter: char) -> bool {
    letter.is_alphanumeric() || "-._:/@+~,=[] ".contains(letter)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{mcp::ToolAccess, programs::ModelEndpoint};

    fn endpoints(model: &str) -> ProgramEndpoints {
        let (base_url, api_key_placeholder) = ("http://127.0.0.1:1".to_owned(), "placeholder".to_owned());
        let tools = ToolAccess::create(&base_url);
        ProgramEndpoints { model: ModelEndpoint { base_url, model: model.to_owned(), api_key_placeholder }, tools }
    }

    fn template(model: &str) -> Result<Template, ProgramError> {
        let policy = PermissionPolicy::allow_all().with_rule(ToolKind::Execute, PermissionRule::Ask);
        Template::new(Path::new("/home"), &endpoints(model), &policy)
    }

    #[test]
    fn placeholders_are_filled_and_other_braces_stay() {
        let text = r#"{"model": "{model}", "bash": "{permission.execute}", "x": {unknown}, "y": {}"#;
        let expected = r#"{"model": "m/1", "bash": "ask", "x": {unknown}, "y": {}"#;
        assert_eq!(template("m/1").unwrap().fill(text), expected);
    }

    #[test]
    fn a_model_that_could_end_its_quotes_is_refused() {
        for model in ["", "m\"\nsandbox = \"off", "m\\", "m'", "{home}"] {
            let Err(error) = template(model) else { panic!("{model:?} was accepted") };
            assert_eq!(error.code(), "PROGRAM_UNSAFE_VALUE");
        }
    }

    proptest! {
        #[test]
        fn a_text_without_placeholders_stays_as_it_is(text in "[a-z{}\" \n]{0,60}") {
            prop_assume!(!text.contains("{model}") && !text.contains("{home}"));
            prop_assert_eq!(template("m").unwrap().fill(&text), text);
        }

        #[test]
        fn a_model_that_is_accepted_stays_one_value_of_json_and_toml(model in ".{1,30}") {
            let Ok(template) = template(&model) else { return Ok(()) };
            let json: serde_json::Value = serde_json::from_str(&template.fill(r#"{"a": "{model}"}"#)).unwrap();
            prop_assert_eq!(json["a"].as_str(), Some(model.as_str()));
            let toml: toml::Table = toml::from_str(&template.fill("a = \"{model}\"")).unwrap();
            prop_assert_eq!(toml["a"].as_str(), Some(model.as_str()));
        }
    }
}

//! How a session names its environment.

use std::str::FromStr;

use crate::kernel::id::EnvironmentId;

use super::{SessionEnvironment, fields::is_environment_name};

/// The environment that a new session asks for.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum EnvironmentChoice {
    /// The tenant's default, if there is one.
    #[default]
    TenantDefault,
    /// None, although the tenant may have a default.
    None,
    Named(EnvironmentReference),
    /// The version of an earlier session, also if the environment was deleted since.
    Pinned(SessionEnvironment),
}

/// `<name or id>[@<version>]`; without a version, the newest.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct EnvironmentReference {
    pub key: EnvironmentKey,
    pub version: Option<i32>,
}

/// The id or the name of an environment. No environment has a name that is an id.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum EnvironmentKey {
    Id(EnvironmentId),
    Name(String),
}

impl EnvironmentChoice {
    /// Parses the field of a session; an empty text asks for no environment.
    pub fn parse(text: Option<&str>) -> Result<Self, String> {
        match text {
            None => Ok(Self::TenantDefault),
            Some("") => Ok(Self::None),
            Some(text) => text.parse().map(Self::Named),
        }
    }
}

impl FromStr for EnvironmentReference {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = || "must be the name or the id of an environment, with @ and a version or without".to_owned();
        let (key, version) = match text.split_once('@') {
            Some((key, version)) => {
                let number = version.parse().ok().filter(|number| *number > 0);
                (key, Some(number.ok_or_else(form)?))
            }
            None => (text, None),
        };
        let key = match key.parse() {
            Ok(id) => EnvironmentKey::Id(id),
            Err(_) if is_environment_name(key) => EnvironmentKey::Name(key.to_owned()),
            Err(_) => return Err(form()),
        };
        Ok(Self { key, version })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_names_its_environment_by_name_or_id_with_or_without_a_version() {
        let id = EnvironmentId::new();
        let named = |key, version| Ok(EnvironmentReference { key, version });
        assert_eq!("backend".parse(), named(EnvironmentKey::Name("backend".to_owned()), None));
        assert_eq!("backend@3".parse(), named(EnvironmentKey::Name("backend".to_owned()), Some(3)));
        assert_eq!(format!("{id}@12").parse(), named(EnvironmentKey::Id(id), Some(12)));
        for wrong in ["@1", "a b", "backend@", "backend@0", "backend@-1", "backend@x", "a@1@2", "backend@99999999999"] {
            assert!(wrong.parse::<EnvironmentReference>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_absent_field_asks_for_the_default_and_an_empty_one_for_none() {
        assert_eq!(EnvironmentChoice::parse(None), Ok(EnvironmentChoice::TenantDefault));
        assert_eq!(EnvironmentChoice::parse(Some("")), Ok(EnvironmentChoice::None));
        assert!(EnvironmentChoice::parse(Some("a/b")).is_err());
    }
}

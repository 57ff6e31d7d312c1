//! Scopes: restrictions of a credential below its role. A scope is an area with the right to read or to write it.

use std::{fmt, str::FromStr};

use serde::{Serialize, Serializer};

/// A part of the API, determined by the first segment of its paths.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Area {
    Agents,
    ApiKeys,
    Audit,
    Environments,
    Models,
    Secrets,
    Sessions,
    Tenants,
    FineTuning,
    Usage,
    Users,
}

impl Area {
    pub const ALL: [Self; 11] = [
        Self::Agents,
        Self::ApiKeys,
        Self::Audit,
        Self::Environments,
        Self::Models,
        Self::Secrets,
        Self::Sessions,
        Self::Tenants,
        Self::FineTuning,
        Self::Usage,
        Self::Users,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Agents => "agents",
            Self::ApiKeys => "api_keys",
            Self::Audit => "audit",
            Self::Environments => "environments",
            Self::Models => "models",
            Self::Secrets => "secrets",
            Self::Sessions => "sessions",
            Self::Tenants => "tenants",
            Self::FineTuning => "fine_tuning",
            Self::Usage => "usage",
            Self::Users => "users",
        }
    }

    /// The area of a path below `/api/v1/`; `None` for paths that need no scope, such as `/me`, or that check the
    /// scope of what they name, such as the topics of `/live`.
    pub fn of_path(path: &str) -> Option<Self> {
        match path.strip_prefix("/api/v1/")?.split('/').next()? {
            "agents" | "marketplace" | "runners" => Some(Self::Agents),
            "api-keys" => Some(Self::ApiKeys),
            "audit" => Some(Self::Audit),
            "environments" => Some(Self::Environments),
            "models" | "base-models" | "experiments" => Some(Self::Models),
            "secrets" => Some(Self::Secrets),
            "sessions" | "a2a" => Some(Self::Sessions),
            "tenant" | "tenants" => Some(Self::Tenants),
            "fine-tuning" => Some(Self::FineTuning),
            "usage" => Some(Self::Usage),
            "users" => Some(Self::Users),
            _ => None,
        }
    }
}

/// A permitted use of a credential, such as `sessions:read`. Writing includes reading.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Scope {
    pub area: Area,
    pub write: bool,
}

impl Scope {
    /// Whether this scope allows what `needed` asks for.
    pub fn allows(self, needed: Self) -> bool {
        self.area == needed.area && (self.write || !needed.write)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.area.name(), if self.write { "write" } else { "read" })
    }
}

impl Serialize for Scope {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl FromStr for Scope {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let unknown = || {
            let areas: Vec<_> = Area::ALL.into_iter().map(Area::name).collect();
            format!(
                "{text:?} is not a scope: use `<area>:read` or `<area>:write`, where the area is one of {}",
                areas.join(", ")
            )
        };
        let (area, may) = text.split_once(':').ok_or_else(unknown)?;
        let area = Area::ALL.into_iter().find(|known| known.name() == area).ok_or_else(unknown)?;
        match may {
            "read" => Ok(Self { area, write: false }),
            "write" => Ok(Self { area, write: true }),
            _ => Err(unknown()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scope_parses_back_to_itself() {
        for area in Area::ALL {
            for write in [false, true] {
                let scope = Scope { area, write };
                assert_eq!(scope.to_string().parse(), Ok(scope));
            }
        }
        for wrong in ["", "sessions", "sessions:", "sessions:all", "Sessions:read", "session:read", ":read"] {
            assert!(wrong.parse::<Scope>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn writing_includes_reading_and_no_area_includes_another() {
        let scope = |text: &str| text.parse::<Scope>().unwrap();
        assert!(scope("sessions:write").allows(scope("sessions:read")));
        assert!(!scope("sessions:read").allows(scope("sessions:write")));
        assert!(!scope("sessions:write").allows(scope("users:read")));
    }
}

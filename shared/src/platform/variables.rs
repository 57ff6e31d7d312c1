//! Environment variables. An error names the variable.

use std::{collections::BTreeMap, time::Duration};

use crate::kernel::error::{Code, Error, Result};

/// Environment variables, with errors that name them.
pub struct Variables(BTreeMap<String, String>);

impl Variables {
    /// The variables of this process. Values that are not Unicode are left out.
    pub fn of_process() -> Self {
        Self(
            std::env::vars_os()
                .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
                .collect(),
        )
    }

    /// The same with one variable replaced.
    #[must_use]
    pub fn with_variable(mut self, name: &str, value: String) -> Self {
        self.0.insert(name.to_owned(), value);
        self
    }

    /// The same with a default for a variable.
    #[must_use]
    pub fn with_default(self, name: &str, value: &str) -> Self {
        if self.get(name).is_some() { self } else { self.with_variable(name, value.to_owned()) }
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    pub fn required(&self, name: &str) -> Result<String> {
        self.get(name).map(str::to_owned).ok_or_else(|| invalid_variable(name, "must be set"))
    }

    pub fn parse_or<T: std::str::FromStr>(&self, name: &str, default: T) -> Result<T> {
        self.get(name).map_or(Ok(default), |text| text.parse().map_err(|_| invalid_variable(name, "cannot be read")))
    }

    /// A duration in seconds, with a fraction if need be.
    pub fn seconds_or(&self, name: &str, default: Duration) -> Result<Duration> {
        let seconds: f64 = self.parse_or(name, default.as_secs_f64())?;
        Duration::try_from_secs_f64(seconds).map_err(|_| invalid_variable(name, "must be a number of seconds"))
    }
}

impl<const N: usize> From<[(&str, &str); N]> for Variables {
    fn from(pairs: [(&str, &str); N]) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }
}

/// The error for a variable that is missing or wrong.
pub(crate) fn invalid_variable(name: &str, why: &str) -> Error {
    Error::new(Code::InternalError, format!("The variable {name} {why}; see docs/configuration.md."))
}

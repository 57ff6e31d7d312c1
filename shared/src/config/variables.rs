//! The variables of the environment, each read with an error that names it.

use std::{collections::BTreeMap, time::Duration};

use crate::error::{Code, Error, Result};

/// Variables of the environment, with errors that name them.
pub struct Variables(BTreeMap<String, String>);

impl Variables {
    /// The process's own; what is not Unicode is left out.
    pub fn of_process() -> Self {
        Self(
            std::env::vars_os()
                .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
                .collect(),
        )
    }

    /// The same with one variable set otherwise.
    #[must_use]
    pub fn with(mut self, name: &str, value: String) -> Self {
        self.0.insert(name.to_owned(), value);
        self
    }

    /// The same, with a value for a variable that has none.
    #[must_use]
    pub fn or(self, name: &str, value: &str) -> Self {
        if self.get(name).is_some() { self } else { self.with(name, value.to_owned()) }
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    pub fn required(&self, name: &str) -> Result<String> {
        self.get(name).map(str::to_owned).ok_or_else(|| wrong(name, "must be set"))
    }

    pub fn parsed<T: std::str::FromStr>(&self, name: &str, default: T) -> Result<T> {
        self.get(name).map_or(Ok(default), |text| text.parse().map_err(|_| wrong(name, "cannot be read")))
    }

    /// A duration in whole or broken seconds.
    pub fn seconds(&self, name: &str, default: Duration) -> Result<Duration> {
        let seconds: f64 = self.parsed(name, default.as_secs_f64())?;
        Duration::try_from_secs_f64(seconds).map_err(|_| wrong(name, "must be a number of seconds"))
    }

    /// Texts separated by colons.
    pub fn list(&self, name: &str) -> Vec<String> {
        self.get(name)
            .map(|text| text.split(':').filter(|part| !part.is_empty()).map(str::to_owned).collect())
            .unwrap_or_default()
    }
}

impl<const N: usize> From<[(&str, &str); N]> for Variables {
    fn from(pairs: [(&str, &str); N]) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }
}

/// Why a variable ends the start.
pub(crate) fn wrong(name: &str, why: &str) -> Error {
    Error::new(Code::InternalError, format!("The variable {name} {why}; see docs/configuration.md."))
}

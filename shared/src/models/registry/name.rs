//! Names of models, aliases and versions, and references to them. Pure.
//!
//! A version begins with a digit and an alias with a letter, so they cannot be confused.

use std::{fmt, str::FromStr};

use serde::{Serialize, Serializer};

/// The prefix of references to models of the registry.
pub const REGISTRY: &str = "registry/";

/// The prefix of references to experiments.
pub const EXPERIMENT: &str = "experiment/";

/// The largest part of a version that callers may choose.
const LARGEST_PART: i32 = 999_999;

/// The name of a model, unique in its tenant.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Name(String);

/// A name that points at one version of a model, and may be moved to another.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Alias(String);

/// `major.minor.patch[-build]`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Version {
    pub major: i32,
    pub minor: i32,
    pub patch: i32,
    pub build: Option<String>,
}

/// The target of a reference: an alias or a version.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Target {
    Alias(Alias),
    Version(Version),
}

/// `registry/<name>@<alias or version>`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Reference {
    pub name: Name,
    pub target: Target,
}

impl Name {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let fits = (1..=100).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'));
        let refusal = "must have 1 to 100 of the characters A-Z a-z 0-9 _ . -, the first a letter or a digit";
        if fits { Ok(Self(text.to_owned())) } else { Err(refusal.to_owned()) }
    }
}

impl Alias {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Alias {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let fits = (1..=50).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_lowercase())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-'));
        let refusal = "must have 1 to 50 of the characters a-z 0-9 _ -, the first a letter";
        if fits { Ok(Self(text.to_owned())) } else { Err(refusal.to_owned()) }
    }
}

impl Version {
    pub const FIRST: Self = Self { major: 1, minor: 0, patch: 0, build: None };

    /// Whether callers may choose it: higher numbers must remain possible.
    pub fn may_be_chosen(&self) -> bool {
        [self.major, self.minor, self.patch].iter().all(|part| *part <= LARGEST_PART)
    }
}

impl FromStr for Version {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parse = || {
            let (numbers, build) = text.split_once('-').map_or((text, None), |(numbers, build)| (numbers, Some(build)));
            let mut parts = numbers.split('.').map(parse_number);
            let (major, minor, patch) = (parts.next()??, parts.next()??, parts.next()??);
            let of_build = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-');
            let good = parts.next().is_none()
                && build.is_none_or(|build| (1..=50).contains(&build.len()) && build.bytes().all(of_build));
            good.then(|| Self { major, minor, patch, build: build.map(str::to_owned) })
        };
        parse().ok_or_else(|| "must be major.minor.patch, and -build where it has one, such as 1.2.0".to_owned())
    }
}

/// A part of a version: a number without leading zeros.
fn parse_number(text: &str) -> Option<i32> {
    let plain = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| plain)
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Alias {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)?;
        self.build.as_ref().map_or(Ok(()), |build| write!(f, "-{build}"))
    }
}

impl Serialize for Version {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let version = || text.parse().map(Self::Version);
        let refusal = |_| "must be an alias, such as champion, or a version, such as 1.2.0".to_owned();
        text.parse().map(Self::Alias).or_else(|_| version()).map_err(refusal)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Alias(alias) => alias.fmt(f),
            Self::Version(version) => version.fmt(f),
        }
    }
}

impl FromStr for Reference {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refusal = || "must be registry/<name>@<alias or version>, such as registry/reviewer@champion".to_owned();
        let (name, target) = text.strip_prefix(REGISTRY).and_then(|rest| rest.split_once('@')).ok_or_else(refusal)?;
        let (name, target) = (name.parse().map_err(|_| refusal())?, target.parse().map_err(|_| refusal())?);
        Ok(Self { name, target })
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{REGISTRY}{}@{}", self.name, self.target)
    }
}

/// The inputs of a version that determine its number.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct MadeOf<'a> {
    pub base_model: &'a str,
    pub dataset_sha256: Option<&'a str>,
    pub recipe_hash: Option<&'a str>,
}

impl MadeOf<'_> {
    /// Whether recipe and data are known to be equal.
    fn has_the_same_data(&self, other: &MadeOf<'_>) -> bool {
        let known = self.dataset_sha256.is_some() && self.recipe_hash.is_some();
        known && (self.dataset_sha256, self.recipe_hash) == (other.dataset_sha256, other.recipe_hash)
    }
}

impl Version {
    /// The number after `newest`: another base model increments the major part, other data the minor part, and the same
    /// recipe and data the patch part.
    #[must_use]
    pub fn next_after(newest: &Self, made_of: &MadeOf<'_>, new: &MadeOf<'_>) -> Self {
        let Self { major, minor, patch, .. } = *newest;
        let (major, minor, patch) = if made_of.base_model != new.base_model {
            (major + 1, 0, 0)
        } else if made_of.has_the_same_data(new) {
            (major, minor, patch + 1)
        } else {
            (major, minor + 1, 0)
        };
        Self { major, minor, patch, build: None }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn made_of<'a>(base_model: &'a str, data: &'a str, recipe: &'a str) -> MadeOf<'a> {
        MadeOf { base_model, dataset_sha256: Some(data), recipe_hash: Some(recipe) }
    }

    #[test]
    fn a_version_follows_from_what_it_was_made_of() {
        let newest: Version = "2.3.4-rc1".parse().unwrap();
        let old = made_of("base", "data", "recipe");
        let after = |new: MadeOf<'_>| Version::next_after(&newest, &old, &new).to_string();
        assert_eq!(after(made_of("other", "data", "recipe")), "3.0.0");
        assert_eq!(after(made_of("base", "more", "recipe")), "2.4.0");
        assert_eq!(after(made_of("base", "data", "another")), "2.4.0");
        assert_eq!(after(old), "2.3.5");
        // The data of an externally trained version is unknown, so it counts as different.
        let unknown = MadeOf { base_model: "base", dataset_sha256: None, recipe_hash: None };
        assert_eq!(after(unknown), "2.4.0");
        assert_eq!(Version::next_after(&newest, &unknown, &unknown).to_string(), "2.4.0");
    }

    #[test]
    fn an_invalid_version_is_refused() {
        for wrong in ["", "1", "1.2", "1.2.3.4", "01.2.3", "1.2.-3", "1.2.3-", "1.2.3-a b", "+1.2.3", "9999999999.0.0"]
        {
            assert!(wrong.parse::<Version>().is_err(), "{wrong}");
        }
        assert!("1.2.3-a.b-c".parse::<Version>().is_ok());
        assert!(!"1000000.0.0".parse::<Version>().unwrap().may_be_chosen());
    }

    #[test]
    fn a_reference_names_a_model_and_one_alias_or_version_of_it() {
        let reference: Reference = "registry/code.review-2@champion".parse().unwrap();
        assert!(matches!(&reference.target, Target::Alias(alias) if alias.as_str() == "champion"));
        assert_eq!(reference.to_string(), "registry/code.review-2@champion");
        assert!(matches!("registry/a@1.0.0".parse::<Reference>().unwrap().target, Target::Version(_)));
        for wrong in ["registry/a", "registry/@b", "registry/a@", "registry/a@B", "registry/a/b@c", "openai/a@b", "a@b"]
        {
            assert!(wrong.parse::<Reference>().is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn nothing_is_both_an_alias_and_a_version(text in "[0-9a-z.-]{1,8}") {
            prop_assert!(text.parse::<Alias>().is_err() || text.parse::<Version>().is_err());
        }

        #[test]
        fn a_version_reads_back_as_it_is_written(text in "[0-9]{1,3}[.][0-9]{1,3}[.][0-9]{1,3}(-[0-9a-z.-]{1,5})?") {
            if let Ok(version) = text.parse::<Version>() {
                prop_assert_eq!(version.to_string(), text);
            }
        }
    }
}

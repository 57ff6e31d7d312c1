//! The domains of an allow-list.

use std::{fmt, str::FromStr};

use super::destination::{Destination, normalize_host, read_port, split_port};

/// The ports of an entry that names none: HTTP and HTTPS.
const USUAL_PORTS: [u16; 2] = [80, 443];

/// An entry of an allow-list: `example.com`, `*.example.com` (every name below it, and not itself), each with a port as
/// in `example.com:8443`. Without one, the ports 80 and 443 are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DomainPattern {
    name: String,
    is_wildcard: bool,
    port: Option<u16>,
}

impl FromStr for DomainPattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |reason: &str| format!("the domain {text:?} {reason}");
        let (inner, is_wildcard) = text.strip_prefix("*.").map_or((text, false), |inner| (inner, true));
        let (name, port) = split_port(inner).ok_or_else(|| wrong("has wrong brackets"))?;
        let port = port.map(|port| read_port(port).ok_or_else(|| wrong("has a port that is none"))).transpose()?;
        let name = normalize_host(name)
            .ok_or_else(|| wrong("is no name: write example.com, *.example.com or example.com:8443"))?;
        let is_too_wide = is_wildcard && (!name.contains('.') || name.contains(':'));
        if is_too_wide {
            Err(wrong("is too wide: name two labels after *."))
        } else {
            Ok(Self { name, is_wildcard, port })
        }
    }
}

impl DomainPattern {
    pub(super) fn matches(&self, destination: &Destination) -> bool {
        let has_name =
            if self.is_wildcard { is_below(&destination.host, &self.name) } else { destination.host == self.name };
        has_name && self.covers_port(destination.port)
    }

    /// Whether everything that the other entry matches is matched by this one.
    pub(super) fn covers(&self, other: &Self) -> bool {
        let has_name = match (self.is_wildcard, other.is_wildcard) {
            (true, true) => other.name == self.name || is_below(&other.name, &self.name),
            (true, false) => is_below(&other.name, &self.name),
            (false, true) => false,
            (false, false) => other.name == self.name,
        };
        let has_ports = other.port.map_or(self.port.is_none(), |port| self.covers_port(port));
        has_name && has_ports
    }

    fn covers_port(&self, port: u16) -> bool {
        self.port.map_or_else(|| USUAL_PORTS.contains(&port), |own| own == port)
    }
}

fn is_below(name: &str, domain: &str) -> bool {
    name.strip_suffix(domain).is_some_and(|above| above.len() > 1 && above.ends_with('.'))
}

impl fmt::Display for DomainPattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let wildcard = if self.is_wildcard { "*." } else { "" };
        match self.port {
            Some(port) => write!(formatter, "{wildcard}{}", Destination { host: self.name.clone(), port }),
            None => write!(formatter, "{wildcard}{}", self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, destination: &str) -> bool {
        let pattern: DomainPattern = pattern.parse().unwrap();
        pattern.matches(&Destination::parse(destination, None).unwrap())
    }

    #[test]
    fn a_domain_matches_itself_and_a_wildcard_only_what_is_below_it() {
        for (pattern, destination, expected) in [
            ("example.com", "EXAMPLE.com.:443", true),
            ("example.com", "example.com:80", true),
            ("example.com", "example.com:22", false),
            ("example.com", "a.example.com:443", false),
            ("*.example.com", "a.b.example.com:443", true),
            ("*.example.com", "example.com:443", false),
            ("*.example.com", "notexample.com:443", false),
            ("*.example.com", "example.com.evil.org:443", false),
            ("example.com:8443", "example.com:8443", true),
            ("example.com:8443", "example.com:443", false),
            ("[2606:4700::1]:443", "[2606:4700::1]:443", true),
        ] {
            assert_eq!(matches(pattern, destination), expected, "{pattern} {destination}");
        }
    }

    #[test]
    fn an_entry_covers_only_what_it_matches_as_a_whole() {
        let covers = |one: &str, other: &str| {
            one.parse::<DomainPattern>().unwrap().covers(&other.parse::<DomainPattern>().unwrap())
        };
        assert!(covers("*.example.com", "a.example.com") && covers("*.example.com", "*.a.example.com"));
        assert!(covers("*.example.com", "*.example.com") && covers("example.com", "example.com:443"));
        assert!(!covers("*.example.com", "example.com") && !covers("a.example.com", "*.example.com"));
        assert!(!covers("example.com:443", "example.com") && !covers("example.com", "example.com:22"));
    }

    #[test]
    fn entries_that_are_no_domain_or_too_wide_are_refused_with_the_reason() {
        for (text, reason) in [
            ("", "is no name"),
            ("*", "is no name"),
            ("*.com", "is too wide"),
            ("a.*.com", "is no name"),
            ("https://example.com", "a port that is none"),
            ("example.com:https", "a port that is none"),
            ("example.com/path", "is no name"),
        ] {
            let refused = text.parse::<DomainPattern>().unwrap_err();
            assert!(refused.contains(reason), "{refused}");
        }
        assert_eq!("*.Example.com:8443".parse::<DomainPattern>().unwrap().to_string(), "*.example.com:8443");
    }
}

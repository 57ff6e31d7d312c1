//! A host and a port as a client names them.

use std::{fmt, net::Ipv6Addr};

/// The longest name that the domain name system has.
const LONGEST_NAME: usize = 253;
const LONGEST_LABEL: usize = 63;

/// A host, in lower case and without the dot at its end, and a port. An address of IPv6 has no brackets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Destination {
    pub(super) host: String,
    pub(super) port: u16,
}

impl Destination {
    /// Reads `host:port` or `[address]:port`. Without a port, it is the default one.
    pub(super) fn parse(text: &str, default_port: Option<u16>) -> Option<Self> {
        let (host, port) = split_port(text)?;
        let port = port.map_or(default_port, read_port)?;
        Some(Self { host: normalize_host(host)?, port })
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(formatter, "[{host}]:{port}") } else { write!(formatter, "{host}:{port}") }
    }
}

/// Separates a port from a host. Brackets are removed.
pub(super) fn split_port(text: &str) -> Option<(&str, Option<&str>)> {
    if let Some(inner) = text.strip_prefix('[') {
        let (host, rest) = inner.split_once(']')?;
        host.parse::<Ipv6Addr>().ok()?;
        return if rest.is_empty() { Some((host, None)) } else { Some((host, Some(rest.strip_prefix(':')?))) };
    }
    Some(text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port))))
}

/// A port is digits alone; 0 is none.
pub(super) fn read_port(text: &str) -> Option<u16> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|port| is_plain && *port != 0)
}

/// A name or an address in its one spelling; none for what is neither.
pub(super) fn normalize_host(text: &str) -> Option<String> {
    if let Ok(v6) = text.parse::<Ipv6Addr>() {
        return Some(v6.to_string());
    }
    let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let is_label = |label: &str| (1..=LONGEST_LABEL).contains(&label.len()) && label.bytes().all(is_letter);
    (name.len() <= LONGEST_NAME && name.split('.').all(is_label)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_destination_has_one_spelling() {
        let read = |text: &str| Destination::parse(text, Some(80)).map(|one| one.to_string());
        for (text, expected) in [
            ("Example.COM.:443", "example.com:443"),
            ("example.com", "example.com:80"),
            ("[::1]:8080", "[::1]:8080"),
            ("[0:0::1]", "[::1]:80"),
            ("10.0.0.1:1", "10.0.0.1:1"),
        ] {
            assert_eq!(read(text).as_deref(), Some(expected));
        }
    }

    #[test]
    fn texts_that_are_no_destination_are_refused() {
        let long = format!("{}:80", "a".repeat(64));
        for text in [
            "",
            ":80",
            "a:0",
            "a:65536",
            "a:+80",
            "a:80:90",
            "a b:80",
            "a..b:80",
            "user@a:80",
            "::1:80",
            "[::1",
            "[a]:80",
            "[::1]80",
            "ä.example:80",
            "a/b:80",
            "a\r\n:80",
            &long,
        ] {
            assert_eq!(Destination::parse(text, Some(80)), None, "{text:?}");
        }
        assert_eq!(Destination::parse("example.com", None), None);
    }
}

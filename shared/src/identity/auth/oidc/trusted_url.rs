//! Which URLs of issuers are accepted.

use reqwest::Url;

/// Parses the URL of an issuer or its keys, which must use TLS unless it is on this machine.
pub(super) fn parse_safe_url(url: &str) -> Result<Url, String> {
    let parsed = Url::parse(url).map_err(|error| format!("{url} is not a URL: {error}"))?;
    let plain = parsed.scheme() == "http" && is_loopback(&parsed);
    if parsed.scheme() != "https" && !plain {
        return Err(format!("{url} is not https"));
    }
    if !parsed.username().is_empty() || parsed.password().is_some() || parsed.fragment().is_some() {
        return Err(format!("{url} contains a user, a password or a fragment"));
    }
    Ok(parsed)
}

/// Parses a URL that an issuer refers to. Only an issuer on this machine may refer to this machine.
pub(super) fn check_referred_url(issuer: &str, url: &str) -> Result<Url, String> {
    let target = parse_safe_url(url)?;
    let own = Url::parse(issuer).is_ok_and(|issuer| is_loopback(&issuer));
    if is_loopback(&target) && !own {
        return Err(format!("{url} is on this machine, but the issuer is not"));
    }
    Ok(target)
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

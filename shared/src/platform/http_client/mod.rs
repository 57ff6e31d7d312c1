//! Calls to URLs that users give. They reach the public internet and the addresses that the configuration allows.
//!
//! The client's own resolver checks the address of a name when it connects, so a name that changes its address after
//! the check gains nothing. Redirects are not followed.

pub mod address;

use std::{
    net::{IpAddr, SocketAddr},
    str::FromStr,
    sync::Arc,
    time::Duration,
};

use futures_util::future::BoxFuture;
use reqwest::{
    Client, Method, RequestBuilder, Url,
    dns::{Addrs, Name, Resolve, Resolving},
    redirect,
};

use self::address::{Block, is_public};
use crate::{
    kernel::error::{Error, Result},
    platform::tls::http_client_builder,
};

const CONNECT_TIME: Duration = Duration::from_secs(5);

/// The default timeout of a call.
const CALL_TIME: Duration = Duration::from_secs(30);

/// The refusal of a URL that leads nowhere a user may send us.
const NOT_PERMITTED: &str = "must be an https URL, unless the operator permits its host and port with OUTBOUND_ALLOW";

/// Addresses that may be called although they are not public.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct AllowedDestinations {
    blocks: Vec<Block>,
    /// Reachable by plain HTTP too.
    places: Vec<(String, u16)>,
}

impl FromStr for AllowedDestinations {
    type Err = String;

    /// Parses blocks of addresses and `host:port` pairs, separated by commas.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut allowed = Self::default();
        for one in text.split(',').map(str::trim).filter(|one| !one.is_empty()) {
            if let Some(block) = Block::parse(one) {
                allowed.blocks.push(block);
                continue;
            }
            let place = one.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
            let (host, port) = place
                .filter(|(host, _)| !host.is_empty() && !host.contains(['/', '*', '@']))
                .ok_or_else(|| format!("{one:?} is neither a block of addresses nor host:port"))?;
            allowed.places.push((host.to_ascii_lowercase(), port));
        }
        Ok(allowed)
    }
}

impl AllowedDestinations {
    /// Refuses a host that is a blocked address or a name of this machine. Other names are checked at connection time.
    pub fn check_host(&self, host: &str, port: Option<u16>) -> Result<(), &'static str> {
        // The URL parser understands every notation of an address, such as 0x7f.1.
        let read = Url::parse(&format!("https://{host}/")).map_err(|_| "names no host")?;
        let host = read.host_str().unwrap_or_default().trim_end_matches('.');
        if port.is_some_and(|port| self.names_host(host, port)) {
            return Ok(());
        }
        match parse_literal(host) {
            Some(address) if !self.opens_address(address) => Err("names an address that is not public"),
            None if host == "localhost" || host.ends_with(".localhost") => Err("names this machine"),
            _ => Ok(()),
        }
    }

    fn names_host(&self, host: &str, port: u16) -> bool {
        self.places.iter().any(|(known, at)| known == host && *at == port)
    }

    fn opens_address(&self, address: IpAddr) -> bool {
        is_public(address) || self.blocks.iter().any(|block| block.contains_address(address))
    }
}

fn parse_literal(host: &str) -> Option<IpAddr> {
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

/// Resolves a name to addresses.
pub trait Lookup: Send + Sync {
    fn lookup(&self, name: &str) -> BoxFuture<'static, std::io::Result<Vec<IpAddr>>>;
}

/// The resolver of the system.
pub struct System;

impl Lookup for System {
    fn lookup(&self, name: &str) -> BoxFuture<'static, std::io::Result<Vec<IpAddr>>> {
        let name = name.to_owned();
        Box::pin(async move { Ok(tokio::net::lookup_host((name, 0)).await?.map(|found| found.ip()).collect()) })
    }
}

/// An HTTP client for URLs of users. It is cheap to clone.
#[derive(Clone)]
pub struct Outbound {
    allowed: Arc<AllowedDestinations>,
    lookup: Arc<dyn Lookup>,
    guarded: Client,
    /// Creates the client with the addresses that the configuration allows.
    trusted: Client,
}

impl Outbound {
    pub fn new(allowed: AllowedDestinations, lookup: Arc<dyn Lookup>) -> Result<Self> {
        let allowed = Arc::new(allowed);
        let client = |guarded| {
            http_client_builder()?
                .dns_resolver(Resolver { allowed: allowed.clone(), lookup: lookup.clone(), guarded })
                .redirect(redirect::Policy::none())
                // A proxy would connect without this check.
                .no_proxy()
                .referer(false)
                .connect_timeout(CONNECT_TIME)
                .timeout(CALL_TIME)
                .build()
                .map_err(Error::internal)
        };
        let (guarded, trusted) = (client(true)?, client(false)?);
        Ok(Self { allowed, lookup, guarded, trusted })
    }

    /// Refuses a URL that its text shows to be forbidden, with a message for its owner.
    pub fn check_url(&self, text: &str) -> Result<Url, &'static str> {
        let url = Url::parse(text).map_err(|_| "is not a URL")?;
        let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
            return Err(NOT_PERMITTED);
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err("must not hold credentials");
        }
        match url.scheme() {
            "https" => {}
            "http" if self.allowed.names_host(host, port) => {}
            _ => return Err(NOT_PERMITTED),
        }
        self.allowed.check_host(host, Some(port))?;
        Ok(url)
    }

    /// Like [`Outbound::check_url`], and also resolves the name now, so that the owner gets an error early.
    pub async fn resolve_and_check(&self, text: &str) -> Result<(), &'static str> {
        let url = self.check_url(text)?;
        let host = url.host_str().unwrap_or_default();
        if parse_literal(host).is_some() || self.is_named(&url) {
            return Ok(());
        }
        let found = self.lookup.lookup(host).await.map_err(|_| "names a host that is not known")?;
        if !found.is_empty() && found.iter().all(|address| self.allowed.opens_address(*address)) {
            Ok(())
        } else {
            Err("names a host whose address is not public")
        }
    }

    /// Starts a request to a URL of a user.
    pub fn request(&self, method: Method, text: &str) -> Result<RequestBuilder, &'static str> {
        let url = self.check_url(text)?;
        Ok(self.client_of(&url).request(method, url))
    }

    /// A client for a URL of a user and the paths below it.
    pub fn client(&self, text: &str) -> Result<Client, &'static str> {
        Ok(self.client_of(&self.check_url(text)?).clone())
    }

    fn client_of(&self, url: &Url) -> &Client {
        if self.is_named(url) { &self.trusted } else { &self.guarded }
    }

    fn is_named(&self, url: &Url) -> bool {
        url.host_str().zip(url.port_or_known_default()).is_some_and(|(host, port)| self.allowed.names_host(host, port))
    }
}

/// Resolves names for a client. A guarded client refuses names with a blocked address.
struct Resolver {
    allowed: Arc<AllowedDestinations>,
    lookup: Arc<dyn Lookup>,
    guarded: bool,
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (allowed, guarded, looked_up) = (self.allowed.clone(), self.guarded, self.lookup.lookup(name.as_str()));
        Box::pin(async move {
            let found = looked_up.await?;
            // One blocked address among public ones indicates an attack.
            if guarded && !found.iter().all(|address| allowed.opens_address(*address)) {
                return Err("the name leads to an address that is not public".into());
            }
            let addresses = found.into_iter().map(|address| SocketAddr::new(address, 0));
            Ok(Box::new(addresses) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outbound(allowed: &str) -> Outbound {
        Outbound::new(allowed.parse().unwrap(), Arc::new(System)).unwrap()
    }

    #[test]
    fn only_https_without_credentials_to_open_addresses_is_taken() {
        let outbound = outbound("");
        for good in ["https://agents.example.com/x", "https://1.1.1.1:8443/", "https://[2606:4700::1111]/"] {
            assert!(outbound.check_url(good).is_ok(), "{good}");
        }
        for wrong in [
            "http://agents.example.com/",
            "ftp://agents.example.com/",
            "file:///etc/passwd",
            "https://user@agents.example.com/",
            "https://:secret@agents.example.com/",
            "https://localhost/",
            "https://a.localhost./",
            "https://LOCALHOST/",
            "https://127.0.0.1/",
            "https://127.1/",
            "https://0x7f.1/",
            "https://2130706433/",
            "https://0177.0.0.1/",
            "https://0/",
            "https://[::1]/",
            "https://[::ffff:127.0.0.1]/",
            "https://[::ffff:a9fe:a9fe]/",
            "https://[64:ff9b::a00:1]/",
            "https://169.254.169.254/latest/meta-data",
            "https://100.100.100.200/",
            "https://[fd00:ec2::254]/",
            "https://\u{ff11}\u{ff12}\u{ff17}.0.0.1/",
            "agents.example.com",
            "",
        ] {
            assert!(outbound.check_url(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_configured_closed_addresses_are_allowed() {
        let outbound = outbound("10.1.0.0/16, agents.internal:8080, 127.0.0.1:9000");
        for good in ["https://10.1.2.3/", "http://agents.internal:8080/task", "http://127.0.0.1:9000/"] {
            assert!(outbound.check_url(good).is_ok(), "{good}");
        }
        for wrong in ["https://10.2.0.1/", "http://10.1.2.3/", "http://agents.internal/", "https://127.0.0.1:9001/"] {
            assert!(outbound.check_url(wrong).is_err(), "{wrong}");
        }
        for malformed in ["*", "agents.internal", "a/b:80", "10.0.0.0/40", "https://a:443", "a:99999"] {
            assert!(malformed.parse::<AllowedDestinations>().is_err(), "{malformed}");
        }
    }
}

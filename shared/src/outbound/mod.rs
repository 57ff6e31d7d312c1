//! Calls to URLs that users give: only to the public internet, and to what the configuration allows besides.
//!
//! What a name leads to is looked at when the connection is made, by the client's own resolver: a name that led to one
//! address when it was checked and leads to another now gains nothing. Redirects are not followed.

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
use crate::error::{Error, Result};

const CONNECT_TIME: Duration = Duration::from_secs(5);

/// How long a call may take when nothing else is said.
const CALL_TIME: Duration = Duration::from_secs(30);

/// What may be called although it is not the public internet.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Allowed {
    blocks: Vec<Block>,
    /// Also by plain http.
    places: Vec<(String, u16)>,
}

impl FromStr for Allowed {
    type Err = String;

    /// Reads blocks of addresses and `host:port`, separated by commas.
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

impl Allowed {
    /// Refuses a host that is a closed address, or a name of this machine. What another name leads to is for whoever
    /// connects to look at.
    pub fn check_host(&self, host: &str, port: Option<u16>) -> Result<(), &'static str> {
        // A URL of https reads all the ways in which an address can be written, such as 0x7f.1.
        let read = Url::parse(&format!("https://{host}/")).map_err(|_| "names no host")?;
        let host = read.host_str().unwrap_or_default().trim_end_matches('.');
        if port.is_some_and(|port| self.names(host, port)) {
            return Ok(());
        }
        match literal(host) {
            Some(address) if !self.opens(address) => Err("names an address that is not public"),
            None if host == "localhost" || host.ends_with(".localhost") => Err("names this machine"),
            _ => Ok(()),
        }
    }

    fn names(&self, host: &str, port: u16) -> bool {
        self.places.iter().any(|(known, at)| known == host && *at == port)
    }

    fn opens(&self, address: IpAddr) -> bool {
        is_public(address) || self.blocks.iter().any(|block| block.holds(address))
    }
}

fn literal(host: &str) -> Option<IpAddr> {
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

/// Finds the addresses of a name.
pub trait Lookup: Send + Sync {
    fn lookup(&self, name: &str) -> BoxFuture<'static, std::io::Result<Vec<IpAddr>>>;
}

/// The system's own way.
pub struct System;

impl Lookup for System {
    fn lookup(&self, name: &str) -> BoxFuture<'static, std::io::Result<Vec<IpAddr>>> {
        let name = name.to_owned();
        Box::pin(async move { Ok(tokio::net::lookup_host((name, 0)).await?.map(|found| found.ip()).collect()) })
    }
}

/// Calls URLs of users. Cheap to clone.
#[derive(Clone)]
pub struct Outbound {
    allowed: Arc<Allowed>,
    lookup: Arc<dyn Lookup>,
    guarded: Client,
    /// For the places that the configuration names.
    trusted: Client,
}

impl Outbound {
    pub fn new(allowed: Allowed, lookup: Arc<dyn Lookup>) -> Result<Self> {
        let allowed = Arc::new(allowed);
        let client = |guarded| {
            Client::builder()
                .dns_resolver(Resolver { allowed: allowed.clone(), lookup: lookup.clone(), guarded })
                .redirect(redirect::Policy::none())
                // A proxy would connect to whatever it is told.
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

    /// Refuses a URL that may not be called, as far as can be told from its text; with a sentence for its owner.
    pub fn check(&self, text: &str) -> Result<Url, &'static str> {
        let url = Url::parse(text).map_err(|_| "is not a URL")?;
        let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
            return Err("is not a URL of https");
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err("must not hold credentials");
        }
        match url.scheme() {
            "https" => {}
            "http" if self.allowed.names(host, port) => {}
            _ => return Err("is not a URL of https"),
        }
        self.allowed.check_host(host, Some(port))?;
        Ok(url)
    }

    /// As [`Outbound::check`], and looks where its name leads now; for a word to the owner as early as it is given.
    pub async fn verify(&self, text: &str) -> Result<(), &'static str> {
        let url = self.check(text)?;
        let host = url.host_str().unwrap_or_default();
        if literal(host).is_some() || self.is_named(&url) {
            return Ok(());
        }
        let found = self.lookup.lookup(host).await.map_err(|_| "names a host that is not known")?;
        if !found.is_empty() && found.iter().all(|address| self.allowed.opens(*address)) {
            Ok(())
        } else {
            Err("names a host whose address is not public")
        }
    }

    /// A call to a URL of a user, to be finished and sent.
    pub fn request(&self, method: Method, text: &str) -> Result<RequestBuilder, &'static str> {
        let url = self.check(text)?;
        Ok(self.client_of(&url).request(method, url))
    }

    /// What calls a URL of a user and all that is below it, and nothing else.
    pub fn client(&self, text: &str) -> Result<Client, &'static str> {
        Ok(self.client_of(&self.check(text)?).clone())
    }

    fn client_of(&self, url: &Url) -> &Client {
        if self.is_named(url) { &self.trusted } else { &self.guarded }
    }

    fn is_named(&self, url: &Url) -> bool {
        url.host_str().zip(url.port_or_known_default()).is_some_and(|(host, port)| self.allowed.names(host, port))
    }
}

/// Resolves names for a client, and for a guarded one refuses those that lead to a closed address.
struct Resolver {
    allowed: Arc<Allowed>,
    lookup: Arc<dyn Lookup>,
    guarded: bool,
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (allowed, guarded, looked_up) = (self.allowed.clone(), self.guarded, self.lookup.lookup(name.as_str()));
        Box::pin(async move {
            let found = looked_up.await?;
            // One closed address among open ones is no accident.
            if guarded && !found.iter().all(|address| allowed.opens(*address)) {
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
            assert!(outbound.check(good).is_ok(), "{good}");
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
            assert!(outbound.check(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_the_configuration_names_is_allowed_and_nothing_beside_it() {
        let outbound = outbound("10.1.0.0/16, agents.internal:8080, 127.0.0.1:9000");
        for good in ["https://10.1.2.3/", "http://agents.internal:8080/task", "http://127.0.0.1:9000/"] {
            assert!(outbound.check(good).is_ok(), "{good}");
        }
        for wrong in ["https://10.2.0.1/", "http://10.1.2.3/", "http://agents.internal/", "https://127.0.0.1:9001/"] {
            assert!(outbound.check(wrong).is_err(), "{wrong}");
        }
        for malformed in ["*", "agents.internal", "a/b:80", "10.0.0.0/40", "https://a:443", "a:99999"] {
            assert!(malformed.parse::<Allowed>().is_err(), "{malformed}");
        }
    }
}

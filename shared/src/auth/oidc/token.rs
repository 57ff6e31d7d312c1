//! Checking a token: its form, its signature by a key of its issuer, and its claims.

use jsonwebtoken::{Algorithm, Header, Validation, dangerous::insecure_decode_claims, decode, decode_header};
use serde::Deserialize;

use crate::{
    clock::Time,
    error::{Error, Result},
};

use super::{
    Oidc, Trusted,
    claims::{self, Claims, Said},
    keys::Found,
};

/// The longest token that is looked at.
pub(super) const MOST_BYTES: usize = 16 * 1024;

/// Whether a credential has the form of a token: three parts with dots between them.
pub(in crate::auth) fn looks_like_one(text: &str) -> bool {
    !text.starts_with("ioc_") && !text.starts_with("ioca_") && text.bytes().filter(|b| *b == b'.').count() == 2
}

#[derive(Deserialize)]
struct Issued {
    iss: String,
}

/// What a token says, of whom we may believe it. `Err(Refusal::Wrong)` tells the log what is wrong, and nobody else.
pub(super) async fn check<'a>(oidc: &'a Oidc, token: &str, now: Time) -> Result<(&'a Trusted, Said), Refusal> {
    let header = decode_header(token).map_err(|_| Refusal::Wrong("not a token"))?;
    refuse_unfit(&header)?;
    // Not believed yet: it only says whose key the signature has to be of.
    let issued: Issued = insecure_decode_claims(token).map_err(|_| Refusal::Wrong("no issuer"))?;
    let trusted = oidc.of(&issued.iss).ok_or(Refusal::Wrong("an issuer that is not trusted"))?;
    if !trusted.issuer.algorithms.contains(&header.alg) {
        return Err(Refusal::Wrong("an algorithm that its issuer may not use"));
    }
    let kid = header.kid.as_deref();
    let key = match trusted.keys.find(&oidc.fetcher, &trusted.issuer, kid, header.alg, now).await {
        Found::Key(key) => key,
        Found::Unknown => return Err(Refusal::Wrong("a key that its issuer does not have")),
        Found::Down => return Err(Refusal::Down),
    };
    let read = decode::<Claims>(token, &key, &signature_alone(header.alg));
    let claims = read.map_err(|_| Refusal::Wrong("a signature that is not its issuer's"))?.claims;
    let said = claims::read(&trusted.issuer, &claims, now).map_err(Refusal::Wrong)?;
    Ok((trusted, said))
}

/// Why a token is not let in.
#[derive(Debug)]
pub(super) enum Refusal {
    /// What is wrong, for the log.
    Wrong(&'static str),
    /// The issuer does not answer, so that nobody can say.
    Down,
}

/// A token that asks for what we do not understand, or that was made for something else, such as telling of a logout.
fn refuse_unfit(header: &Header) -> Result<(), Refusal> {
    if header.crit.is_some() || header.enc.is_some() || header.zip.is_some() {
        return Err(Refusal::Wrong("a token that asks for what we do not know"));
    }
    let kind = header.typ.as_deref().unwrap_or("JWT").to_ascii_lowercase();
    match kind.strip_prefix("application/").unwrap_or(&kind) {
        "jwt" | "at+jwt" => Ok(()),
        _ => Err(Refusal::Wrong("a token of another kind")),
    }
}

/// The library checks the signature; the claims are checked by our own clock, in [`claims`].
fn signature_alone(algorithm: Algorithm) -> Validation {
    let mut validation = Validation::new(algorithm);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    validation
}

impl Refusal {
    /// What the caller is told, and for the log why.
    pub(super) fn into_error(self, wrong: impl FnOnce() -> Error) -> Error {
        match self {
            Self::Wrong(why) => wrong().caused_by(why),
            Self::Down => Error::unavailable("The issuer of the token", "its keys are not known"),
        }
    }
}

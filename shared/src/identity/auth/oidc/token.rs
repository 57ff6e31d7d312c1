//! Verifies a token: its form, its signature by a key of its issuer, and its claims.

use jsonwebtoken::{Algorithm, Header, Validation, dangerous::insecure_decode_claims, decode, decode_header};
use serde::Deserialize;

use crate::{
    identity::auth::key,
    kernel::{
        clock::Time,
        error::{Error, Result},
    },
};

use super::{
    OidcIssuers, TrustedIssuer,
    claims::{self, Claims, TokenClaims},
    keys::{KeyLookup, WantedKey},
};

/// The longest accepted token in bytes.
pub(super) const MAX_BYTES: usize = 16 * 1024;

/// Whether a credential has the form of a JWT: three parts separated by dots.
pub(in crate::identity::auth) fn has_token_form(text: &str) -> bool {
    !key::PREFIXES.iter().any(|prefix| text.starts_with(prefix)) && text.bytes().filter(|b| *b == b'.').count() == 2
}

#[derive(Deserialize)]
struct UnverifiedIssuer {
    iss: String,
}

/// Verifies a token. Returns its trusted issuer and its claims.
pub(super) async fn verify_token<'a>(
    oidc: &'a OidcIssuers,
    token: &str,
    now: Time,
) -> Result<(&'a TrustedIssuer, TokenClaims), TokenRefusal> {
    let header = decode_header(token).map_err(|_| TokenRefusal::Invalid("not a token"))?;
    check_header(&header)?;
    // Not verified yet: the claim only selects the issuer whose key must verify the signature.
    let unverified: UnverifiedIssuer = insecure_decode_claims(token).map_err(|_| TokenRefusal::Invalid("no issuer"))?;
    let trusted = oidc.find_issuer(&unverified.iss).ok_or(TokenRefusal::Invalid("an untrusted issuer"))?;
    if !trusted.issuer.algorithms.contains(&header.alg) {
        return Err(TokenRefusal::Invalid("an algorithm that is not allowed for its issuer"));
    }
    let wanted = WantedKey { id: header.kid.as_deref(), algorithm: header.alg };
    let key = match trusted.keys.find_key(&oidc.fetcher, &trusted.issuer, wanted, now).await {
        KeyLookup::Key(key) => key,
        KeyLookup::Unknown => return Err(TokenRefusal::Invalid("an unknown key id")),
        KeyLookup::Unavailable => return Err(TokenRefusal::IssuerUnavailable),
    };
    let decoded = decode::<Claims>(token, &key, &signature_validation(header.alg));
    let verified = decoded.map_err(|_| TokenRefusal::Invalid("an invalid signature"))?.claims;
    let claims = claims::validate_claims(&trusted.issuer, &verified, now).map_err(TokenRefusal::Invalid)?;
    Ok((trusted, claims))
}

/// Why a token is refused.
#[derive(Debug)]
pub(super) enum TokenRefusal {
    /// The token is invalid. The reason is for the log only.
    Invalid(&'static str),
    /// The issuer does not respond, so the token cannot be verified.
    IssuerUnavailable,
}

/// Refuses a token with unsupported extensions, and another type of token, such as a logout token.
fn check_header(header: &Header) -> Result<(), TokenRefusal> {
    if header.crit.is_some() || header.enc.is_some() || header.zip.is_some() {
        return Err(TokenRefusal::Invalid("a token with unsupported extensions"));
    }
    let kind = header.typ.as_deref().unwrap_or("JWT").to_ascii_lowercase();
    match kind.strip_prefix("application/").unwrap_or(&kind) {
        "jwt" | "at+jwt" => Ok(()),
        _ => Err(TokenRefusal::Invalid("another type of token")),
    }
}

/// Validates only the signature. [`claims`] validates the claims, by the injected clock.
fn signature_validation(algorithm: Algorithm) -> Validation {
    let mut validation = Validation::new(algorithm);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    validation
}

impl TokenRefusal {
    /// The error for the caller, with the reason for the log.
    pub(super) fn into_error(self, invalid: impl FnOnce() -> Error) -> Error {
        match self {
            Self::Invalid(why) => invalid().caused_by(why),
            Self::IssuerUnavailable => Error::unavailable("The issuer of the token", "its keys are not known"),
        }
    }
}

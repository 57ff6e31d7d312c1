//! The doorbell of a session: where its agent may push, and the token that proves that it was told so.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use crate::{
    auth::key::Pepper,
    id::{SessionId, TenantId},
};

/// The header that a push brings its token in.
pub const TOKEN: &str = "x-a2a-notification-token";

/// The path that an agent pushes to.
pub fn path(tenant_id: TenantId, session_id: SessionId) -> String {
    format!("/api/v1/doorbells/{tenant_id}/{session_id}")
}

/// The token of a session's doorbell. It follows from the pepper, so nothing is kept to check it.
pub fn token(pepper: &Pepper, tenant_id: TenantId, session_id: SessionId) -> String {
    hex::encode(code(pepper, tenant_id, session_id).finalize().into_bytes())
}

/// Whether a token is that of a session's doorbell; takes the same time however wrong it is.
pub fn fits(pepper: &Pepper, tenant_id: TenantId, session_id: SessionId, token: &str) -> bool {
    hex::decode(token).is_ok_and(|token| code(pepper, tenant_id, session_id).verify_slice(&token).is_ok())
}

fn code(pepper: &Pepper, tenant_id: TenantId, session_id: SessionId) -> Hmac<Sha256> {
    let mut key = Sha256::new();
    key.update(b"doorbells of sessions\0");
    key.update(&pepper.0);
    let mut code = Hmac::new_from_slice(&key.finalize()).expect("HMAC takes a key of any length");
    code.update(tenant_id.0.as_bytes());
    code.update(session_id.0.as_bytes());
    code
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_fits_the_bell_of_its_session_alone() {
        let (pepper, tenant, session) = (Pepper(vec![1]), TenantId::new(), SessionId::new());
        let made = token(&pepper, tenant, session);
        assert!(fits(&pepper, tenant, session, &made));
        assert!(!fits(&pepper, tenant, SessionId::new(), &made));
        assert!(!fits(&pepper, TenantId::new(), session, &made));
        assert!(!fits(&Pepper(vec![2]), tenant, session, &made));
        assert!(!fits(&pepper, tenant, session, "") && !fits(&pepper, tenant, session, "é"));
    }
}

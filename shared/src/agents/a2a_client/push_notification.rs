//! Push notifications of a session: the URL path that its agent calls, and the token that authenticates the call.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use crate::kernel::{
    encryption::Pepper,
    id::{SessionId, TenantId},
};

/// The header that carries the token.
pub const TOKEN_HEADER: &str = "x-a2a-notification-token";

/// The path of the push notification endpoint of a session.
pub fn callback_path(tenant_id: TenantId, session_id: SessionId) -> String {
    format!("/api/v1/a2a/push-notifications/{tenant_id}/{session_id}")
}

/// The token of a session's push notifications. It is derived from the pepper, so nothing is stored to check it.
pub fn callback_token(pepper: &Pepper, tenant_id: TenantId, session_id: SessionId) -> String {
    hex::encode(token_mac(pepper, tenant_id, session_id).finalize().into_bytes())
}

/// Whether a token is the session's. Compared in constant time.
pub fn is_valid_token(pepper: &Pepper, tenant_id: TenantId, session_id: SessionId, token: &str) -> bool {
    hex::decode(token).is_ok_and(|token| token_mac(pepper, tenant_id, session_id).verify_slice(&token).is_ok())
}

fn token_mac(pepper: &Pepper, tenant_id: TenantId, session_id: SessionId) -> Hmac<Sha256> {
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
    fn a_push_notification_token_is_valid_only_for_its_session() {
        let (pepper, tenant, session) = (Pepper(vec![1]), TenantId::new(), SessionId::new());
        let made = callback_token(&pepper, tenant, session);
        assert!(is_valid_token(&pepper, tenant, session, &made));
        assert!(!is_valid_token(&pepper, tenant, SessionId::new(), &made));
        assert!(!is_valid_token(&pepper, TenantId::new(), session, &made));
        assert!(!is_valid_token(&Pepper(vec![2]), tenant, session, &made));
        assert!(!is_valid_token(&pepper, tenant, session, "") && !is_valid_token(&pepper, tenant, session, "é"));
    }
}

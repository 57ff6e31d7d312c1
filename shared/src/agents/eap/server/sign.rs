//! Signatures of pushes by Standard Webhooks: HMAC-SHA256 over id, time and body.

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The prefix of every signing secret.
const PREFIX: &str = "whsec_";

/// The largest accepted difference between the time of a push and now, in seconds.
pub const TOLERANCE_SECONDS: i64 = 300;

/// A new secret with 256 bits of randomness from the operating system.
pub fn new_secret() -> String {
    format!("{PREFIX}{}", STANDARD.encode(rand::random::<[u8; 32]>()))
}

/// Whether a text has the form of a secret.
pub fn is_secret(text: &str) -> bool {
    sign_body(text, "", 0, b"").is_some()
}

/// The value of `webhook-signature`; `None` when the secret has not the form of one.
pub fn sign_body(secret: &str, id: &str, timestamp: i64, body: &[u8]) -> Option<String> {
    let signed = body_mac(secret, id, timestamp, body)?.finalize().into_bytes();
    Some(format!("v1,{}", STANDARD.encode(signed)))
}

/// Whether one of the signatures in the header was made with this secret. Compared in constant time.
pub fn verify_signature(secret: &str, id: &str, timestamp: i64, body: &[u8], header: &str) -> bool {
    header.split(' ').filter_map(|one| one.strip_prefix("v1,")).any(|one| {
        let sent = STANDARD.decode(one).ok();
        sent.zip(body_mac(secret, id, timestamp, body)).is_some_and(|(sent, mac)| mac.verify_slice(&sent).is_ok())
    })
}

fn body_mac(secret: &str, id: &str, timestamp: i64, body: &[u8]) -> Option<Hmac<Sha256>> {
    let key = STANDARD.decode(secret.strip_prefix(PREFIX)?).ok()?;
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).ok()?;
    mac.update(format!("{id}.{timestamp}.").as_bytes());
    mac.update(body);
    Some(mac)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the Standard Webhooks specification.
    #[test]
    fn a_signature_is_the_one_that_standard_webhooks_describes() {
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let (id, body) = ("msg_p5jXN8AQM9LWM0D4loKWxJek", br#"{"test": 2432232314}"#);
        let signed = sign_body(secret, id, 1_614_265_330, body).unwrap();
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        assert!(verify_signature(secret, id, 1_614_265_330, body, &format!("v1,AAAA v2,x {signed}")));
        assert!(!verify_signature(secret, id, 1_614_265_331, body, &signed));
        assert!(!verify_signature(&new_secret(), id, 1_614_265_330, body, &signed));
        assert!(!is_secret("secret") && !is_secret("whsec_?") && is_secret(&new_secret()));
    }
}

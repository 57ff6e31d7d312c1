//! Message and part ids in OpenCode's form, made so that posting again is harmless: the last 14 characters follow from
//! what is said and why, so a message of ours is known again wherever it stands.
//!
//! The first 12 are a time (`unix ms * 0x1000 + counter`, 48 bits) and come from the server's own last id, never from
//! our clock: a skew between the two machines must not put an answer before its question.

use sha2::{Digest, Sha256};

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// What our ids have in common; OpenCode's own are random here.
const MARK: &str = "ioc";

/// The end of an id, from everything that makes the message the one that it is.
pub(super) fn suffix<S: AsRef<str>>(seed: &[S]) -> String {
    let mut hash = Sha256::new();
    for part in seed {
        let part = part.as_ref();
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let mut number = u128::from_be_bytes(hash.finalize()[..16].try_into().expect("16 of 32 bytes"));
    let mut text = MARK.to_owned();
    for _ in 0..11 {
        text.push(char::from(DIGITS[usize::try_from(number % 62).expect("less than 62")]));
        number /= 62;
    }
    text
}

/// The id of a message that follows `last`, or opens a session that was made at `created` (ms, the server's time).
pub(super) fn message(last: Option<&str>, created: i64, suffix: &str) -> String {
    let time = match last.and_then(time_of) {
        Some(time) => time.wrapping_add(1),
        None => u64::try_from(created).unwrap_or(0).wrapping_mul(0x1000).wrapping_add(0xfff),
    };
    format!("msg_{:012x}{suffix}", time & 0xffff_ffff_ffff)
}

/// The id of the only part of a message.
pub(super) fn part(message: &str) -> String {
    format!("prt_{}", message.strip_prefix("msg_").unwrap_or(message))
}

/// Whether a message is one that we posted.
pub(super) fn is_ours(message: &str) -> bool {
    message.get(16..19) == Some(MARK)
}

fn time_of(id: &str) -> Option<u64> {
    u64::from_str_radix(id.get(4..16)?, 16).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_same_words_for_the_same_reason_have_the_same_id() {
        assert_eq!(suffix(&["a", "bc"]), suffix(&["a", "bc"]));
        assert_ne!(suffix(&["a", "bc"]), suffix(&["ab", "c"]));
        let id = message(None, 1_795_328_482_498, &suffix(&["a"]));
        assert!(is_ours(&id), "{id}");
        assert!(!is_ours("msg_201eaa8fb001fDsc0mR6RiupqI"));
    }

    proptest! {
        #[test]
        fn an_id_has_the_form_that_the_server_takes(created in 0..4_000_000_000_000_i64, seed in ".*") {
            let id = message(None, created, &suffix(&[&seed]));
            prop_assert_eq!(id.len(), 30);
            prop_assert!(id["msg_".len()..].chars().all(|c| c.is_ascii_alphanumeric()));
            prop_assert!(part(&id).starts_with("prt_"));
        }

        #[test]
        fn a_later_message_sorts_after_the_one_before(time in 0..0xffff_ffff_fffe_u64, seed in ".*") {
            let last = format!("msg_{time:012x}zzzzzzzzzzzzzz");
            prop_assert!(message(Some(&last), 0, &suffix(&[&seed])) > last);
        }
    }
}

//! Finds what was there before: the same messages by their hash, nearly the same by `MinHash` and locality-sensitive hashing.
//!
//! A text is seen as the set of its runs of three words. Two texts are near when at least four fifths of those they have
//! together are in both, as estimated by 128 permutations. Candidates share one of 16 bands of a signature; only they are
//! compared, at most 64 of a band. A kept sample costs about 900 bytes, whatever its length.

use std::{
    array,
    collections::{HashMap, HashSet},
};

use minhash_rs::prelude::{MinHash, MinHasher, SipHashes13};
use sha2::{Digest, Sha256};

use super::{
    LeftOut,
    transcript::{Message, Speaker},
};

const PERMUTATIONS: usize = 128;
const BANDS: usize = 16;
const WORDS: usize = 3;
const NEAR: f64 = 0.8;
/// How many of one band are compared at most: texts that all share a part must not cost the square of their number.
const COMPARED: usize = 64;
const NONE: u32 = u32::MAX;

/// Of runs of words.
type Signature = MinHash<u32, PERMUTATIONS, SipHashes13, u64, String>;

/// What was kept so far.
pub struct Seen {
    exactly: HashSet<[u8; 16]>,
    signatures: Vec<Signature>,
    /// The newest sample of each band by its hash; each then names the one before it.
    newest: [HashMap<u64, u32>; BANDS],
    before: Vec<[u32; BANDS]>,
}

impl Default for Seen {
    fn default() -> Self {
        let newest = array::from_fn(|_| HashMap::new());
        Self { exactly: HashSet::new(), signatures: Vec::new(), newest, before: Vec::new() }
    }
}

impl Seen {
    /// Keeps messages that are new; else says what they are.
    pub fn judge(&mut self, messages: &[Message]) -> Option<LeftOut> {
        if !self.exactly.insert(exact(messages)) {
            return Some(LeftOut::Duplicate);
        }
        let signature = signature(messages);
        let bands = signature.band_hashes::<BANDS>();
        if self.is_near(&signature, &bands) {
            return Some(LeftOut::NearDuplicate);
        }
        let number = u32::try_from(self.signatures.len()).unwrap_or(NONE);
        self.signatures.push(signature);
        self.before.push(array::from_fn(|band| self.newest[band].insert(bands[band], number).unwrap_or(NONE)));
        None
    }

    fn is_near(&self, signature: &Signature, bands: &[u64; BANDS]) -> bool {
        (0..BANDS).any(|band| {
            let mut at = self.newest[band].get(&bands[band]).copied().unwrap_or(NONE);
            for _ in 0..COMPARED {
                let Some(other) = self.signatures.get(at as usize) else { return false };
                if signature.estimate_jaccard_index(other) >= NEAR {
                    return true;
                }
                at = self.before[at as usize][band];
            }
            false
        })
    }
}

/// The first half of a hash over who said what.
fn exact(messages: &[Message]) -> [u8; 16] {
    let mut hash = Sha256::new();
    for message in messages {
        hash.update([message.role as u8]);
        hash.update((message.content.len() as u64).to_be_bytes());
        hash.update(&message.content);
    }
    let whole = hash.finalize();
    array::from_fn(|at| whole[at])
}

fn signature(messages: &[Message]) -> Signature {
    // A prompt of the system is the same in all of them.
    let said = messages.iter().filter(|message| message.role != Speaker::System);
    let text: String = said.flat_map(|message| [message.content.as_str(), "\n"]).collect();
    let text = text.to_lowercase();
    let words: Vec<&str> = text.split_whitespace().collect();
    let run = WORDS.min(words.len()).max(1);
    words.windows(run).map(|words| words.join(" ")).collect()
}

#[cfg(test)]
#[path = "duplicates_tests.rs"]
mod tests;

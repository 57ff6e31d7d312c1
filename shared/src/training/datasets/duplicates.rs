//! Finds duplicates: equal messages by their hash, and similar ones by `MinHash` and locality-sensitive hashing.
//!
//! A text is a set of three-word shingles. Two texts are similar when their Jaccard similarity is at least 0.8, as
//! estimated with 128 permutations. Candidates share one of 16 bands of a signature; only they are compared, at most 64
//! per band. A stored sample costs about 900 bytes, whatever its length.

use std::{
    array,
    collections::{HashMap, HashSet},
};

use minhash_rs::prelude::{MinHash, MinHasher, SipHashes13};
use sha2::{Digest, Sha256};

use super::{
    ExclusionCause,
    transcript::{ChatMessage, Speaker},
};

const PERMUTATIONS: usize = 128;
const BANDS: usize = 16;
const WORDS: usize = 3;
const NEAR: f64 = 0.8;
/// The most comparisons per band, which keeps the cost linear for texts that all share a part.
const COMPARED: usize = 64;
const NONE: u32 = u32::MAX;

/// A signature of shingles.
type Signature = MinHash<u32, PERMUTATIONS, SipHashes13, u64, String>;

/// The samples so far.
pub struct DuplicateIndex {
    exactly: HashSet<[u8; 16]>,
    signatures: Vec<Signature>,
    /// The newest sample of each band, by hash. Each links to the one before it.
    newest: [HashMap<u64, u32>; BANDS],
    before: Vec<[u32; BANDS]>,
}

impl Default for DuplicateIndex {
    fn default() -> Self {
        let newest = array::from_fn(|_| HashMap::new());
        Self { exactly: HashSet::new(), signatures: Vec::new(), newest, before: Vec::new() }
    }
}

impl DuplicateIndex {
    /// Adds messages that are new; else returns which kind of duplicate they are.
    pub fn find_duplicate(&mut self, messages: &[ChatMessage]) -> Option<ExclusionCause> {
        if !self.exactly.insert(exact_hash(messages)) {
            return Some(ExclusionCause::Duplicate);
        }
        let signature = minhash_signature(messages);
        let bands = signature.band_hashes::<BANDS>();
        if self.is_near(&signature, &bands) {
            return Some(ExclusionCause::NearDuplicate);
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

/// The first half of a hash of all messages.
fn exact_hash(messages: &[ChatMessage]) -> [u8; 16] {
    let mut hash = Sha256::new();
    for message in messages {
        hash.update([message.role as u8]);
        hash.update((message.content.len() as u64).to_be_bytes());
        hash.update(&message.content);
    }
    let whole = hash.finalize();
    array::from_fn(|at| whole[at])
}

fn minhash_signature(messages: &[ChatMessage]) -> Signature {
    // The system prompt is the same in all samples.
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

//! Differences between trees and contents of indexes, as git prints them.

use std::collections::BTreeMap;

use super::untracked::split_nul;

/// A path whose content differs between two trees.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct TreeChange {
    pub(super) path: Vec<u8>,
    /// `A`, `M`, `D` or `T`.
    pub(super) status: u8,
    pub(super) old_mode: String,
    pub(super) new_mode: String,
    pub(super) old_object: String,
    pub(super) new_object: String,
}

/// Reads `:mode mode object object status NUL path NUL`.
pub(super) fn parse_raw_changes(output: &[u8]) -> Vec<TreeChange> {
    let mut fields = split_nul(output);
    let mut changes = Vec::new();
    while let (Some(facts), Some(path)) = (fields.next(), fields.next()) {
        let facts = String::from_utf8_lossy(facts);
        let facts: Vec<_> = facts.trim_start_matches(':').split(' ').collect();
        if let [old_mode, new_mode, old_object, new_object, status] = facts.as_slice() {
            changes.push(TreeChange {
                path: path.to_vec(),
                status: status.as_bytes().first().copied().unwrap_or(b'M'),
                old_mode: (*old_mode).to_owned(),
                new_mode: (*new_mode).to_owned(),
                old_object: (*old_object).to_owned(),
                new_object: (*new_object).to_owned(),
            });
        }
    }
    changes
}

/// The objects of an index by path.
pub(super) fn parse_stage(output: &[u8]) -> BTreeMap<Vec<u8>, String> {
    let entry = |line: &[u8]| {
        let tab = line.iter().position(|byte| *byte == b'\t')?;
        let object = String::from_utf8_lossy(&line[..tab]).split(' ').nth(1)?.to_owned();
        Some((line[tab + 1..].to_vec(), object))
    };
    split_nul(output).filter_map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_read_with_its_path_of_any_bytes() {
        let changes = parse_raw_changes(b":100644 120000 aa bb T\0x\ny\0:000000 100755 00 cc A\0\xff\0");
        let facts: Vec<_> =
            changes.iter().map(|one| (one.path.as_slice(), one.status, one.new_object.as_str())).collect();
        assert_eq!(facts, [(&b"x\ny"[..], b'T', "bb"), (&b"\xff"[..], b'A', "cc")]);
        assert_eq!((changes[0].old_mode.as_str(), changes[0].new_mode.as_str()), ("100644", "120000"));
    }

    #[test]
    fn an_index_is_read_by_path() {
        let objects = parse_stage(b"100644 aa 0\ta b\x00160000 cc 0\tlib\0");
        assert_eq!(objects[&b"a b"[..]], "aa");
        assert_eq!(objects[&b"lib"[..]], "cc");
    }
}

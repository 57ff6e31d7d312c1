//! The replacement for a secret, and the passages that it replaces.

use std::ops::Range;

/// The replacement for a secret.
pub const MASK: &str = "[redacted]";

/// A secret in the original text.
#[derive(Clone, Debug)]
pub(super) struct Finding {
    pub(super) span: Range<usize>,
    pub(super) kind: &'static str,
    /// The kind of the finding with the lowest rank is counted where several overlap.
    pub(super) rank: u8,
}

/// Joins findings that overlap. A secret that was found in several views counts once.
pub(super) fn join_overlaps(mut findings: Vec<Finding>) -> Vec<Finding> {
    findings.sort_by_key(|finding| (finding.span.start, finding.rank));
    let mut joined: Vec<Finding> = Vec::with_capacity(findings.len());
    for finding in findings {
        match joined.last_mut().filter(|last| finding.span.start < last.span.end) {
            Some(last) => {
                last.span.end = last.span.end.max(finding.span.end);
                if finding.rank < last.rank {
                    (last.kind, last.rank) = (finding.kind, finding.rank);
                }
            }
            None => joined.push(finding),
        }
    }
    joined
}

/// The text with the mask in place of each finding. Findings must be in order and apart.
pub(super) fn mask_findings(text: &str, findings: &[Finding]) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut at = 0;
    for finding in findings {
        let (start, end) = (text.floor_char_boundary(finding.span.start), text.ceil_char_boundary(finding.span.end));
        masked.push_str(&text[at.min(start)..start]);
        masked.push_str(MASK);
        at = end;
    }
    masked.push_str(&text[at.min(text.len())..]);
    masked
}

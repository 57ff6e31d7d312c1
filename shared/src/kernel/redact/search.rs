//! Searches a text for secrets, in every form in which a person or a program may read it.
//!
//! Each view is read from left to right a bounded number of times, and the number of views is bounded, so the cost is
//! linear in the length of the text whatever it contains.

use std::ops::Range;

use super::{
    class::Runs,
    commands::read_command_line,
    declared::{declared_value_at, option_value_at},
    encoded::decoded_view,
    forms::{KeyMarks, authorization_at, private_key_at, telegram_token_at, url_password_at},
    mask::{Finding, join_overlaps},
    shapes::shape_at,
    unescape::unescaped_view,
    view::View,
    visible::visible_view,
};

/// How often escapes are decoded. One pass decodes escapes of any depth of one kind.
const MAX_UNESCAPES: usize = 4;
/// How deep base64 in base64 is decoded.
const MAX_ENCODINGS: usize = 2;

const SHAPE: u8 = 0;
const FORM: u8 = 1;
const URL: u8 = 2;
const NAMED: u8 = 3;

/// The secrets in a text, in order and apart.
pub(super) fn find_secrets(text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    search_views(&View::of_text(text), MAX_ENCODINGS, &mut findings);
    join_overlaps(findings)
}

fn search_views(view: &View<'_>, encodings: usize, findings: &mut Vec<Finding>) {
    scan_view(view, findings);
    let visible = visible_view(view);
    if let Some(visible) = &visible {
        scan_view(visible, findings);
    }
    let visible = visible.as_ref().unwrap_or(view);
    search_encoded(visible, encodings, findings);
    let mut unescaped: Option<View<'_>> = None;
    for _ in 0..MAX_UNESCAPES {
        let Some(next) = unescaped_view(unescaped.as_ref().unwrap_or(visible)) else { break };
        scan_view(&next, findings);
        let next = match visible_view(&next) {
            Some(seen) => {
                scan_view(&seen, findings);
                seen
            }
            None => next,
        };
        unescaped = Some(next);
    }
    if let Some(unescaped) = &unescaped {
        search_encoded(unescaped, encodings, findings);
    }
}

fn search_encoded(view: &View<'_>, encodings: usize, findings: &mut Vec<Finding>) {
    if let Some(left) = encodings.checked_sub(1)
        && let Some(decoded) = decoded_view(view)
    {
        search_views(&decoded, left, findings);
    }
}

/// Reads one view from left to right.
fn scan_view(view: &View<'_>, findings: &mut Vec<Finding>) {
    let scan = Scan { view, runs: Runs::new(view), marks: KeyMarks::new(view) };
    let (mut at, mut line_end) = (0, 0);
    let mut passwords = Vec::new();
    while at < view.bytes.len() {
        if at >= line_end
            && view.bytes[at].is_ascii_alphanumeric()
            && let Some(end) = read_command_line(view, &scan.runs, at, &mut passwords)
        {
            line_end = end;
        }
        let found = scan.secret_at(at);
        let end = found.as_ref().filter(|(_, _, rank)| *rank == SHAPE).map(|(_, span, _)| span.end);
        if let Some((kind, span, rank)) = found {
            findings.push(Finding { span: view.original_span(span), kind, rank });
        }
        at = end.map_or(at + 1, |end| end.max(at + 1));
    }
    let named = |span| Finding { span: view.original_span(span), kind: "named_secret", rank: NAMED };
    findings.extend(passwords.into_iter().map(named));
}

struct Scan<'v, 'a> {
    view: &'v View<'a>,
    runs: Runs<'v>,
    marks: KeyMarks,
}

type Secret = (&'static str, Range<usize>, u8);

impl Scan<'_, '_> {
    /// The secret that begins here, or whose separator stands here.
    fn secret_at(&self, at: usize) -> Option<Secret> {
        let (view, runs) = (self.view, &self.runs);
        if let Some((kind, end)) = shape_at(view, runs, at) {
            return Some((kind, at..end, SHAPE));
        }
        let named = |value: Option<Range<usize>>| value.map(|value| ("named_secret", value, NAMED));
        match view.bytes[at] {
            b'b' | b'B' => authorization_at(view, runs, at).map(|end| ("authorization", at..end, FORM)),
            b'-' => match private_key_at(view, &self.marks, at) {
                Some(end) => Some(("private_key", at..end, SHAPE)),
                None => named(option_value_at(view, runs, at)),
            },
            b':' => telegram_token_at(view, runs, at)
                .map(|token| ("telegram", token, SHAPE))
                .or_else(|| url_password_at(view, runs, at).map(|password| ("url_password", password, URL)))
                .or_else(|| named(declared_value_at(view, runs, at))),
            b'=' | b'>' => named(declared_value_at(view, runs, at)),
            _ => None,
        }
    }
}

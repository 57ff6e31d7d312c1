//! Texts in base64 within a text, so that secrets in them are found.

use std::ops::Range;

use super::{
    class::Class,
    view::{View, ViewBuilder},
};

/// A shorter run contains no known secret.
const MIN_RUN: usize = 16;
/// A line of this length may go on in the next one.
const MIN_WRAPPED_LINE: usize = 60;
/// A shorter text in decoded bytes is a coincidence.
const MIN_TEXT: usize = 10;
/// A token of at most this length is masked as a whole. Of a longer one, only the secret in it is masked.
const MAX_TOKEN: usize = 4096;

/// The texts behind the base64 in a view, one per line; `None` if there are none.
pub(super) fn decoded_view<'b>(view: &View<'_>) -> Option<View<'b>> {
    let mut built = ViewBuilder::new(view);
    let mut is_empty = true;
    let mut at = 0;
    while let Some(run) = next_run(&view.bytes, at) {
        at = run.end;
        let digits: Vec<usize> = run.clone().filter(|at| Class::AnyBase64.contains(view.bytes[*at])).collect();
        for skipped in alignments(&view.bytes, &digits) {
            for text in decode_texts(&view.bytes, &digits[skipped..], &run) {
                is_empty = false;
                for (byte, span) in text {
                    built.push_byte(byte, span);
                }
                built.push_byte(b'\n', run.end - 1..run.end);
            }
        }
    }
    (!is_empty).then(|| built.build())
}

/// The next run of base64, with its padding. Lines that were wrapped are one run.
fn next_run(bytes: &[u8], from: usize) -> Option<Range<usize>> {
    let mut start = from;
    loop {
        start += bytes[start..].iter().position(|byte| Class::AnyBase64.contains(*byte))?;
        let mut end = line_end(bytes, start);
        let mut line = end - start;
        while line >= MIN_WRAPPED_LINE {
            let next = end + bytes[end..].iter().take(3).take_while(|byte| byte.is_ascii_whitespace()).count();
            let next_end = line_end(bytes, next);
            if next == end || next_end == next {
                break;
            }
            (line, end) = (next_end - next, next_end);
        }
        if end - start >= MIN_RUN {
            let padding = bytes[end..].iter().take(2).take_while(|byte| **byte == b'=').count();
            return Some(start..end + padding);
        }
        start = end;
    }
}

fn line_end(bytes: &[u8], start: usize) -> usize {
    start + bytes[start..].iter().take_while(|byte| Class::AnyBase64.contains(**byte)).count()
}

/// How many digits to skip: none, and up to each separator that may belong to another token. What is decoded depends
/// only on the remainder by four.
fn alignments(bytes: &[u8], digits: &[usize]) -> impl Iterator<Item = usize> {
    let mut firsts = [Some(0), None, None, None];
    for (count, at) in digits.iter().enumerate() {
        let first = &mut firsts[(count + 1) % 4];
        if first.is_none() && !bytes[*at].is_ascii_alphanumeric() {
            *first = Some(count + 1);
        }
    }
    firsts.into_iter().flatten()
}

type DecodedText = Vec<(u8, Range<usize>)>;

/// The readable texts that these digits encode.
fn decode_texts(bytes: &[u8], digits: &[usize], run: &Range<usize>) -> Vec<DecodedText> {
    let is_token = run.len() <= MAX_TOKEN;
    let mut decoded = Vec::with_capacity(digits.len());
    let mut spans = Vec::with_capacity(digits.len());
    for group in digits.chunks(4) {
        let bits = group.iter().fold(0_u32, |bits, at| bits << 6 | sextet(bytes[*at])) << (6 * (4 - group.len()));
        let span = if is_token { run.clone() } else { group[0]..group[group.len() - 1] + 1 };
        for byte in bits.to_be_bytes().into_iter().skip(1).take(group.len() - 1) {
            decoded.push(byte);
            spans.push(span.clone());
        }
    }
    let mut texts = Vec::new();
    let mut start = 0;
    for chunk in decoded.utf8_chunks() {
        let end = start + chunk.valid().len();
        if end - start >= MIN_TEXT {
            texts.push(decoded[start..end].iter().copied().zip(spans[start..end].iter().cloned()).collect());
        }
        start = end + chunk.invalid().len();
    }
    texts
}

fn sextet(byte: u8) -> u32 {
    u32::from(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' | b'-' => 62,
        _ => 63,
    })
}

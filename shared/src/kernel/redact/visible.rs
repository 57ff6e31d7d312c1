//! The text as a person sees it: without escape sequences of terminals and without invisible characters.

use std::ops::Range;

use crate::kernel::text::is_invisible;

use super::view::{View, ViewBuilder};

const ESCAPE: u8 = 0x1b;
const BACKSPACE: u8 = 0x08;

/// The longest payload of an operating system command, such as the address of a link.
const MAX_PAYLOAD: usize = 8 << 10;

/// Spellings of an escape character that remain before a colour code.
const SPELLED_ESCAPES: [&str; 12] =
    ["\\u001b", "\\u001B", "\\x1b", "\\x1B", "\\033", "\\e", "u001b", "u001B", "x1b", "x1B", "^[", "\u{241b}"];

/// What stands at a position of a text.
enum Hidden {
    /// Nobody sees these bytes.
    Nothing(usize),
    /// A command to the terminal of this length, with a payload that is not shown in place.
    Command(usize, Range<usize>),
    /// The character before it is not seen either.
    Overstrike,
    /// A colour code whose escape character was lost, or is spelled out before it.
    Colour(usize),
}

/// How often a view is cleaned: what remains of a sequence may be hidden too.
const MAX_PASSES: usize = 3;

/// The view without what nobody sees; `None` if everything is visible. Payloads of commands, such as the addresses of
/// links, follow at its end.
pub(super) fn visible_view<'b>(view: &View<'_>) -> Option<View<'b>> {
    let mut visible = remove_hidden(view)?;
    for _ in 1..MAX_PASSES {
        let Some(cleaner) = remove_hidden(&visible) else { break };
        visible = cleaner;
    }
    Some(visible)
}

fn remove_hidden<'b>(view: &View<'_>) -> Option<View<'b>> {
    let mut terminator = Terminator::default();
    let bytes = &view.bytes;
    let first = (0..bytes.len()).find(|at| hidden_at(bytes, *at, &mut terminator).is_some())?;
    let mut built = ViewBuilder::new(view);
    built.copy_bytes(0..first);
    let (mut at, mut payloads) = (first, Vec::new());
    while at < bytes.len() {
        at += match hidden_at(bytes, at, &mut terminator) {
            None => {
                built.copy_bytes(at..at + 1);
                1
            }
            Some(Hidden::Nothing(length)) => length,
            Some(Hidden::Command(length, payload)) => {
                payloads.push(payload);
                length
            }
            Some(Hidden::Overstrike) => {
                built.remove_char();
                1
            }
            Some(Hidden::Colour(length)) => {
                remove_spelled_escape(&mut built);
                length
            }
        };
    }
    for payload in payloads {
        built.push_byte(b'\n', payload.start..payload.start + 1);
        built.copy_bytes(payload);
    }
    Some(built.build())
}

/// Removes an escape character that is spelled out before a colour, with all backslashes of nested strings.
fn remove_spelled_escape(built: &mut ViewBuilder<'_, '_>) {
    let Some(spelled) = SPELLED_ESCAPES.iter().find(|spelled| built.ends_with(spelled.as_bytes())) else { return };
    spelled.chars().for_each(|_| built.remove_char());
    while built.ends_with(b"\\") {
        built.remove_char();
    }
}

fn hidden_at(bytes: &[u8], at: usize, terminator: &mut Terminator) -> Option<Hidden> {
    match bytes[at] {
        b'\t' | b'\n' | b'\r' => None,
        BACKSPACE => Some(Hidden::Overstrike),
        ESCAPE => Some(escape_sequence(bytes, at, at + 1, terminator)),
        0..0x20 | 0x7f => Some(Hidden::Nothing(1)),
        b'[' => lost_colour(bytes, at).map(Hidden::Colour),
        0xc2 => match bytes.get(at + 1)? {
            0x85 => None,
            0x9b => Some(Hidden::Nothing(2 + control_sequence(bytes, at + 2).unwrap_or(0))),
            0x90 | 0x98 | 0x9d..=0x9f => Some(command_string(bytes, at, at + 2, terminator)),
            0x80..=0x9f | 0xad => Some(Hidden::Nothing(2)),
            _ => None,
        },
        0xcc.. => invisible_character(bytes, at),
        _ => None,
    }
}

/// An escape character, with the sequence that it introduces.
fn escape_sequence(bytes: &[u8], start: usize, at: usize, terminator: &mut Terminator) -> Hidden {
    match bytes.get(at) {
        Some(b'[') => Hidden::Nothing(control_sequence(bytes, at + 1).map_or(1, |length| at + 1 + length - start)),
        Some(b']' | b'P' | b'X' | b'^' | b'_') => command_string(bytes, start, at + 1, terminator),
        Some(0x20..0x30) => Hidden::Nothing(3.min(bytes.len() - start)),
        // A command of one character. If it was the first of a token, the token stands whole in the original.
        Some(0x30..0x7f) => Hidden::Nothing(2),
        _ => Hidden::Nothing(1),
    }
}

/// The length of the parameters, intermediate bytes and final byte of a control sequence.
fn control_sequence(bytes: &[u8], at: usize) -> Option<usize> {
    let rest = &bytes[at..];
    let parameters = rest.iter().take_while(|byte| matches!(byte, 0x30..0x40)).count();
    let between = rest[parameters..].iter().take_while(|byte| matches!(byte, 0x20..0x30)).count();
    let end = parameters + between;
    matches!(rest.get(end), Some(0x40..0x7f)).then_some(end + 1)
}

/// `[31m`, as logs show it that dropped the escape character.
fn lost_colour(bytes: &[u8], at: usize) -> Option<usize> {
    let is_parameter = |byte: &&u8| byte.is_ascii_digit() || **byte == b';';
    let parameters = bytes[at + 1..].iter().take_while(is_parameter).count();
    (parameters > 0 && bytes.get(at + 1 + parameters) == Some(&b'm')).then_some(parameters + 2)
}

/// A string for the terminal, such as a title or the address of a link. Without an end, only its introducer is hidden.
fn command_string(bytes: &[u8], start: usize, payload: usize, terminator: &mut Terminator) -> Hidden {
    match terminator.next_after(bytes, payload) {
        Some((end, length)) if end - payload <= MAX_PAYLOAD => Hidden::Command(end + length - start, payload..end),
        _ => Hidden::Nothing(payload - start),
    }
}

/// The next end of a string for the terminal. It is searched once for all strings before it.
#[derive(Default)]
struct Terminator {
    /// The bytes from the first to the second position contain no end, except one at the second.
    known: Range<usize>,
}

impl Terminator {
    fn next_after(&mut self, bytes: &[u8], at: usize) -> Option<(usize, usize)> {
        let end_at = |at: usize| match (bytes.get(at)?, bytes.get(at + 1)) {
            (0x07, _) => Some(1),
            (&ESCAPE, Some(b'\\')) | (0xc2, Some(0x9c)) => Some(2),
            _ => None,
        };
        if !self.known.contains(&at) && self.known.end != at {
            self.known = at..at;
        }
        while self.known.end < bytes.len() && end_at(self.known.end).is_none() {
            self.known.end += 1;
        }
        end_at(self.known.end).map(|length| (self.known.end, length))
    }
}

/// Marks over, under or through the character before them, such as an underline.
const fn is_combining(c: char) -> bool {
    matches!(
        c,
        '\u{300}'..='\u{36f}'
            | '\u{1ab0}'..='\u{1aff}'
            | '\u{1dc0}'..='\u{1dff}'
            | '\u{20d0}'..='\u{20ff}'
            | '\u{fe20}'..='\u{fe2f}'
    )
}

fn invisible_character(bytes: &[u8], at: usize) -> Option<Hidden> {
    let width = match bytes[at] {
        0xcc..=0xdf => 2,
        0xe0..=0xef => 3,
        _ => 4,
    };
    let c = std::str::from_utf8(bytes.get(at..at + width)?).ok()?.chars().next()?;
    (is_invisible(c) || is_combining(c)).then_some(Hidden::Nothing(width))
}

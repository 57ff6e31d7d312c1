//! Detects personal data by its form: addresses, phone numbers, account numbers. A pattern finds candidates, and a rule
//! (a check digit, a range) decides.

use std::{
    borrow::Cow,
    net::{Ipv4Addr, Ipv6Addr},
    ops::Range,
    sync::LazyLock,
};

use regex::Regex;

use crate::kernel::redact::{Note, VisibleText};

/// A kind of personal data: its name, its pattern, and its replacement. The group `it` of the pattern is the candidate;
/// text before the group is kept.
struct Kind {
    name: &'static str,
    mask: &'static str,
    look: Regex,
    /// A cheap test whether a text may contain one.
    hint: fn(&str) -> bool,
    /// The length of the match in bytes, if the candidate is valid.
    length: fn(&str) -> Option<usize>,
}

impl Kind {
    fn new(
        (name, mask): (&'static str, &'static str),
        look: &str,
        hint: fn(&str) -> bool,
        length: fn(&str) -> Option<usize>,
    ) -> Self {
        Self { name, mask, look: Regex::new(look).expect("a pattern"), hint, length }
    }
}

/// In order: text that an earlier kind matched is not examined again.
static KINDS: LazyLock<[Kind; 9]> = LazyLock::new(|| {
    let phone = ("phone", "[phone]");
    let ip = ("ip_address", "[ip]");
    [
        Kind::new(("email", "[email]"), EMAIL, |text| text.contains('@'), match_email),
        Kind::new(("iban", "[iban]"), IBAN, has_digit, match_iban),
        Kind::new(("payment_card", "[card]"), CARD, has_digit, |text| is_card(text).then_some(text.len())),
        Kind::new(("national_id", "[national id]"), SSN, has_digit, |text| is_ssn(text).then_some(text.len())),
        Kind::new(phone, INTERNATIONAL, has_digit, match_telephone),
        Kind::new(phone, SAID_TO_BE_A_PHONE, has_digit, match_telephone),
        Kind::new(ip, IPV4, has_digit, |text| is_public_v4(text).then_some(text.len())),
        Kind::new(ip, IPV6, |text| text.contains(':'), public_v6),
        Kind::new(("user_name", "[user]"), HOME, |text| text.contains(['/', '\\']), match_user),
    ]
});

/// Letters, including all characters beyond ASCII.
const EMAIL: &str = r"(?P<it>[A-Za-z0-9\u{80}-\u{10FFFF}._%+-]*[A-Za-z0-9\u{80}-\u{10FFFF}_%+-]@[A-Za-z0-9\u{80}-\u{10FFFF}][A-Za-z0-9\u{80}-\u{10FFFF}.-]*\.[A-Za-z\u{80}-\u{10FFFF}]{2,24})";
const IBAN: &str = r"(?-u)\b(?P<it>[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?)\b";
/// Four groups of four digits, or groups of four, six and five, separated by blanks, hyphens or nothing.
const CARD: &str =
    r"(?-u)\b(?P<it>[2-6][0-9]{3}(?:[ -]?[0-9]{4}){2}[ -]?[0-9]{1,7}|3[0-9]{3}[ -]?[0-9]{6}[ -]?[0-9]{4,5})\b";
const SSN: &str = r"(?-u)\b(?P<it>[0-9]{3}-[0-9]{2}-[0-9]{4})\b";
/// With a country code, or in North American format.
const INTERNATIONAL: &str = r"(?:^|[^0-9A-Za-z.+/-])(?P<it>(?:\+|00)[1-9][0-9 ().-]{6,18}[0-9]|\(?[2-9][0-9]{2}\)?[ .-]{1,2}[0-9]{3}[ .-][0-9]{4}(?-u:\b))";
const SAID_TO_BE_A_PHONE: &str = r"(?-u)(?i:\b(?:tel|phone|telephone|telefon|mobile|mobil|cell|fax)\b)[ a-z.]{0,8}[:=]?[ \x22']{0,3}(?P<it>\+?[0-9(][0-9 ()/.-]{5,18}[0-9])";
const IPV4: &str = r"(?:^|[^0-9.])(?P<it>[0-9]{1,3}(?:\.[0-9]{1,3}){3})(?-u:\b)";
/// Global addresses are below `2000::/3`.
const IPV6: &str = r"(?:^|[^0-9A-Za-z:])(?P<it>[23][0-9A-Fa-f]{3}:[0-9A-Fa-f:]{2,35}[0-9A-Fa-f:])";
const HOME: &str =
    r"(?:/home/|/Users/|\\Users\\{1,2})(?P<it>[A-Za-z0-9\u{80}-\u{10FFFF}][A-Za-z0-9\u{80}-\u{10FFFF}._-]{0,31})";

/// Folders there that identify nobody.
const NOBODY: [&str; 9] = ["user", "users", "runner", "ubuntu", "root", "Shared", "Public", "app", "agent"];

/// The text without personal data. It is searched as a person sees it; the rest stays as it is.
pub(super) fn redact_personal<'a>(text: &'a str, note: Note<'_>) -> Cow<'a, str> {
    let Some(visible) = VisibleText::of_text(text) else {
        let passages = find_personal(text.to_owned(), note);
        return if passages.is_empty() { Cow::Borrowed(text) } else { Cow::Owned(replace_passages(text, passages)) };
    };
    let passages = find_personal(visible.text.clone(), note).into_iter();
    let mut passages: Passages = passages.map(|(span, mask)| (visible.original_span(span), mask)).collect();
    // The payloads of commands to a terminal stand at the end of the visible text.
    passages.sort_by_key(|(span, _)| span.start);
    Cow::Owned(replace_passages(text, passages))
}

/// Passages of personal data, each with its replacement.
type Passages = Vec<(Range<usize>, &'static str)>;

fn replace_passages(text: &str, passages: Passages) -> String {
    replace_spans(text, passages.into_iter().map(|(span, mask)| (span, Cow::Borrowed(mask))))
}

fn find_personal(mut text: String, note: Note<'_>) -> Passages {
    let mut passages = Vec::new();
    for kind in KINDS.iter().filter(|kind| (kind.hint)(&text)).collect::<Vec<_>>() {
        let found = find_kind(kind, &text);
        if found.is_empty() {
            continue;
        }
        for _ in &found {
            note(kind.name);
        }
        text = blank_spans(&text, &found);
        passages.extend(found.into_iter().map(|span| (span, kind.mask)));
    }
    passages.sort_by_key(|(span, _)| span.start);
    passages
}

fn find_kind(kind: &Kind, text: &str) -> Vec<Range<usize>> {
    let found = kind.look.captures_iter(text).filter_map(|found| {
        let it = found.name("it")?;
        let length = (kind.length)(it.as_str())?;
        Some(it.start()..it.start() + length)
    });
    found.collect()
}

/// What an earlier kind matched is not examined again.
fn blank_spans(text: &str, spans: &[Range<usize>]) -> String {
    replace_spans(text, spans.iter().map(|span| (span.clone(), Cow::Owned("[".repeat(span.len())))))
}

/// The text with these passages replaced, which are in order and apart.
fn replace_spans<'a>(text: &str, spans: impl Iterator<Item = (Range<usize>, Cow<'a, str>)>) -> String {
    let mut replaced = String::with_capacity(text.len());
    let mut at = 0;
    for (span, mask) in spans {
        let start = span.start.max(at);
        replaced.push_str(&text[at..start]);
        replaced.push_str(&mask);
        at = span.end.max(start);
    }
    replaced.push_str(&text[at..]);
    replaced
}

fn has_digit(text: &str) -> bool {
    text.bytes().any(|byte| byte.is_ascii_digit())
}

fn digits_of(text: &str) -> Vec<u32> {
    text.chars().filter_map(|c| c.to_digit(10)).collect()
}

/// `git@host` is the user of repository URLs, not a person.
fn match_email(text: &str) -> Option<usize> {
    (!text.starts_with("git@")).then_some(text.len())
}

fn match_user(name: &str) -> Option<usize> {
    (!NOBODY.contains(&name)).then_some(name.len())
}

/// The longest prefix that is a valid account number: following words may look like part of it.
fn match_iban(text: &str) -> Option<usize> {
    let ends = text.char_indices().filter(|(_, c)| *c == ' ').map(|(at, _)| at).chain([text.len()]);
    ends.collect::<Vec<_>>().into_iter().rev().find(|end| is_iban(&text[..*end]))
}

/// Validated by length and check digits (ISO 13616): the remainder modulo 97 is 1.
fn is_iban(text: &str) -> bool {
    let plain: Vec<char> = text.chars().filter(|c| *c != ' ').collect();
    if !(15..=34).contains(&plain.len()) {
        return false;
    }
    let turned = plain[4..].iter().chain(&plain[..4]).filter_map(|c| c.to_digit(36));
    turned.fold(0, |sum, digit| (sum * if digit < 10 { 10 } else { 100 } + digit) % 97) == 1
}

/// Validated by length and check digit (ISO 7812, Luhn).
fn is_card(text: &str) -> bool {
    let digits = digits_of(text);
    let doubled = |digit: u32| if digit > 4 { digit * 2 - 9 } else { digit * 2 };
    let luhn = digits.iter().rev().enumerate().map(|(at, digit)| if at % 2 == 1 { doubled(*digit) } else { *digit });
    (13..=19).contains(&digits.len()) && luhn.sum::<u32>().is_multiple_of(10)
}

/// A social security number of the United States that can have been issued.
fn is_ssn(text: &str) -> bool {
    let part = |range: std::ops::Range<usize>| text[range].to_owned();
    let area = part(0..3);
    area != "000" && area != "666" && !area.starts_with('9') && part(4..6) != "00" && part(7..11) != "0000"
}

fn match_telephone(text: &str) -> Option<usize> {
    (digits_of(text).len() >= 7).then_some(text.len())
}

/// Loopback and private addresses identify nobody.
fn is_public_v4(text: &str) -> bool {
    let address: Option<Ipv4Addr> = text.parse().ok();
    address.is_some_and(|ip| {
        !(ip.is_private() || ip.is_loopback() || ip.is_link_local() || ip.is_multicast() || ip.octets()[0] == 0)
            && ip != Ipv4Addr::BROADCAST
            && ip.octets()[0] != 255
    })
}

/// Without a colon that ends it in a sentence.
fn public_v6(text: &str) -> Option<usize> {
    let is_one = |text: &&str| text.parse::<Ipv6Addr>().is_ok();
    [text, text.trim_end_matches(':')].into_iter().find(is_one).map(str::len)
}

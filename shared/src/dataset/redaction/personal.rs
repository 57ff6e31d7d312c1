//! Personal data by its look: addresses, numbers that reach or identify somebody. A pattern finds what might be one, and a
//! rule of its kind (a check digit, a range) decides.

use std::{
    borrow::Cow,
    net::{Ipv4Addr, Ipv6Addr},
    sync::LazyLock,
};

use regex::{Captures, Regex};

use crate::redact::Note;

/// A kind of personal data: its name, what might be one, and what stands in the place of what is. In the pattern the group
/// `it` is what might be one; what stands before it stays.
struct Kind {
    name: &'static str,
    mask: &'static str,
    look: Regex,
    /// Cheap: whether a text may hold one at all.
    hint: fn(&str) -> bool,
    /// How many bytes of it are one, if it is one.
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

/// In this order: what is found first is not looked at again.
static KINDS: LazyLock<[Kind; 9]> = LazyLock::new(|| {
    let phone = ("phone", "[phone]");
    let ip = ("ip_address", "[ip]");
    [
        Kind::new(("email", "[email]"), EMAIL, |text| text.contains('@'), email),
        Kind::new(("iban", "[iban]"), IBAN, has_digit, iban),
        Kind::new(("payment_card", "[card]"), CARD, has_digit, |text| is_card(text).then_some(text.len())),
        Kind::new(("national_id", "[national id]"), SSN, has_digit, |text| is_ssn(text).then_some(text.len())),
        Kind::new(phone, INTERNATIONAL, has_digit, telephone),
        Kind::new(phone, SAID_TO_BE_A_PHONE, has_digit, telephone),
        Kind::new(ip, IPV4, has_digit, |text| is_public_v4(text).then_some(text.len())),
        Kind::new(ip, IPV6, |text| text.contains(':'), public_v6),
        Kind::new(("user_name", "[user]"), HOME, |text| text.contains(['/', '\\']), user),
    ]
});

/// Letters of all scripts, which is what lies beyond ASCII as far as these patterns go.
const EMAIL: &str = r"(?P<it>[A-Za-z0-9\u{80}-\u{10FFFF}._%+-]*[A-Za-z0-9\u{80}-\u{10FFFF}_%+-]@[A-Za-z0-9\u{80}-\u{10FFFF}][A-Za-z0-9\u{80}-\u{10FFFF}.-]*\.[A-Za-z\u{80}-\u{10FFFF}]{2,24})";
const IBAN: &str = r"(?-u)\b(?P<it>[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?)\b";
/// Groups of four digits, or of four, six and five, with a blank or a hyphen between or none.
const CARD: &str =
    r"(?-u)\b(?P<it>[2-6][0-9]{3}(?:[ -]?[0-9]{4}){2}[ -]?[0-9]{1,7}|3[0-9]{3}[ -]?[0-9]{6}[ -]?[0-9]{4,5})\b";
const SSN: &str = r"(?-u)\b(?P<it>[0-9]{3}-[0-9]{2}-[0-9]{4})\b";
/// With the code of a country, or as it is written in North America.
const INTERNATIONAL: &str = r"(?:^|[^0-9A-Za-z.+/-])(?P<it>(?:\+|00)[1-9][0-9 ().-]{6,18}[0-9]|\(?[2-9][0-9]{2}\)?[ .-]{1,2}[0-9]{3}[ .-][0-9]{4}(?-u:\b))";
const SAID_TO_BE_A_PHONE: &str = r"(?-u)(?i:\b(?:tel|phone|telephone|telefon|mobile|mobil|cell|fax)\b)[ a-z.]{0,8}[:=]?[ \x22']{0,3}(?P<it>\+?[0-9(][0-9 ()/.-]{5,18}[0-9])";
const IPV4: &str = r"(?:^|[^0-9.])(?P<it>[0-9]{1,3}(?:\.[0-9]{1,3}){3})(?-u:\b)";
/// Global addresses are below `2000::/3`.
const IPV6: &str = r"(?:^|[^0-9A-Za-z:])(?P<it>[23][0-9A-Fa-f]{3}:[0-9A-Fa-f:]{2,35}[0-9A-Fa-f:])";
const HOME: &str =
    r"(?:/home/|/Users/|\\Users\\{1,2})(?P<it>[A-Za-z0-9\u{80}-\u{10FFFF}][A-Za-z0-9\u{80}-\u{10FFFF}._-]{0,31})";

/// Folders in such places that tell nothing of anybody.
const NOBODY: [&str; 9] = ["user", "users", "runner", "ubuntu", "root", "Shared", "Public", "app", "agent"];

/// The text without personal data.
pub(super) fn redacted<'a>(text: &'a str, note: Note<'_>) -> Cow<'a, str> {
    let mut text = Cow::Borrowed(text);
    for kind in KINDS.iter() {
        if (kind.hint)(&text) && kind.look.is_match(&text) {
            text = Cow::Owned(without(kind, &text, note));
        }
    }
    text
}

fn without(kind: &Kind, text: &str, note: Note<'_>) -> String {
    let replaced = kind.look.replace_all(text, |found: &Captures<'_>| {
        let whole = &found[0];
        let it = found.name("it").and_then(|it| Some((it.start(), (kind.length)(it.as_str())?)));
        let Some((start, length)) = it else { return whole.to_owned() };
        note(kind.name);
        let start = start - found.get_match().start();
        format!("{}{}{}", &whole[..start], kind.mask, &whole[start + length..])
    });
    replaced.into_owned()
}

fn has_digit(text: &str) -> bool {
    text.bytes().any(|byte| byte.is_ascii_digit())
}

fn digits(text: &str) -> Vec<u32> {
    text.chars().filter_map(|c| c.to_digit(10)).collect()
}

/// Whoever is `git` at a host is nobody: it is how repositories are named.
fn email(text: &str) -> Option<usize> {
    (!text.starts_with("git@")).then_some(text.len())
}

fn user(name: &str) -> Option<usize> {
    (!NOBODY.contains(&name)).then_some(name.len())
}

/// The longest beginning that is an account: words may follow it that look like a part of it.
fn iban(text: &str) -> Option<usize> {
    let ends = text.char_indices().filter(|(_, c)| *c == ' ').map(|(at, _)| at).chain([text.len()]);
    ends.collect::<Vec<_>>().into_iter().rev().find(|end| is_iban(&text[..*end]))
}

/// By its length and its check digits (ISO 13616): the remainder by 97 is 1.
fn is_iban(text: &str) -> bool {
    let plain: Vec<char> = text.chars().filter(|c| *c != ' ').collect();
    if !(15..=34).contains(&plain.len()) {
        return false;
    }
    let turned = plain[4..].iter().chain(&plain[..4]).filter_map(|c| c.to_digit(36));
    turned.fold(0, |sum, digit| (sum * if digit < 10 { 10 } else { 100 } + digit) % 97) == 1
}

/// By its length and its check digit (ISO 7812, Luhn).
fn is_card(text: &str) -> bool {
    let digits = digits(text);
    let doubled = |digit: u32| if digit > 4 { digit * 2 - 9 } else { digit * 2 };
    let luhn = digits.iter().rev().enumerate().map(|(at, digit)| if at % 2 == 1 { doubled(*digit) } else { *digit });
    (13..=19).contains(&digits.len()) && luhn.sum::<u32>().is_multiple_of(10)
}

/// A social security number of the United States that can have been given to somebody.
fn is_ssn(text: &str) -> bool {
    let part = |range: std::ops::Range<usize>| text[range].to_owned();
    let area = part(0..3);
    area != "000" && area != "666" && !area.starts_with('9') && part(4..6) != "00" && part(7..11) != "0000"
}

fn telephone(text: &str) -> Option<usize> {
    (digits(text).len() >= 7).then_some(text.len())
}

/// Those of one machine or one network tell nothing of anybody.
fn is_public_v4(text: &str) -> bool {
    let address: Option<Ipv4Addr> = text.parse().ok();
    address.is_some_and(|ip| {
        !(ip.is_private() || ip.is_loopback() || ip.is_link_local() || ip.is_multicast() || ip.octets()[0] == 0)
            && ip != Ipv4Addr::BROADCAST
            && ip.octets()[0] != 255
    })
}

/// Without the colon that may follow it in a sentence.
fn public_v6(text: &str) -> Option<usize> {
    let is_one = |text: &&str| text.parse::<Ipv6Addr>().is_ok();
    [text, text.trim_end_matches(':')].into_iter().find(is_one).map(str::len)
}

//! Classes of characters, and the lengths of their runs in a view.

use std::cell::OnceCell;

use super::view::View;

/// The characters of one part of a token.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Class {
    Digit,
    Hex,
    /// Capital letters and digits.
    Upper,
    /// Small letters and digits.
    Lower,
    Alnum,
    /// Letters, digits and `_`.
    Word,
    /// Letters, digits and `-`.
    Hyphen,
    /// Letters, digits, `_` and `-`: the alphabet of URLs in base64.
    UrlSafe,
    /// Letters, digits, `_`, `-` and `.`.
    Dotted,
    /// Letters, digits, `+` and `/`: the alphabet of base64.
    Base64,
    /// Letters, digits, `_`, `-`, `+` and `/`: both alphabets of base64.
    AnyBase64,
    /// What a credential in a header may contain.
    Credential,
    /// What the user and the password in a URL may contain.
    UrlUser,
    /// A word of a command line or a parameter of a URL.
    Literal,
    /// The value of a header, up to the end of its line or of the string that contains it.
    HeaderValue,
    /// All but blanks.
    NoBlank,
    /// All but equals signs.
    NoEquals,
}

const CLASSES: usize = 17;

impl Class {
    pub(super) const fn contains(self, byte: u8) -> bool {
        match self {
            Self::Digit => byte.is_ascii_digit(),
            Self::Hex => byte.is_ascii_hexdigit(),
            Self::Upper => byte.is_ascii_digit() || byte.is_ascii_uppercase(),
            Self::Lower => byte.is_ascii_digit() || byte.is_ascii_lowercase(),
            Self::Alnum => byte.is_ascii_alphanumeric(),
            Self::Word => byte.is_ascii_alphanumeric() || byte == b'_',
            Self::Hyphen => byte.is_ascii_alphanumeric() || byte == b'-',
            Self::UrlSafe => byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'),
            Self::Dotted => byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'),
            Self::Base64 => byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'),
            Self::AnyBase64 => byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'_' | b'-'),
            Self::Credential => byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'_' | b'-' | b'.' | b'~'),
            Self::UrlUser => byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\'' | b'/' | b':' | b'@'),
            Self::Literal => {
                let ends = matches!(byte, b'"' | b'\'' | b'`' | b';' | b'|' | b'&' | b'<' | b'>' | b'(' | b')' | b',');
                byte > b' ' && !ends
            }
            Self::HeaderValue => byte >= b' ' && !matches!(byte, b'"' | b'\'' | b'`' | b'\\' | b','),
            Self::NoBlank => byte != b' ',
            Self::NoEquals => byte != b'=',
        }
    }
}

/// The runs of each class in a view. Each class is measured once, however many tokens ask for it: a run that belongs to
/// many candidates would otherwise be read for each of them.
pub(super) struct Runs<'v> {
    bytes: &'v [u8],
    lengths: [OnceCell<Vec<u32>>; CLASSES],
}

impl<'v> Runs<'v> {
    pub(super) fn new(view: &'v View<'_>) -> Self {
        Self { bytes: &view.bytes, lengths: [const { OnceCell::new() }; CLASSES] }
    }

    /// How many bytes of the class stand here in a row.
    pub(super) fn length_at(&self, class: Class, at: usize) -> usize {
        if !self.bytes.get(at).is_some_and(|byte| class.contains(*byte)) {
            return 0;
        }
        let lengths = self.lengths[class as usize].get_or_init(|| self.measure_runs(class));
        lengths[at] as usize
    }

    fn measure_runs(&self, class: Class) -> Vec<u32> {
        let mut lengths = vec![0; self.bytes.len()];
        let mut length = 0;
        for (at, byte) in self.bytes.iter().enumerate().rev() {
            length = if class.contains(*byte) { length + 1 } else { 0 };
            lengths[at] = length;
        }
        lengths
    }
}

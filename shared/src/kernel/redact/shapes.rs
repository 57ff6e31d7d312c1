//! The one list of secrets with a known shape: how a token begins, and what follows.

use std::sync::LazyLock;

use super::{
    class::{Class, Runs},
    view::View,
};

/// A kind of secret with a known shape.
pub(super) struct Shape {
    /// The kind, as the counts of redactions name it.
    pub(super) kind: &'static str,
    /// How it begins: one of these.
    prefixes: &'static [&'static str],
    before: Before,
    parts: &'static [Part],
}

/// What may stand before a token.
#[derive(Clone, Copy)]
enum Before {
    /// Anything: the prefix occurs nowhere else.
    Anything,
    /// No letter or digit of the same token.
    Boundary,
    /// No capital letter or digit, of which the token consists.
    NoCapital,
}

/// A part of a token.
#[derive(Clone, Copy)]
enum Part {
    /// At least so many characters.
    Run(Class, usize),
    /// Exactly so many characters, and no more of the class.
    Exactly(Class, usize),
    /// So many characters, whatever follows.
    First(Class, usize),
    /// From so many to so many characters, and no more of the class.
    Between(Class, usize, usize),
    Text(&'static str),
}

use Before::{Anything, Boundary, NoCapital};
use Class::{Alnum, Base64, Digit, Dotted, Hex, Hyphen, Lower, Upper, UrlSafe, Word};
use Part::{Between, Exactly, First, Run, Text};

const fn shape(kind: &'static str, before: Before, prefixes: &'static [&'static str], parts: &'static [Part]) -> Shape {
    Shape { kind, prefixes, before, parts }
}

/// Shapes of a prefix and a rest. Private keys, credentials of headers and tokens of Telegram are in `forms`.
static SHAPES: [Shape; 51] = [
    shape(
        "ioc",
        Anything,
        &["ioc_", "ioca_", "iocr_", "iocrc_"],
        &[Between(Lower, 1, 16), Text("_"), Exactly(Hex, 32), Text("_"), First(Hex, 64)],
    ),
    shape("openai_anthropic", Boundary, &["sk-"], &[Run(UrlSafe, 16)]),
    shape("github", Anything, &["ghp_", "gho_", "ghu_", "ghs_", "ghr_"], &[Run(Alnum, 20)]),
    shape("github_fine_grained", Anything, &["github_pat_"], &[Run(Word, 20)]),
    shape(
        "gitlab",
        Anything,
        &["glpat-", "glptt-", "glrt-", "gldt-", "glft-", "glsoat-", "glcbt-", "glagent-"],
        &[Run(UrlSafe, 16)],
    ),
    shape(
        "slack",
        Anything,
        &["xoxa-", "xoxb-", "xoxe-", "xoxp-", "xoxr-", "xoxs-", "xoxc-", "xoxd-"],
        &[Run(Hyphen, 10)],
    ),
    shape("slack", Anything, &["xoxe.xoxb-", "xoxe.xoxp-"], &[Run(Hyphen, 10)]),
    shape("slack", Anything, &["xapp-"], &[Exactly(Digit, 1), Text("-"), Run(Hyphen, 10)]),
    shape(
        "slack_webhook",
        Anything,
        &["hooks.slack.com/services/", "hooks.slack.com/workflows/"],
        &[Run(Class::AnyBase64, 20)],
    ),
    shape("aws", NoCapital, &["AKIA", "ASIA", "ABIA", "ACCA"], &[Exactly(Upper, 16)]),
    shape("google", Boundary, &["AIza"], &[Run(UrlSafe, 35)]),
    shape("google_oauth", Anything, &["ya29."], &[Run(UrlSafe, 20)]),
    shape("google_oauth", Anything, &["GOCSPX-"], &[Run(UrlSafe, 20)]),
    shape("stripe", Anything, &["sk_live_", "sk_test_", "rk_live_", "rk_test_", "whsec_"], &[Run(Alnum, 20)]),
    shape("stripe", Boundary, &["sk_", "rk_"], &[Run(Alnum, 20)]),
    shape("npm", Anything, &["npm_"], &[Run(Alnum, 36)]),
    shape("pypi", Anything, &["pypi-"], &[Run(UrlSafe, 50)]),
    shape("crates_io", Boundary, &["cio"], &[Exactly(Alnum, 32)]),
    shape("hugging_face", Boundary, &["hf_"], &[Run(Alnum, 30)]),
    shape("sendgrid", Boundary, &["SG."], &[Run(UrlSafe, 16), Text("."), Run(UrlSafe, 32)]),
    shape("digitalocean", Anything, &["dop_v1_", "doo_v1_", "dor_v1_"], &[First(Hex, 64)]),
    shape("databricks", Anything, &["dapi"], &[First(Hex, 32)]),
    shape("shopify_linear", Anything, &["shpat_", "shpca_", "shppa_", "shpss_"], &[First(Hex, 32)]),
    shape("shopify_linear", Anything, &["lin_api_"], &[Run(Alnum, 32)]),
    shape("azure", Anything, &["AccountKey=", "SharedAccessKey="], &[Run(Base64, 40)]),
    shape(
        "jwt",
        Anything,
        &["eyJhbGciOi", "eyJ0eXAiOi", "eyJraWQiOi"],
        &[Run(UrlSafe, 4), Text("."), Run(UrlSafe, 8), Text("."), Run(UrlSafe, 0)],
    ),
    shape("jwt", Boundary, &["eyJ"], &[Run(UrlSafe, 8), Text("."), Run(UrlSafe, 8), Text("."), Run(UrlSafe, 0)]),
    shape("openai_anthropic", Anything, &["sk-ant-"], &[Run(UrlSafe, 16)]),
    shape("docker", Anything, &["dckr_pat_", "dckr_oat_"], &[Run(UrlSafe, 20)]),
    shape("vault", Boundary, &["hvs.", "hvb.", "hvr."], &[Run(UrlSafe, 24)]),
    shape("groq", Boundary, &["gsk_"], &[Run(Alnum, 32)]),
    shape("xai", Boundary, &["xai-"], &[Run(Alnum, 40)]),
    shape("perplexity", Boundary, &["pplx-"], &[Run(Alnum, 32)]),
    shape("replicate", Boundary, &["r8_"], &[Run(Alnum, 37)]),
    shape("grafana", Anything, &["glsa_", "glc_"], &[Run(Word, 32)]),
    shape("postman", Anything, &["PMAK-"], &[Run(Hyphen, 40)]),
    shape("new_relic", Anything, &["NRAK-"], &[Run(Alnum, 27)]),
    shape("figma", Anything, &["figd_", "figo_"], &[Run(UrlSafe, 32)]),
    shape("notion", Boundary, &["ntn_"], &[Run(Alnum, 40)]),
    shape("notion", Boundary, &["secret_"], &[Exactly(Alnum, 43)]),
    shape("supabase", Anything, &["sbp_"], &[Run(Hex, 40)]),
    shape("atlassian", Anything, &["ATATT3x"], &[Run(UrlSafe, 40)]),
    shape("doppler", Boundary, &["dp.pt.", "dp.st.", "dp.sa.", "dp.ct."], &[Run(Dotted, 32)]),
    shape("planetscale", Anything, &["pscale_tkn_", "pscale_pw_", "pscale_oauth_"], &[Run(UrlSafe, 32)]),
    shape("netlify", Boundary, &["nfp_"], &[Run(Alnum, 36)]),
    shape("age", Anything, &["AGE-SECRET-KEY-1"], &[Run(Upper, 50)]),
    shape("terraform", Boundary, &["atlasv1."], &[Run(UrlSafe, 40)]),
    shape("rubygems", Anything, &["rubygems_"], &[Run(Hex, 48)]),
    shape(
        "discord_webhook",
        Anything,
        &["discord.com/api/webhooks/", "discordapp.com/api/webhooks/"],
        &[Run(Digit, 16), Text("/"), Run(UrlSafe, 40)],
    ),
    shape("square", Anything, &["sq0atp-", "sq0csp-"], &[Run(UrlSafe, 22)]),
    shape("langsmith", Anything, &["lsv2_pt_", "lsv2_sk_"], &[Run(Word, 32)]),
];

/// A shape with one of its prefixes.
type Candidate = (&'static Shape, &'static [u8]);

/// The shapes and prefixes that begin with each byte.
static BY_FIRST_BYTE: LazyLock<Vec<Vec<Candidate>>> = LazyLock::new(|| {
    let mut by_byte = vec![Vec::new(); 256];
    for shape in &SHAPES {
        for prefix in shape.prefixes {
            by_byte[usize::from(prefix.as_bytes()[0])].push((shape, prefix.as_bytes()));
        }
    }
    by_byte
});

/// The secret that begins here: its kind, and its end.
pub(super) fn shape_at(view: &View<'_>, runs: &Runs<'_>, at: usize) -> Option<(&'static str, usize)> {
    let candidates = &BY_FIRST_BYTE[usize::from(view.bytes[at])];
    candidates.iter().find_map(|(shape, prefix)| {
        let follows = view.bytes[at..].starts_with(prefix) && may_begin(view, shape.before, at);
        let end = follows.then(|| end_of_parts(view, runs, shape.parts, at + prefix.len())).flatten()?;
        Some((shape.kind, end))
    })
}

fn may_begin(view: &View<'_>, before: Before, at: usize) -> bool {
    match before {
        Anything => true,
        Boundary => view.begins_token(at),
        NoCapital => at == 0 || !Upper.contains(view.bytes[at - 1]) || view.has_gap_before(at),
    }
}

fn end_of_parts(view: &View<'_>, runs: &Runs<'_>, parts: &[Part], start: usize) -> Option<usize> {
    let mut at = start;
    for part in parts {
        at = match *part {
            Run(class, least) => Some(runs.length_at(class, at)).filter(|length| *length >= least)? + at,
            First(class, length) => (runs.length_at(class, at) >= length).then_some(at + length)?,
            Exactly(class, length) => ends_after(view, runs, class, at, length)?,
            Between(class, least, most) => {
                let length = runs.length_at(class, at);
                (least..=most).contains(&length).then_some(at + length)?
            }
            Text(text) => view.bytes[at..].starts_with(text.as_bytes()).then_some(at + text.len())?,
        };
    }
    Some(at)
}

/// Also where something that nobody sees separates it from another token.
fn ends_after(view: &View<'_>, runs: &Runs<'_>, class: Class, at: usize, length: usize) -> Option<usize> {
    let run = runs.length_at(class, at);
    let end = at + length;
    (run == length || run > length && view.has_gap_before(end)).then_some(end)
}

/// One secret of each shape and prefix, with its kind. Built from the table, so that no scanner reports this file.
#[cfg(test)]
pub(crate) fn shape_samples() -> Vec<(&'static str, String)> {
    let sample = |shape: &Shape, prefix: &str| {
        let parts = shape.parts.iter().map(|part| match *part {
            Run(class, least) => sample_run(class, least.max(12)),
            Exactly(class, length) | First(class, length) => sample_run(class, length),
            Between(class, least, most) => sample_run(class, usize::midpoint(least, most)),
            Text(text) => text.to_owned(),
        });
        format!("{prefix}{}", parts.collect::<String>())
    };
    let of_shape = |shape: &'static Shape| shape.prefixes.iter().map(|prefix| (shape.kind, sample(shape, prefix)));
    BY_FIRST_BYTE.iter().flatten().map(|(shape, _)| *shape).flat_map(of_shape).collect()
}

#[cfg(test)]
fn sample_run(class: Class, length: usize) -> String {
    let alphabet: Vec<u8> = b"aB3dE5gH7jK9mN1pQ2sT4vW6".iter().copied().filter(|byte| class.contains(*byte)).collect();
    (0..length).map(|at| char::from(alphabet[at * 7 % alphabet.len()])).collect()
}

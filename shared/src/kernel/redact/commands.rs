//! Passwords among the arguments of well-known commands, such as `curl -u user:password`.

use std::ops::Range;

use super::{
    class::Runs,
    declared::{is_placeholder, literal_at},
    view::View,
};

/// An option of a command, and where its secret is.
#[derive(Clone, Copy)]
enum SecretOption {
    /// The whole value, in the next word or attached.
    Value(&'static str),
    /// The whole value, attached only: `-psecret`.
    Attached(&'static str),
    /// The whole value, after the word `login`: elsewhere the option is a port.
    AfterLogin(&'static str),
    /// What follows the first of these characters in the value.
    After(&'static str, &'static [u8]),
}

use SecretOption::{After, AfterLogin, Attached, Value};

const USER: &[u8] = b":";

/// The options of commands that carry passwords.
const COMMANDS: [(&[&str], &[SecretOption]); 13] = [
    (
        &["curl", "curl.exe"],
        &[After("-u", USER), After("--user", USER), After("-U", USER), After("--proxy-user", USER)],
    ),
    (&["http", "https", "httpie", "xh", "xhs"], &[After("-a", USER), After("--auth", USER)]),
    (&["mysql", "mysqldump", "mysqladmin", "mysqlimport", "mariadb", "mariadb-dump"], &[Attached("-p")]),
    (&["sshpass"], &[Value("-p")]),
    (&["redis-cli"], &[Value("-a"), Value("--pass")]),
    (&["mongo", "mongosh", "mongodump", "mongorestore"], &[Value("-p")]),
    (&["docker", "podman", "helm", "skopeo", "oc", "cf", "az"], &[AfterLogin("-p")]),
    (&["sqlcmd", "bcp", "mosquitto_pub", "mosquitto_sub", "zip", "unzip"], &[Value("-P")]),
    (&["ldapsearch", "ldapadd", "ldapmodify", "ldapwhoami"], &[Value("-w")]),
    (&["smbclient", "rpcclient"], &[After("-U", b"%")]),
    (&["7z", "7za", "rar", "unrar"], &[Attached("-p")]),
    (&["openssl"], &[After("-passin", USER), After("-passout", USER), After("-pass", USER), Value("-k")]),
    (&["rabbitmqadmin", "isql", "cqlsh", "influx", "lftp"], &[Value("-p"), After("-u", b",")]),
];

/// The command whose name begins here, with its options.
fn command_at(view: &View<'_>, at: usize) -> Option<&'static [SecretOption]> {
    let bytes = &view.bytes;
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    if at > 0 && is_part(bytes[at - 1]) && !view.has_gap_before(at) {
        return None;
    }
    let length = bytes[at..].iter().take(16).take_while(|byte| is_part(**byte)).count();
    let name = &bytes[at..at + length];
    let is_blank = matches!(bytes.get(at + length), Some(b' ' | b'\t'));
    let named = COMMANDS.iter().find(|(names, _)| is_blank && names.iter().any(|one| one.as_bytes() == name));
    named.map(|(_, options)| *options)
}

/// Reads the line of the command that begins here: adds the passwords among its arguments and those of further commands
/// of the line. Returns the end of the line, up to which no command has to be read again.
pub(super) fn read_command_line(
    view: &View<'_>,
    runs: &Runs<'_>,
    at: usize,
    found: &mut Vec<Range<usize>>,
) -> Option<usize> {
    let mut options = command_at(view, at)?;
    let bytes = &view.bytes;
    let mut has_login = false;
    let mut at = at;
    loop {
        at += bytes[at..].iter().take_while(|byte| is_between(**byte)).count();
        if at >= bytes.len() || bytes[at] == b'\n' && (at == 0 || bytes[at - 1] != b'\\') {
            return Some(at);
        }
        let end = word_end(bytes, at);
        if let Some(others) = command_at(view, at) {
            (options, has_login) = (others, false);
        }
        has_login |= &bytes[at..end] == b"login";
        let applies = |option: &&SecretOption| has_login || !matches!(option, AfterLogin(_));
        let mut applicable = options.iter().filter(applies);
        let secret = applicable.find_map(|option| secret_of(view, runs, at..end, *option));
        at = secret.as_ref().map_or(end, |secret| secret.end.max(end));
        found.extend(secret);
    }
}

fn is_between(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\\' | b'|' | b';' | b'&' | b'(' | b')')
}

/// The end of a word. A quote or a line end also ends it, but not at its beginning.
fn word_end(bytes: &[u8], at: usize) -> usize {
    let is_end = |byte: u8| is_between(byte) || matches!(byte, b'\n' | b'"' | b'\'' | b'`');
    at + bytes[at..].iter().skip(1).take_while(|byte| !is_end(**byte)).count() + 1
}

/// The secret of an option that this word is.
fn secret_of(view: &View<'_>, runs: &Runs<'_>, word: Range<usize>, option: SecretOption) -> Option<Range<usize>> {
    let bytes = &view.bytes;
    let (Value(name) | AfterLogin(name) | Attached(name) | After(name, _)) = option;
    let rest = bytes[word.clone()].strip_prefix(name.as_bytes())?;
    let is_long = name.len() > 2;
    let start = word.start + name.len();
    let start = match rest.first() {
        Some(b'=') if is_long => start + 1,
        Some(_) if is_long => return None,
        Some(_) => start,
        None if matches!(bytes.get(start), Some(b'"' | b'\'')) => start,
        None if matches!(option, Attached(_)) => return None,
        None => start + bytes[start..].iter().take(16).take_while(|byte| matches!(byte, b' ' | b'\t')).count(),
    };
    let value = literal_at(bytes, runs, start)?;
    let secret = match option {
        After(_, separator) => {
            let at = bytes[value.clone()].iter().position(|byte| separator.contains(byte))?;
            value.start + at + 1..value.end
        }
        Value(_) | AfterLogin(_) | Attached(_) => value,
    };
    (!is_placeholder(&bytes[secret.clone()])).then_some(secret)
}

//! What the local host says to people: plain lines on standard output, without colours.

use std::io::Write;

/// One line. A reader that has gone away is no reason to fail.
pub(crate) fn say(line: impl AsRef<str>) {
    _ = writeln!(std::io::stdout(), "{}", line.as_ref());
}

/// A text of several lines, each moved in.
pub(crate) fn indented(text: &str) {
    for line in text.lines() {
        say(format!("    {line}"));
    }
}

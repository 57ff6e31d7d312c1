//! Output of the local host for people: plain lines on standard output, without colours.

use std::io::Write;

/// Prints one line. A closed standard output is not an error.
pub(crate) fn print_line(line: impl AsRef<str>) {
    _ = writeln!(std::io::stdout(), "{}", line.as_ref());
}

/// Prints a text of several lines, each indented.
pub(crate) fn print_indented(text: &str) {
    for line in text.lines() {
        print_line(format!("    {line}"));
    }
}

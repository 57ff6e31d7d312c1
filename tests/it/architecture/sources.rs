//! The Rust sources, read once and reduced to what the rules need.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::LazyLock,
};

use super::reader::read;

/// The folders whose sources obey the rules.
const FOLDERS: [&str; 9] = [
    "cli/src",
    "examples/push-agent/src",
    "functions/src",
    "infra/local/src",
    "runner/src",
    "runner/tests",
    "shared/src",
    "tests/harness",
    "tests/it",
];

pub(super) static SOURCES: LazyLock<Vec<Source>> = LazyLock::new(read_all);

/// One file.
pub(super) struct Source {
    /// Relative to the checkout.
    pub path: String,
    pub text: String,
    pub functions: Vec<Function>,
    /// Structs, enums, traits and type aliases outside of test modules.
    pub types: Vec<Named>,
    /// All items of the file's modules outside of test modules.
    pub items: Vec<Item>,
    pub imports: Vec<Import>,
    /// Paths that the code names outside of `use` items and test modules, also in macros and attributes.
    pub paths: Vec<NamedPath>,
    /// Every identifier, once per file, with the line where it first stands.
    pub identifiers: Vec<Named>,
    /// String literals that are sentences, outside of test modules.
    pub sentences: Vec<Named>,
    /// Whether an asynchronous function or block, or an `.await`, stands outside of test modules, and where.
    pub asynchronous: Option<usize>,
}

pub(super) struct Named {
    pub name: String,
    pub line: usize,
}

pub(super) struct Function {
    pub name: String,
    pub line: usize,
    /// From the signature to the closing brace, without attributes and documentation.
    pub lines: usize,
    pub is_test: bool,
    /// Whether it stands in a module of tests.
    pub in_tests: bool,
    /// Whether somebody else's trait chose the name.
    pub implements_trait: bool,
}

/// An item of a module: `module` names the inline modules around it, below that of the file.
pub(super) struct Item {
    pub module: Vec<String>,
    pub name: String,
    pub kind: ItemKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ItemKind {
    Definition,
    /// A macro that stands at the root of its crate.
    ExportedMacro,
    InlineModule,
}

pub(super) struct Import {
    pub module: Vec<String>,
    /// The name by which the module knows it; none for `*` and for `as _`.
    pub name: Option<String>,
    pub path: Vec<String>,
    pub is_glob: bool,
    pub is_reexport: bool,
    pub line: usize,
}

pub(super) struct NamedPath {
    pub module: Vec<String>,
    pub path: Vec<String>,
    pub line: usize,
}

impl Source {
    /// Whether the whole file belongs to the tests of its module.
    pub(super) fn is_of_tests(&self) -> bool {
        is_of_tests(&self.path)
    }

    /// The folder for which exceptions are counted.
    pub(super) fn area(&self) -> String {
        area(&self.path)
    }
}

pub(super) fn is_of_tests(path: &str) -> bool {
    path.ends_with("_tests.rs") || path.ends_with("/tests.rs")
}

/// `shared/src`, `tests/it`, `docs`: what an exception is counted for. A file that moves within a crate changes
/// nothing.
pub(super) fn area(path: &str) -> String {
    let parts: Vec<_> = path.split('/').collect();
    let depth = match parts[0] {
        "examples" | "functions" | "infra" | "runner" | "shared" | "tests" if parts.len() > 2 => 2,
        _ => 1,
    };
    parts[..depth].join("/")
}

pub(super) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The files below a folder of the checkout, with their paths in it, in order.
pub(super) fn files(folder: &str, extensions: &[&str]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extensions.iter().any(|one| *one == extension)) {
                let text = fs::read_to_string(&path).unwrap();
                found.push((path.strip_prefix(root()).unwrap().to_string_lossy().into_owned(), text));
            }
        }
    }
    assert!(!found.is_empty(), "no files in {folder}");
    found.sort();
    found
}

fn read_all() -> Vec<Source> {
    FOLDERS.iter().flat_map(|folder| files(folder, &["rs"])).map(|(path, text)| read(path, text)).collect()
}

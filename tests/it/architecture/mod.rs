//! The architecture as tests: which module may use which, how large a file or function may be, how things are named,
//! and which words the glossary bans. Everything is computed from the sources.
//!
//! `IOC_ARCHITECTURE=report cargo test -p harness --test it architecture` prints every violation, also excepted ones.

mod dependencies;
mod exceptions;
mod modules;
mod names;
mod purity;
mod reader;
mod sizes;
mod sources;
mod test_names;
mod vocabulary;

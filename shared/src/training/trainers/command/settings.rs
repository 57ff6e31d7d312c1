//! The settings of the trainer that runs a program.

use std::path::PathBuf;

/// The program, and its folder.
#[derive(Clone, Debug)]
pub struct CommandSettings {
    pub program: String,
    pub arguments: Vec<String>,
    /// Each order has its own folder below it.
    pub folder: PathBuf,
    /// The whole environment of the program.
    pub environment: Vec<(String, String)>,
}

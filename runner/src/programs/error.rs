//! The error of programs.

use std::path::PathBuf;

/// Why a program cannot be prepared or read. [`code`](Self::code) is stable.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// The name of the model or its address could change the meaning of a file that it is written into.
    #[error("{what} {value:?} has characters that cannot stand there")]
    UnsafeValue { what: &'static str, value: String },
    /// A path of a file leads out of HOME.
    #[error("the file {path:?} of the program {program} does not lie in its HOME")]
    PathOutsideHome { program: String, path: String },
    /// A file cannot be written.
    #[error("{path} cannot be written: {error}")]
    WriteFailed { path: PathBuf, error: std::io::Error },
    /// A file of programs is wrong.
    #[error("the file of programs is wrong: {reason}")]
    InvalidFile { reason: String },
}

impl ProgramError {
    /// The stable text of the code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnsafeValue { .. } => "PROGRAM_UNSAFE_VALUE",
            Self::PathOutsideHome { .. } => "PROGRAM_PATH_OUTSIDE_HOME",
            Self::WriteFailed { .. } => "PROGRAM_WRITE_FAILED",
            Self::InvalidFile { .. } => "PROGRAM_FILE_INVALID",
        }
    }
}

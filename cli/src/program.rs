//! The programs behind `ioc`, and where they are found.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
};

/// A program that a command is passed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Program {
    Server,
    Runner,
}

impl Program {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Server => "ioc-server",
            Self::Runner => "ioc-runner",
        }
    }
}

/// The PATH of this process.
#[expect(clippy::disallowed_methods, reason = "it locates programs, and is no configuration")]
fn read_path() -> OsString {
    env::var_os("PATH").unwrap_or_default()
}

/// The program beside this one, so that versions belong together, else the first on the PATH.
pub(crate) fn find_program(program: Program) -> Option<PathBuf> {
    // Links are followed: a link in a folder of the PATH leads to where both programs are.
    let this = env::current_exe().and_then(std::fs::canonicalize).ok();
    let beside = this.as_deref().and_then(Path::parent).map(Path::to_path_buf);
    find_in(program, beside.into_iter().chain(env::split_paths(&read_path())))
}

fn find_in(program: Program, folders: impl IntoIterator<Item = PathBuf>) -> Option<PathBuf> {
    folders.into_iter().map(|folder| folder.join(program.name())).find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_program_of_the_first_folder_that_has_it_is_found() {
        let (one, other) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        let folders = || [one.path().to_path_buf(), other.path().to_path_buf()];
        assert_eq!(find_in(Program::Runner, folders()), None);
        fs::write(other.path().join("ioc-runner"), "").expect("a file");
        assert_eq!(find_in(Program::Runner, folders()), Some(other.path().join("ioc-runner")));
        fs::create_dir(one.path().join("ioc-server")).expect("a folder");
        assert_eq!(find_in(Program::Server, folders()), None);
    }
}

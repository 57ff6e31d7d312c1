//! Writes files into a HOME in which an agent may have worked before: nothing there is trusted.

use std::{
    collections::BTreeMap,
    fs::{self, DirBuilder, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Component, Path, PathBuf},
};

use super::error::ProgramError;

/// Writes the files by their paths relative to HOME, readable for their owner alone. Returns what it has written, each
/// folder before what lies in it.
pub(super) fn write_files(
    program: &str,
    home: &Path,
    files: &BTreeMap<String, String>,
) -> Result<Vec<PathBuf>, ProgramError> {
    let mut written = Vec::new();
    for (path, content) in files {
        let relative = Path::new(path);
        let is_inside = relative.components().all(|part| matches!(part, Component::Normal(_)));
        if path.is_empty() || !is_inside {
            return Err(ProgramError::PathOutsideHome { program: program.to_owned(), path: path.clone() });
        }
        let failed = |error| ProgramError::WriteFailed { path: home.join(relative), error };
        write_file(home, relative, content, &mut written).map_err(failed)?;
    }
    Ok(written)
}

fn write_file(home: &Path, relative: &Path, content: &str, written: &mut Vec<PathBuf>) -> io::Result<()> {
    let mut folder = home.to_path_buf();
    for part in relative.parent().into_iter().flat_map(Path::components) {
        folder.push(part);
        replace_by_folder(&folder)?;
        if !written.contains(&folder) {
            written.push(folder.clone());
        }
    }
    let path = home.join(relative);
    remove(&path)?;
    // `create_new` follows no link that could lead out of HOME.
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
    file.write_all(content.as_bytes())?;
    written.push(path);
    Ok(())
}

/// Makes sure that a real folder is there: an agent may have left a link in its place.
fn replace_by_folder(folder: &Path) -> io::Result<()> {
    match fs::symlink_metadata(folder) {
        Ok(found) if found.is_dir() => return Ok(()),
        Ok(_) => fs::remove_file(folder)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    DirBuilder::new().mode(0o700).create(folder)
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn one_file(path: &str) -> BTreeMap<String, String> {
        BTreeMap::from([(path.to_owned(), "content".to_owned())])
    }

    #[test]
    fn a_file_is_private_and_replaces_an_earlier_one() {
        let home = tempfile::tempdir().unwrap();
        write_files("p", home.path(), &one_file("a/b/c")).unwrap();
        let written = write_files("p", home.path(), &one_file("a/b/c")).unwrap();
        assert_eq!(written, ["a", "a/b", "a/b/c"].map(|path| home.path().join(path)));
        let mode = fs::metadata(home.path().join("a/b/c")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_path_that_leaves_home_is_refused() {
        let home = tempfile::tempdir().unwrap();
        for path in ["../x", "/etc/x", "a/../../x", ""] {
            let error = write_files("p", home.path(), &one_file(path)).unwrap_err();
            assert_eq!(error.code(), "PROGRAM_PATH_OUTSIDE_HOME", "{path}");
        }
    }

    #[test]
    fn a_link_that_an_agent_left_is_replaced_and_not_followed() {
        let (home, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(outside.path().join("c"), "theirs").unwrap();
        symlink(outside.path(), home.path().join("a")).unwrap();
        symlink(outside.path().join("c"), home.path().join("d")).unwrap();
        write_files("p", home.path(), &one_file("a/c")).unwrap();
        write_files("p", home.path(), &one_file("d")).unwrap();
        assert_eq!(fs::read_to_string(outside.path().join("c")).unwrap(), "theirs");
        assert_eq!(fs::read_to_string(home.path().join("d")).unwrap(), "content");
    }
}

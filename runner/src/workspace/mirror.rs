//! Mirrors: one bare copy of a repository per tenant and credential, fetched whenever a session uses it, from which
//! sessions borrow objects. Nothing removes objects from a mirror, and no session writes to one.

use std::{
    collections::BTreeSet,
    fs::{self, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
    sync::Arc,
};

use sha2::{Digest, Sha256};

use super::{
    credential::GitCredential,
    error::{NamePath, WorkspaceError},
    files::{create_shared_folder, remove_folder},
    git::Git,
    git_call::GitCall,
    git_stderr::hints_at_damage,
    lock::{PathLock, PathLocks},
    mirror_generation::{MirrorFolder, begin_fetch, end_fetch},
    state::SessionFolder,
    url::{Protocol, RepositoryUrl},
};

/// What git on this machine has, for sessions without a credential for the host.
const MACHINE_CREDENTIAL: &str = "machine";
/// Where a mirror keeps the remote's `HEAD`, and a reference that is no branch and no tag.
const DEFAULT_REFERENCE: &str = "refs/ioc/default";
const ASKED_REFERENCE: &str = "refs/ioc/asked";

/// All mirrors of this machine.
#[derive(Debug)]
pub(super) struct Mirrors {
    folder: PathBuf,
    /// The folders of all sessions, which state what they borrow from.
    sessions: PathBuf,
    locks: PathLocks,
    git: Arc<Git>,
}

/// Which repository is wanted, and which commit of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct MirrorRequest<'a> {
    pub(super) tenant: &'a str,
    pub(super) url: &'a RepositoryUrl,
    /// None: the default branch.
    pub(super) reference: Option<&'a str>,
    /// What the session has for the host; none: what git on this machine has.
    pub(super) credential: Option<&'a GitCredential>,
    /// A file of the session, to which the mirror is added before it may be borrowed from.
    pub(super) borrower: &'a Path,
    /// Whether the present copy turned out to be damaged.
    pub(super) renew: bool,
}

/// A mirror that was fetched just now.
#[derive(Clone, Debug)]
pub(super) struct MirrorUse {
    pub(super) repository: PathBuf,
    /// The commit; none: the repository has no commit yet.
    pub(super) base: Option<String>,
    /// The branch, where the reference is one.
    pub(super) branch: Option<String>,
    /// `sha1` or `sha256`.
    pub(super) format: String,
}

/// The remote's `HEAD`.
#[derive(Debug, Default)]
struct RemoteHead {
    branch: Option<String>,
    commit: Option<String>,
}

impl Mirrors {
    pub(super) fn new(folder: PathBuf, sessions: PathBuf, git: Arc<Git>) -> Self {
        Self { folder, sessions, locks: PathLocks::default(), git }
    }

    /// Fetches a mirror with the session's credential, or those of this machine, and finds the commit. The remote is
    /// asked each time, so a credential that was withdrawn ends the access also to what is mirrored.
    pub(super) async fn obtain(&self, request: MirrorRequest<'_>) -> Result<MirrorUse, WorkspaceError> {
        let key = mirror_key(request.tenant, request.url.as_str(), request.credential);
        let place = self.folder.join(key);
        create_shared_folder(&place, 0o755)?;
        let folder = MirrorFolder::new(place);
        let lock = self.locks.acquire(&folder.lock_file(), self.git.settings().limits.remote_call).await?;
        folder.remove_incomplete()?;
        let fetch = Fetch { git: &self.git, request, lock: &lock, lock_file: folder.lock_file() };
        if let Some(copy) = folder.current()?.filter(|_| !request.renew) {
            match fetch.update(&copy).await {
                Err(error) if hints_at_damage(&error) => {}
                updated => return updated,
            }
        }
        let (part, copy) = folder.next()?;
        let created = fetch.create(&part, &copy).await;
        if created.is_err() {
            remove_folder(&part)?;
        } else {
            folder.retire_all_but(&copy)?;
            let borrowed = self.borrowed_copies();
            folder.remove_retired(|copy| borrowed.contains(copy))?;
        }
        created
    }

    /// Removes copies that were replaced and that no session borrows from any more.
    pub(super) async fn remove_retired(&self) -> Result<(), WorkspaceError> {
        let borrowed = self.borrowed_copies();
        for entry in fs::read_dir(&self.folder).name_path(&self.folder)? {
            let folder = MirrorFolder::new(entry.name_path(&self.folder)?.path());
            let limit = self.git.settings().limits.remote_call;
            let _lock = self.locks.acquire(&folder.lock_file(), limit).await?;
            folder.remove_incomplete()?;
            folder.remove_retired(|copy| borrowed.contains(copy))?;
        }
        Ok(())
    }

    /// Every copy that a session may borrow from.
    fn borrowed_copies(&self) -> BTreeSet<PathBuf> {
        let entries = fs::read_dir(&self.sessions).into_iter().flatten().flatten();
        let lists = entries.filter_map(|entry| fs::read_to_string(SessionFolder::new(entry.path()).borrower()).ok());
        lists.flat_map(|list| list.lines().map(PathBuf::from).collect::<Vec<_>>()).collect()
    }
}

fn mirror_key(tenant: &str, url: &str, credential: Option<&GitCredential>) -> String {
    let mut hash = Sha256::new();
    let credential = credential.map_or_else(|| MACHINE_CREDENTIAL.to_owned(), GitCredential::fingerprint);
    for part in [tenant, url, &credential] {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    hex::encode(&hash.finalize()[..16])
}

/// One use of a mirror, under its lock.
struct Fetch<'a> {
    git: &'a Git,
    request: MirrorRequest<'a>,
    lock: &'a PathLock,
    lock_file: PathBuf,
}

impl Fetch<'_> {
    async fn create(&self, part: &Path, copy: &Path) -> Result<MirrorUse, WorkspaceError> {
        let head = self.read_head().await?;
        let format = object_format(head.commit.as_deref());
        // Agents' users may read what is in a mirror's folder; whether they reach it is up to the folder above.
        let init = self.git.init_on_mirror().args(["--bare", "--shared=0644"]);
        init.arg(format!("--object-format={format}")).arg("--").arg(part).run().await?;
        let found = self.fetch_and_resolve(part, &head).await?;
        fs::rename(part, copy).name_path(copy)?;
        self.lend(copy, found)
    }

    async fn update(&self, copy: &Path) -> Result<MirrorUse, WorkspaceError> {
        let head = if self.request.reference.is_none() { self.read_head().await? } else { RemoteHead::default() };
        begin_fetch(copy)?;
        let found = self.fetch_and_resolve(copy, &head).await;
        let was_killed = found.as_ref().is_err_and(|error| error.code() == WorkspaceError::TIMEOUT);
        if !was_killed {
            end_fetch(copy)?;
        }
        self.lend(copy, found?)
    }

    /// Notes the borrower while nobody may remove the copy.
    fn lend(&self, copy: &Path, (base, branch): Found) -> Result<MirrorUse, WorkspaceError> {
        let borrower = self.request.borrower;
        let mut file = OpenOptions::new().create(true).append(true).open(borrower).name_path(borrower)?;
        writeln!(file, "{}", copy.display()).name_path(borrower)?;
        let config = copy.join("config");
        let is_sha256 = fs::read_to_string(&config).name_path(&config)?.to_lowercase().contains("sha256");
        let format = if is_sha256 { "sha256" } else { "sha1" }.to_owned();
        Ok(MirrorUse { repository: copy.to_owned(), base, branch, format })
    }

    async fn read_head(&self) -> Result<RemoteHead, WorkspaceError> {
        let call = self.call(None).await?.args(["ls-remote", "--symref", "--quiet"]);
        let output = self.with_upload_pack(call).arg("--").arg(self.request.url.as_str()).arg("HEAD").run().await?;
        let mut head = RemoteHead::default();
        for line in String::from_utf8_lossy(&output).lines() {
            match line.split_once('\t') {
                Some((target, "HEAD")) if target.starts_with("ref: ") => {
                    head.branch = target["ref: ".len()..].strip_prefix("refs/heads/").map(str::to_owned);
                }
                Some((commit, "HEAD")) => head.commit = Some(commit.to_owned()),
                _ => {}
            }
        }
        Ok(head)
    }

    async fn fetch_and_resolve(&self, copy: &Path, head: &RemoteHead) -> Result<Found, WorkspaceError> {
        let mut wanted = vec!["+refs/heads/*:refs/heads/*".to_owned(), "+refs/tags/*:refs/tags/*".to_owned()];
        match self.request.reference {
            None if head.commit.is_some() => wanted.push(format!("+HEAD:{DEFAULT_REFERENCE}")),
            Some(full) if is_unusual(full) => wanted.push(format!("+{full}:{ASKED_REFERENCE}")),
            _ => {}
        }
        self.fetch(copy, &wanted).await?;
        match self.request.reference {
            None => self.resolve_default(copy, head).await,
            Some(name) => self.resolve(copy, name).await,
        }
    }

    async fn fetch(&self, copy: &Path, wanted: &[String]) -> Result<(), WorkspaceError> {
        let options = ["fetch", "--quiet", "--prune", "--force", "--no-tags", "--no-write-fetch-head"];
        let call = self.call(Some(copy)).await?.args(options);
        let call = call.args(["--no-auto-maintenance", "--no-recurse-submodules", "--update-shallow"]);
        let call = self.with_upload_pack(call).arg("--").arg(self.request.url.as_str()).args(wanted);
        call.run().await.map(drop)
    }

    async fn call(&self, copy: Option<&Path>) -> Result<GitCall, WorkspaceError> {
        Ok(self
            .git
            .remote(self.request.url, copy, self.request.credential)
            .await
            .with_lock(self.lock.share(&self.lock_file)?))
    }

    /// A folder of this machine may belong to a person, and the runner may be root: serving a fetch runs nothing that
    /// the folder configures.
    fn with_upload_pack(&self, call: GitCall) -> GitCall {
        match self.request.url.protocol() {
            Protocol::File => call.arg("--upload-pack=git -c safe.directory=* upload-pack"),
            _ => call,
        }
    }

    async fn resolve_default(&self, copy: &Path, head: &RemoteHead) -> Result<Found, WorkspaceError> {
        if head.commit.is_some() {
            let base = self.find_commit(copy, DEFAULT_REFERENCE).await?;
            return Ok((base, head.branch.clone()));
        }
        let list = self.git.on_mirror(copy).args(["for-each-ref", "--count=2", "--format=%(refname)", "refs/heads"]);
        let branches = list.line().await?;
        match branches.lines().collect::<Vec<_>>().as_slice() {
            [] => Ok((None, head.branch.clone())),
            [only] => {
                let branch = only.strip_prefix("refs/heads/").map(str::to_owned);
                Ok((self.find_commit(copy, only).await?, branch))
            }
            _ => Err(unknown_reference("the repository has no default branch with a commit: name a reference")),
        }
    }

    async fn resolve(&self, copy: &Path, name: &str) -> Result<Found, WorkspaceError> {
        if is_unusual(name) {
            return Ok((self.find_commit(copy, ASKED_REFERENCE).await?, None));
        }
        let short = name.strip_prefix("refs/heads/").unwrap_or(name);
        if let Some(base) = self.find_commit(copy, &format!("refs/heads/{short}")).await? {
            return Ok((Some(base), Some(short.to_owned())));
        }
        let tag = name.strip_prefix("refs/tags/").unwrap_or(name);
        if let Some(base) = self.find_commit(copy, &format!("refs/tags/{tag}")).await? {
            return Ok((Some(base), None));
        }
        let is_hash = name.len() >= 7 && name.bytes().all(|one| one.is_ascii_hexdigit());
        if is_hash {
            let is_whole = name.len() >= 40;
            if self.find_commit(copy, name).await?.is_none() && is_whole {
                // A server may serve a commit that no branch leads to.
                self.fetch(copy, &[name.to_owned()]).await?;
            }
            if let Some(base) = self.find_commit(copy, name).await? {
                return Ok((Some(base), None));
            }
        }
        Err(unknown_reference(&format!("the repository has no branch, tag or commit {name}")))
    }

    async fn find_commit(&self, copy: &Path, name: &str) -> Result<Option<String>, WorkspaceError> {
        let call = self.git.on_mirror(copy).args(["rev-parse", "--verify", "--quiet", "--end-of-options"]);
        let output = call.arg(format!("{name}^{{commit}}")).output().await?;
        let commit = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        Ok((output.status.success() && !commit.is_empty()).then_some(commit))
    }
}

/// The commit and the branch.
type Found = (Option<String>, Option<String>);

/// A full name outside of branches and tags.
fn is_unusual(name: &str) -> bool {
    name.starts_with("refs/") && !name.starts_with("refs/heads/") && !name.starts_with("refs/tags/")
}

fn object_format(commit: Option<&str>) -> &'static str {
    if commit.is_some_and(|one| one.len() == 64) { "sha256" } else { "sha1" }
}

fn unknown_reference(message: &str) -> WorkspaceError {
    WorkspaceError::new(WorkspaceError::REFERENCE_UNKNOWN, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_tenants_never_share_a_mirror() {
        assert_ne!(mirror_key("a", "https://example.com/r", None), mirror_key("b", "https://example.com/r", None));
        assert_ne!(mirror_key("a", "bc", None), mirror_key("ab", "c", None));
    }

    #[test]
    fn two_credentials_never_share_a_mirror() {
        let credential = |password: &str| {
            let text = str::to_owned;
            GitCredential { host: text("example.com"), username: text("bot"), password: text(password) }
        };
        let key = |credential: Option<&GitCredential>| mirror_key("a", "https://example.com/r", credential);
        assert_eq!(key(Some(&credential("one"))), key(Some(&credential("one"))));
        assert_ne!(key(Some(&credential("one"))), key(Some(&credential("two"))));
        assert_ne!(key(Some(&credential("one"))), key(None));
    }
}

//! Checks a commit out twice over: as a repository of the agent's own, which borrows objects, and as our own repository
//! of the same files, which the agent does not see.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{
    error::{NamePath, WorkspaceError},
    files::{copy_index, copy_owned, create_private_folder, write_owned},
    git::Git,
    settings::CommitIdentity,
    state::WorkTree,
};

/// Attributes that store every file byte by byte.
pub(super) const VERBATIM_ATTRIBUTES: &[u8] = b"* -text !eol !ident !filter !working-tree-encoding\n";

/// What is checked out, and where.
#[derive(Clone, Debug)]
pub(super) struct CheckOut<'a> {
    pub(super) git: &'a Git,
    /// The work tree.
    pub(super) work: &'a Path,
    /// The folder below the session's work tree.
    pub(super) path: PathBuf,
    /// Our own repository, which is created.
    pub(super) repository: PathBuf,
    /// The repository that objects are borrowed from.
    pub(super) lender: Option<&'a Path>,
    pub(super) base: Option<&'a str>,
    /// `sha1` or `sha256`.
    pub(super) format: &'a str,
    /// The branch that the agent stands on; none: the commit itself, as in a submodule.
    pub(super) branch: Option<&'a str>,
    /// The remote's address and the branch that the agent's one follows.
    pub(super) remote: Option<(String, Option<&'a str>)>,
    pub(super) identity: &'a CommitIdentity,
    pub(super) is_verbatim: bool,
}

impl CheckOut<'_> {
    /// Creates both repositories and the files.
    pub(super) async fn run(self) -> Result<WorkTree, WorkspaceError> {
        self.create_agents_repository().await?;
        self.check_out_files().await?;
        self.create_own_repository().await
    }

    fn agents_repository(&self) -> PathBuf {
        self.work.join(".git")
    }

    async fn create_agents_repository(&self) -> Result<(), WorkspaceError> {
        let owner = self.git.settings().owner;
        create_private_folder(self.work, owner)?;
        let init = self.git.init_on_session().arg(format!("--object-format={}", self.format));
        let init = init.arg(format!("--initial-branch={}", self.branch.unwrap_or("main")));
        init.arg("--").arg(self.work).run().await?;
        let repository = self.agents_repository();
        self.borrow_objects(&repository)?;
        let config = repository.join("config");
        let mut text = fs::read(&config).name_path(&config)?;
        text.extend_from_slice(self.configuration().as_bytes());
        write_owned(&config, &text, owner)?;
        if let (Some(lender), Some(_)) = (self.lender, &self.remote) {
            let references = self.git.on_mirror(lender).args(["for-each-ref", "--format=%(objectname) %(refname)"]);
            let references = references.args(["refs/heads", "refs/tags"]).run().await?;
            write_owned(&repository.join("packed-refs"), &as_remote_references(&references), owner)?;
        }
        Ok(())
    }

    /// Both repositories find objects where the lender has them, and store the lender's limits of history.
    fn borrow_objects(&self, repository: &Path) -> Result<(), WorkspaceError> {
        let owner = self.git.settings().owner;
        create_private_folder(&repository.join("info"), owner)?;
        if self.is_verbatim {
            write_owned(&repository.join("info/attributes"), VERBATIM_ATTRIBUTES, owner)?;
        }
        let Some(lender) = self.lender else { return Ok(()) };
        create_private_folder(&repository.join("objects/info"), owner)?;
        let line = format!("{}\n", lender.join("objects").display());
        write_owned(&repository.join("objects/info/alternates"), line.as_bytes(), owner)?;
        let shallow = lender.join("shallow");
        if shallow.exists() { copy_owned(&shallow, &repository.join("shallow"), owner) } else { Ok(()) }
    }

    fn configuration(&self) -> String {
        let mut text = "[gc]\n\tauto = 0\n[maintenance]\n\tauto = false\n".to_owned();
        append_section(&mut text, "user", None, &[("name", &self.identity.name), ("email", &self.identity.email)]);
        if let Some((url, upstream)) = &self.remote {
            let fetch = "+refs/heads/*:refs/remotes/origin/*";
            append_section(&mut text, "remote", Some("origin"), &[("url", url), ("fetch", fetch)]);
            if let (Some(branch), Some(upstream)) = (self.branch, upstream) {
                let merge = format!("refs/heads/{upstream}");
                append_section(&mut text, "branch", Some(branch), &[("remote", "origin"), ("merge", &merge)]);
            }
        }
        text
    }

    async fn check_out_files(&self) -> Result<(), WorkspaceError> {
        let Some(base) = self.base else { return Ok(()) };
        let repository = self.agents_repository();
        if let Some(branch) = self.branch {
            let update = self.git.on_session(&repository, Some(self.work)).arg("update-ref");
            update.arg(format!("refs/heads/{branch}")).arg(base).run().await?;
        } else {
            let line = format!("{base}\n");
            write_owned(&repository.join("HEAD"), line.as_bytes(), self.git.settings().owner)?;
        }
        let mut read = self.git.on_session(&repository, Some(self.work));
        read = read.env("GIT_CONFIG_COUNT", "1").env("GIT_CONFIG_KEY_0", "checkout.workers");
        read.env("GIT_CONFIG_VALUE_0", "0").args(["read-tree", "--reset", "-u"]).arg(base).run().await.map(drop)
    }

    async fn create_own_repository(&self) -> Result<WorkTree, WorkspaceError> {
        let owner = self.git.settings().owner;
        let init = self.git.init_on_session().arg("--bare").arg(format!("--object-format={}", self.format));
        init.arg("--").arg(&self.repository).run().await?;
        self.borrow_objects(&self.repository)?;
        let call = || self.git.on_session(&self.repository, None);
        let base_tree = match self.base {
            Some(base) => {
                call().args(["update-ref", "refs/ioc/base", base]).run().await?;
                call().args(["rev-parse", "--verify"]).arg(format!("{base}^{{tree}}")).line().await?
            }
            None => call().arg("mktree").line().await?,
        };
        let base = self.base.map(str::to_owned);
        let tree = WorkTree { path: self.path.clone(), repository: self.repository.clone(), base, base_tree };
        let index = self.agents_repository().join("index");
        if index.exists() {
            copy_index(&index, &tree.pristine_index(), owner)?;
        }
        Ok(tree)
    }
}

/// Branches of the mirror are remote branches of the session.
fn as_remote_references(list: &[u8]) -> Vec<u8> {
    let mut references = Vec::with_capacity(list.len());
    for line in list.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let space = line.iter().position(|byte| *byte == b' ').unwrap_or(line.len());
        let (commit, name) = line.split_at(space);
        references.extend_from_slice(commit);
        match name.strip_prefix(b" refs/heads/") {
            Some(branch) => {
                references.extend_from_slice(b" refs/remotes/origin/");
                references.extend_from_slice(branch);
            }
            None => references.extend_from_slice(name),
        }
        references.push(b'\n');
    }
    references
}

/// Appends a section to a configuration of git.
pub(super) fn append_section(text: &mut String, name: &str, subsection: Option<&str>, values: &[(&str, &str)]) {
    let subsection = subsection.map(|one| format!(" {}", quote(one))).unwrap_or_default();
    text.extend(["[", name, &subsection, "]\n"]);
    for (key, value) in values {
        text.extend(["\t", key, " = ", &quote(value), "\n"]);
    }
}

fn quote(value: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in value.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            '\n' => quoted.push_str("\\n"),
            other if other.is_control() => {}
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quoted_value_cannot_begin_a_setting_of_its_own() {
        assert_eq!(quote("a\"\n[core]\\"), "\"a\\\"\\n[core]\\\\\"");
    }

    #[test]
    fn branches_of_a_mirror_are_remote_branches_of_a_session() {
        let references = as_remote_references(b"1 refs/heads/a/b\n2 refs/tags/v1\n");
        assert_eq!(references, b"1 refs/remotes/origin/a/b\n2 refs/tags/v1\n");
    }
}

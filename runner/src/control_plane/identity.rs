//! What this runner is to its control plane, kept over restarts: its credential is shown only once.

use std::{
    fs, io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// A registered runner.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct RunnerIdentity {
    pub runner_id: String,
    /// The name by which it registered.
    pub name: String,
    pub credential: String,
    /// When the credential was issued.
    pub issued_at: DateTime<Utc>,
    /// The control plane that knows it.
    pub url: String,
}

impl RunnerIdentity {
    /// The runner that was registered by this name at this control plane, if there is one.
    pub fn read(data: &Path, name: &str, url: &str) -> io::Result<Option<Self>> {
        let text = match fs::read_to_string(place(data)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        let identity: Self = serde_json::from_str(&text).map_err(io::Error::other)?;
        Ok(Some(identity).filter(|identity| identity.url == url && identity.name == name))
    }

    /// Keeps the runner, readable by itself alone.
    pub fn write(&self, data: &Path) -> io::Result<()> {
        fs::create_dir_all(data)?;
        let half = place(data).with_extension("new");
        let mut opened = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&half)?;
        io::Write::write_all(&mut opened, &serde_json::to_vec(self).map_err(io::Error::other)?)?;
        opened.sync_all()?;
        fs::rename(half, place(data))
    }
}

fn place(data: &Path) -> PathBuf {
    data.join("runner.json")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn an_identity_is_kept_for_its_control_plane_and_readable_by_its_owner_alone() {
        let data = tempfile::tempdir().unwrap();
        let identity = RunnerIdentity {
            runner_id: "1".into(),
            name: "A".into(),
            credential: "secret".into(),
            issued_at: DateTime::UNIX_EPOCH,
            url: "http://here".into(),
        };
        let read = |name: &str, url: &str| RunnerIdentity::read(data.path(), name, url);
        assert_eq!(read("A", "http://here").unwrap(), None);
        identity.write(data.path()).unwrap();
        assert_eq!(read("A", "http://here").unwrap(), Some(identity));
        assert_eq!(read("A", "http://there").unwrap(), None);
        assert_eq!(read("B", "http://here").unwrap(), None, "another name is another runner");
        let mode = fs::metadata(place(data.path())).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        fs::write(place(data.path()), "{").unwrap();
        read("A", "http://here").unwrap_err();
    }
}

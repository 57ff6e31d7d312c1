//! The agents that this runner has registered, kept over restarts: a name that is taken cannot be registered again.

use std::{
    fs, io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

/// An agent of the control plane.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct AgentIdentity {
    pub agent_id: String,
    /// The token of the agent's calls.
    pub token: String,
    /// The control plane that knows it.
    pub url: String,
}

impl AgentIdentity {
    /// The agent that was registered by this name at this control plane, if there is one.
    pub fn read(data: &Path, name: &str, url: &str) -> io::Result<Option<Self>> {
        let text = match fs::read_to_string(place(data, name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        let identity: Self = serde_json::from_str(&text).map_err(io::Error::other)?;
        Ok(Some(identity).filter(|identity| identity.url == url))
    }

    /// Keeps the agent, readable by the runner alone.
    pub fn write(&self, data: &Path, name: &str) -> io::Result<()> {
        let file = place(data, name);
        fs::create_dir_all(file.parent().unwrap_or(data))?;
        let half = file.with_extension("new");
        let mut opened = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&half)?;
        io::Write::write_all(&mut opened, &serde_json::to_vec(self).map_err(io::Error::other)?)?;
        opened.sync_all()?;
        fs::rename(half, file)
    }
}

fn place(data: &Path, name: &str) -> PathBuf {
    data.join("agents").join(format!("{name}.json"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn an_identity_is_kept_for_its_control_plane_and_readable_by_its_owner_alone() {
        let data = tempfile::tempdir().unwrap();
        let identity = AgentIdentity { agent_id: "1".into(), token: "secret".into(), url: "http://here".into() };
        assert_eq!(AgentIdentity::read(data.path(), "A-B", "http://here").unwrap(), None);
        identity.write(data.path(), "A-B").unwrap();
        assert_eq!(AgentIdentity::read(data.path(), "A-B", "http://here").unwrap(), Some(identity));
        assert_eq!(AgentIdentity::read(data.path(), "A-B", "http://there").unwrap(), None);
        let mode = fs::metadata(place(data.path(), "A-B")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        fs::write(place(data.path(), "A-B"), "{").unwrap();
        AgentIdentity::read(data.path(), "A-B", "http://here").unwrap_err();
    }
}

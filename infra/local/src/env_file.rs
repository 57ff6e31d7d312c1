//! The file `.local/env`: how to reach the running ioc, for shells and scripts to source.

use std::{collections::BTreeMap, fmt::Write, fs, path::Path};

use anyhow::{Context, Result};

use crate::services::write_private;

/// The content of the file.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct EnvFile {
    pub url: String,
    pub tenant: String,
    /// The key of a lead.
    pub key: String,
    pub admin_key: String,
    /// `scripted`, or `own` if the user has a model of their own.
    pub model: String,
}

impl EnvFile {
    pub fn read(file: &Path) -> Result<Self> {
        let text = fs::read_to_string(file)
            .with_context(|| format!("{} does not exist: run `make up` first", file.display()))?;
        let lines = text.lines().filter_map(|line| line.strip_prefix("export ")?.split_once('='));
        let values: BTreeMap<&str, &str> = lines.collect();
        let get = |name: &str| values.get(name).map(|value| (*value).to_owned()).unwrap_or_default();
        Ok(Self {
            url: get("IOC_URL"),
            tenant: get("IOC_TENANT"),
            key: get("IOC_KEY"),
            admin_key: get("IOC_ADMIN_KEY"),
            model: get("IOC_MODEL_KIND"),
        })
    }

    /// Writes the file. No value contains a character that is special in a shell.
    pub fn write(&self, file: &Path) -> Result<()> {
        let lines = [
            ("IOC_URL", &self.url),
            ("IOC_TENANT", &self.tenant),
            ("IOC_KEY", &self.key),
            ("IOC_ADMIN_KEY", &self.admin_key),
            ("IOC_MODEL_KIND", &self.model),
        ];
        let mut text = "# Made by `make up`. Source it:  . .local/env\n".to_owned();
        for (name, value) in lines {
            _ = writeln!(text, "export {name}={value}");
        }
        write_private(file, &text)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_written_file_reads_back_and_is_readable_only_by_its_owner() {
        let folder = crate::paths::temporary("env").unwrap();
        let file = folder.join("env");
        let written = EnvFile { url: "http://127.0.0.1:8000".into(), key: "ioc_demo_1_2".into(), ..EnvFile::default() };
        written.write(&file).unwrap();
        written.write(&file).unwrap();
        assert_eq!(EnvFile::read(&file).unwrap(), written);
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        fs::remove_dir_all(folder).unwrap();
    }
}

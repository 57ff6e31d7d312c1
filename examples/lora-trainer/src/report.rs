//! The report that ioc reads: lines of JSON, each written at once.

use std::{fs::File, io::Write, path::Path};

use anyhow::{Context, Result};
use serde_json::Value;

pub struct Report(File);

impl Report {
    pub fn open(path: &Path) -> Result<Self> {
        let file = File::options().create(true).append(true).open(path);
        Ok(Self(file.with_context(|| format!("{} cannot be written", path.display()))?))
    }

    pub fn write_line(&mut self, line: &Value) -> Result<()> {
        Ok(self.0.write_all(format!("{line}\n").as_bytes())?)
    }
}

//! What to try next, as commands that can be pasted into a shell.

use std::path::Path;

use super::repository;
use crate::{env_file::EnvFile, own_model::SCRIPTED, say::say};

/// The commands; what stands in angle brackets is filled in.
const COMMANDS: &str = include_str!("next.txt");

pub(super) fn tell(local: &Path, env: &EnvFile) {
    let place = |path: &Path| path.display().to_string();
    let here = std::env::current_dir().unwrap_or_default();
    let near = local.strip_prefix(here).unwrap_or(local);
    let text = COMMANDS.replace("<URL>", &env.url).replace("<LOCAL>", &place(near));
    say(text.replace("<REPOSITORY>", &place(&repository::folder(local))).trim_end());
    if env.model != SCRIPTED {
        say("  (These prompts are scripts for the scripted model: start with IOC_MODEL=scripted make up)");
    }
}

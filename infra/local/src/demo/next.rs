//! What to try next: commands to paste into a shell.

use std::path::Path;

use super::repository;
use crate::{console::print_line, env_file::EnvFile, model_discovery::SCRIPTED};

/// The commands, with placeholders in angle brackets.
const COMMANDS: &str = include_str!("next.txt");

pub(super) fn print_commands(local: &Path, env: &EnvFile) {
    let place = |path: &Path| path.display().to_string();
    let here = std::env::current_dir().unwrap_or_default();
    let near = local.strip_prefix(here).unwrap_or(local);
    let text = COMMANDS.replace("<URL>", &env.url).replace("<LOCAL>", &place(near));
    print_line(text.replace("<REPOSITORY>", &place(&repository::folder(local))).trim_end());
    if env.model != SCRIPTED {
        print_line("  (These prompts are scripts for the scripted model: start with IOC_MODEL=scripted make up)");
    }
}

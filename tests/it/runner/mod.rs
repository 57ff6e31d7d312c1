//! The runner with the real programs that it drives: OpenCode, Claude Code and Codex, each offline against the scripted
//! model. `make setup-test` installs them.

mod agents;
mod bundles;
mod children;
mod environment;
mod people;
mod process;
mod providers;
mod sessions;
mod support;
mod tools;

//! Workspaces with real git: where files come from, what agents may do to them, and what is collected.

mod agents;
mod bundles;
mod collecting;
mod credentials;
mod damage;
mod fixture;
mod history;
mod hostile;
mod mirrors;
mod owners;
mod properties;
mod remotes;
mod removal;
mod sources;
mod submodules;

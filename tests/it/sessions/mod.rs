//! Claims about sessions, through the API.

mod adverse;
mod artifacts;
mod cancel;
mod checkpoints;
mod complete;
mod create;
mod delete;
mod diff;
mod events;
mod fail;
mod fold;
mod fork;
mod get;
mod life;
mod limits;
mod list;
mod patch;
mod pause;
mod resume;
mod retry;
mod say;
mod start;
mod stats;
mod stop;
mod tree;
mod verbs;

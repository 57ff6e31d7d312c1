//! Extractors: callers, ids, bodies and queries, each parsed once and rejected with a problem.

mod body;
mod caller;
mod path;
mod query_string;

pub use body::BODY_LIMIT;
pub(crate) use body::{Json, OptionalJson, read_body};
pub(crate) use caller::{
    Admin, Agent, Caller, ClientAddress, Lead, Member, MinimumRole, RegisteringRunner, RequestText, Runner,
    StreamReader, TaskAgent, Viewer, credentials, identify_caller,
};
pub(crate) use path::{ArtifactPath, CheckpointPath, PathId, SessionPath, path};
pub(crate) use query_string::Query;

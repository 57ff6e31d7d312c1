//! Agents: who works on sessions.

pub(crate) mod external;

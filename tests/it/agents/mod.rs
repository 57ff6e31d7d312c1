//! Agents: who works on sessions.

mod external;

//! The claims about the runner that need no control plane. Those about the runner as a whole, with the real agents, are
//! in `tests/it/runner` of the repository.

mod acp;
mod egress;
mod gateway;
mod job;
mod mcp;
mod sandbox;
mod workspace;

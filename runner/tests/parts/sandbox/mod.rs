//! The sandbox with a real bubblewrap. Where none can be made, these tests fail and report why.

mod hostile;
mod limits;
mod network;
mod process;
mod reach;
pub(crate) mod support;
mod without_root;

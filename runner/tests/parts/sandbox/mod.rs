//! The sandbox with a real bubblewrap. Where none can be made, these tests fail and report why.

mod limits;
mod reach;
mod support;
mod without_root;

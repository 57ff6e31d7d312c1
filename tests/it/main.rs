//! The claims about ioc, in one test binary that mirrors the tree.

mod lock;

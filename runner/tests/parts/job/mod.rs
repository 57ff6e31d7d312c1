//! Parts of a job that need a real sandbox and real git.

mod setup;

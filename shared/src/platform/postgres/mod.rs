//! Postgres. [`Db::tenant`] is the only way to tenant data.

mod commit;
mod connections;
mod error;
pub(crate) mod lock_names;
pub mod migrations;
pub mod partitions;
mod pool;
mod preamble;
mod shares;
mod statement;
mod transaction;
pub mod unit_of_work;

pub(crate) use self::{
    commit::in_unit_of_work,
    error::{is_of_postgres, refused_with},
    statement::{DeferredClass, OwnedStatement},
};
pub use self::{
    error::OnConstraint,
    pool::{Db, DbSettings},
    shares::run_request,
    statement::{Params, Statement},
    transaction::Tx,
};

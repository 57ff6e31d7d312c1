//! The whole of ioc in one process, and the private servers that it runs on.
//!
//! Read in this order: [`services`] (Postgres, Valkey and OpenCode as children), [`supervise`] (why none of them is ever
//! left behind), [`checkout`] (where their programs and data are).

pub mod checkout;
pub mod services;
pub mod services_for;
pub mod supervise;

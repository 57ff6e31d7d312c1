//! Every endpoint and background task of ioc.

pub mod host;

//! The External Agent Protocol: the endpoints that agents call (`server`), and the runtime that assigns tasks to them
//! (`client`).

pub mod client;
pub mod server;

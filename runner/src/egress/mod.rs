//! The way of an agent to the network: an HTTP proxy of the runner on a Unix socket of the session.
//!
//! It answers `CONNECT` and requests with an absolute `http:` URL, as clients send them to the server of `HTTP_PROXY`.
//! Names are resolved here, outside of the sandbox, and a connection is made to the very address that was checked. An
//! [`EgressPolicy`] says which names an agent may reach. Addresses that are not of the public internet are refused
//! under every policy, unless the settings of the runner permit them.

mod address;
mod connection;
mod denial;
mod destination;
mod domain;
mod policy;
mod proxy;
mod refusal;
mod relay;
mod request;
mod settings;
mod totals;

pub use address::{AddressBlock, AddressGuard};
pub use denial::{DenialReason, DeniedConnection};
pub use domain::DomainPattern;
pub use policy::{EgressPolicy, EgressPolicyError};
pub use proxy::{EgressError, EgressProxy, EgressSpec};
pub use settings::EgressSettings;
pub use totals::EgressTotals;

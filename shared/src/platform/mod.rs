//! Clients of the services that the product runs on: Postgres, Redis, queues, object storage and outbound HTTP.
//! They know no domain type.

pub mod cached_reads;
pub mod context;
pub mod cpu;
pub mod http_client;
pub mod notification;
pub mod object_store;
pub mod postgres;
pub mod queue;
pub mod redis;
pub mod remembered_tenants;
pub(crate) mod tls;
pub mod variables;

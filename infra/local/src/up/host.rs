//! The seam to the product itself: migrations, the demo tenant, the API and its workers in this process.

#![expect(dead_code, clippy::unused_async, reason = "the product is not joined yet")]

use std::path::PathBuf;

use anyhow::Result;
use axum::{Router, routing::get};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::env_file::EnvFile;

/// Where everything is that the product needs.
#[derive(Clone, Debug)]
pub(super) struct Places {
    /// The address of the user who owns the schema.
    pub(super) database_url: String,
    pub(super) redis_url: String,
    pub(super) opencode_url: String,
    pub(super) opencode_password: String,
    pub(super) local: PathBuf,
}

/// The product, ready to be served.
pub(super) struct Host {}

/// Brings the schema up to date and opens everything.
pub(super) async fn open(_places: &Places) -> Result<Host> {
    Ok(Host {})
}

impl Host {
    /// The demo tenant and its keys; those that are known from an earlier start stay when they still hold.
    pub(super) async fn identity(&self, known: EnvFile) -> Result<EnvFile> {
        Ok(known)
    }

    /// Serves the API and runs the workers until the end.
    pub(super) async fn serve(self, listener: TcpListener, end: CancellationToken) -> Result<()> {
        let router = Router::new().route("/health", get(async || "ok"));
        axum::serve(listener, router).with_graceful_shutdown(end.cancelled_owned()).await?;
        Ok(())
    }
}

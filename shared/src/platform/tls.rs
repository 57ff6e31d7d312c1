//! TLS with the certificate authorities of the system. They are read once per process: reading some hundred
//! certificates takes milliseconds, of each cold start and of each client.

use std::sync::{Arc, LazyLock};

use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};

use crate::kernel::error::{Error, Result};

static SYSTEM_AUTHORITIES: LazyLock<Arc<RootCertStore>> = LazyLock::new(|| {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    Arc::new(roots)
});

/// A builder of HTTP clients that trust the authorities of the system.
pub(crate) fn http_client_builder() -> Result<reqwest::ClientBuilder> {
    Ok(reqwest::Client::builder().tls_backend_preconfigured(client_config(SYSTEM_AUTHORITIES.clone())?))
}

/// A connector to Postgres that also trusts the authorities in a file.
pub(crate) fn postgres_connector(ca_file: Option<&str>) -> Result<tokio_postgres_rustls::MakeRustlsConnect> {
    let mut roots = SYSTEM_AUTHORITIES.clone();
    if let Some(path) = ca_file {
        let certificates = CertificateDer::pem_file_iter(path).map_err(Error::internal)?;
        Arc::make_mut(&mut roots).add_parsable_certificates(certificates.filter_map(std::result::Result::ok));
    }
    Ok(tokio_postgres_rustls::MakeRustlsConnect::new(client_config(roots)?))
}

fn client_config(roots: Arc<RootCertStore>) -> Result<ClientConfig> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    Ok(versions.map_err(Error::internal)?.with_root_certificates(roots).with_no_client_auth())
}

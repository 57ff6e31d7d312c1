//! Migrations: the ordered SQL in `migrations/`, embedded in the program and run by one process at a time.

use tokio_postgres::{Client, NoTls, config::SslMode};

use crate::kernel::error::{Code, Error, Result};

mod embedded {
    refinery::embed_migrations!("../migrations");
}

/// The advisory lock that every process takes to migrate a database.
const LOCK: i64 = 0x0069_6f63;

/// Migrates the database of `owner_url` to the newest version. `app_password` becomes the password of the role
/// `ioc_app`; without it the login of that role stays unchanged.
pub async fn migrate(owner_url: &str, app_password: Option<&str>) -> Result<()> {
    let mut client = connect_owner(owner_url).await?;
    client.execute("select pg_advisory_lock($1)", &[&LOCK]).await?;
    let report = embedded::migrations::runner().run_async(&mut client).await.map_err(migration_error)?;
    for migration in report.applied_migrations() {
        tracing::info!(%migration, "migrated");
    }
    if let Some(password) = app_password {
        let quoted = password.replace('\'', "''");
        client.batch_execute(&format!("alter role ioc_app login password '{quoted}'")).await?;
    }
    client.execute("select pg_advisory_unlock($1)", &[&LOCK]).await?;
    Ok(())
}

/// Explains why a database cannot be migrated and what to do about it.
fn migration_error(error: refinery::Error) -> Error {
    use refinery::error::Kind;
    let what = match error.kind() {
        Kind::DivergentVersion(..) | Kind::MissingVersion(..) => {
            "The database was made by another version of ioc; start that version, or begin with an empty database."
        }
        _ => "A migration failed; nothing of it was kept.",
    };
    Error::new(Code::InternalError, what).caused_by(error)
}

/// The password in a database URL.
pub fn password_in(url: &str) -> Option<String> {
    let config: tokio_postgres::Config = url.parse().ok()?;
    config.get_password().and_then(|password| String::from_utf8(password.to_vec()).ok())
}

/// A hash of all migrations. It identifies a migrated database that is kept as a template.
pub fn migrations_fingerprint() -> String {
    use sha2::{Digest, Sha256};
    let mut hash = Sha256::new();
    for migration in embedded::migrations::runner().get_migrations() {
        hash.update(migration.sql().unwrap_or_default());
    }
    hex::encode(&hash.finalize()[..8])
}

/// One connection outside the pool, as the owner of the database.
pub async fn connect_owner(url: &str) -> Result<Client> {
    let config: tokio_postgres::Config =
        url.parse().map_err(|_| Error::new(Code::InternalError, "The owner's database URL is not a Postgres URL."))?;
    if matches!(config.get_ssl_mode(), SslMode::Require) {
        let (client, connection) = config.connect(crate::platform::tls::postgres_connector(None)?).await?;
        spawn_connection(connection);
        return Ok(client);
    }
    let (client, connection) = config.connect(NoTls).await?;
    spawn_connection(connection);
    Ok(client)
}

#[expect(clippy::disallowed_methods, reason = "a connection is driven beside its client, and ends with it")]
fn spawn_connection<C>(connection: C)
where
    C: Future<Output = Result<(), tokio_postgres::Error>> + Send + 'static,
{
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::warn!(%error, "a connection to Postgres ended");
        }
    });
}

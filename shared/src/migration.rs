//! Migrations: the ordered SQL in `migrations/`, carried in the program, run by one process at a time.

use tokio_postgres::{Client, NoTls, config::SslMode};

use crate::error::{Code, Error, Result};

mod embedded {
    refinery::embed_migrations!("../migrations");
}

/// The one number that all who migrate a database agree on.
const LOCK: i64 = 0x0069_6f63;

/// Brings the database of `owner_url` to the newest state. `app_password` lets the role `ioc_app` log in with it; without
/// one its login is left as it is.
pub async fn migrate(owner_url: &str, app_password: Option<&str>) -> Result<()> {
    let mut client = connect(owner_url).await?;
    client.execute("select pg_advisory_lock($1)", &[&LOCK]).await?;
    let report = embedded::migrations::runner().run_async(&mut client).await.map_err(refused)?;
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

/// Why a database cannot be migrated, in words that say what can be done.
fn refused(error: refinery::Error) -> Error {
    use refinery::error::Kind;
    let what = match error.kind() {
        Kind::DivergentVersion(..) | Kind::MissingVersion(..) => {
            "The database was made by another version of ioc; start that version, or begin with an empty database."
        }
        _ => "A migration failed; nothing of it was kept.",
    };
    Error::new(Code::InternalError, what).caused_by(error)
}

/// The password that a database URL holds.
pub fn password_in(url: &str) -> Option<String> {
    let config: tokio_postgres::Config = url.parse().ok()?;
    config.get_password().and_then(|password| String::from_utf8(password.to_vec()).ok())
}

/// A hash of all migrations, for those who keep a migrated database to copy.
pub fn fingerprint() -> String {
    use sha2::{Digest, Sha256};
    let mut hash = Sha256::new();
    for migration in embedded::migrations::runner().get_migrations() {
        hash.update(migration.sql().unwrap_or_default());
    }
    hex::encode(&hash.finalize()[..8])
}

/// One connection outside of any pool, for whoever owns the database.
pub async fn connect(url: &str) -> Result<Client> {
    let config: tokio_postgres::Config =
        url.parse().map_err(|_| Error::new(Code::InternalError, "The owner's database URL is not a Postgres URL."))?;
    if matches!(config.get_ssl_mode(), SslMode::Require) {
        let (client, connection) = config.connect(crate::db::tls(None)?).await?;
        drive(connection);
        return Ok(client);
    }
    let (client, connection) = config.connect(NoTls).await?;
    drive(connection);
    Ok(client)
}

#[expect(clippy::disallowed_methods, reason = "a connection is driven beside its client, and ends with it")]
fn drive<C>(connection: C)
where
    C: Future<Output = Result<(), tokio_postgres::Error>> + Send + 'static,
{
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::warn!(%error, "a connection to Postgres ended");
        }
    });
}

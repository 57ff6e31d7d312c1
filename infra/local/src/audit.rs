//! `ioc audit verify`: checks a tenant's audit log in the database itself, without the API and its keys.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use shared::{
    audit,
    auth::store::find_tenant,
    db::{Db, Settings},
};

use crate::say::say;

/// Look after the audit log
#[derive(Args, Debug)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check that no entry was changed, removed or put in; fails when one was
    Verify(Verify),
}

#[derive(Args, Debug)]
struct Verify {
    /// The tenant, by slug or id
    #[arg(long, env = "IOC_TENANT")]
    tenant: String,
    /// A Postgres URL, of the role of the functions
    #[arg(long, env = "DATABASE_URL")]
    database_url: String,
    /// A PEM file of certificate authorities, for servers whose authority the system does not know
    #[arg(long, env = "DATABASE_CA_FILE")]
    ca_file: Option<PathBuf>,
}

/// Runs the command; answers the exit code.
pub async fn run(arguments: Arguments) -> Result<u8> {
    let Command::Verify(verify) = arguments.command;
    let ca_file = verify.ca_file.map(|path| path.to_string_lossy().into_owned());
    let db = Db::new(&Settings { url: verify.database_url, connections: 1, ca_file })?;
    let tenant = find_tenant(&db, &verify.tenant).await?.context("there is no such tenant")?;
    let verdict = audit::store::verify(&db, tenant.id).await?;
    let (slug, entries, head) = (&tenant.slug, verdict.entries, &verdict.head_hash);
    if verdict.intact {
        say(format!("{slug}: {entries} entries, intact; number {} has the hash {head}", verdict.head_seq));
        return Ok(0);
    }
    say(format!("{slug}: {entries} entries, NOT as they were written:"));
    for found in &verdict.breaks {
        say(format!("  entry {}: {}", found.seq, found.finding));
    }
    Ok(1)
}

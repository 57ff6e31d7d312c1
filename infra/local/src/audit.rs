//! `ioc audit`: checks a tenant's audit log in the database itself, without the API and its keys, and drops past
//! months.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use shared::{
    identity::{audit, auth::store::find_tenant},
    kernel::clock::Clock,
    platform::postgres::{Db, DbSettings, migrations},
};

use crate::console::print_line;

/// Commands for the audit log
#[derive(Args, Debug)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check that no entry was changed, removed or inserted; fails if one was
    Verify(Verify),
    /// Drop a past month of all tenants; the rest of each log can still be verified
    DropMonth(DropMonth),
}

#[derive(Args, Debug)]
struct Verify {
    /// The tenant, by slug or id
    #[arg(long, env = "IOC_TENANT")]
    tenant: String,
    /// A Postgres URL for the database role of the functions
    #[arg(long, env = "DATABASE_URL")]
    database_url: String,
    /// A PEM file of certificate authorities, for servers whose authority the system does not know
    #[arg(long, env = "DATABASE_CA_FILE")]
    ca_file: Option<PathBuf>,
}

#[derive(Args, Debug)]
struct DropMonth {
    /// The month, such as 2026-08; it must be over
    #[arg(long)]
    month: String,
    /// Drop it even if the retention of a tenant keeps entries of it
    #[arg(long)]
    ignore_retention: bool,
    /// A Postgres URL, of the role that owns the database
    #[arg(long, env = "DATABASE_URL")]
    database_url: String,
}

/// Runs the command and returns the exit code.
pub async fn run(arguments: Arguments) -> Result<u8> {
    match arguments.command {
        Command::Verify(verify) => self::verify(verify).await,
        Command::DropMonth(drop) => drop_month(drop).await,
    }
}

async fn drop_month(arguments: DropMonth) -> Result<u8> {
    let DropMonth { month, ignore_retention, database_url } = arguments;
    let owner = migrations::connect_owner(&database_url).await?;
    for (tenant, removed) in audit::store::drop_month(&owner, &month, Clock::System.now(), ignore_retention).await? {
        print_line(format!("{tenant}: {removed} entries removed; an anchor keeps the rest verifiable"));
    }
    Ok(0)
}

async fn verify(verify: Verify) -> Result<u8> {
    let ca_file = verify.ca_file.map(|path| path.to_string_lossy().into_owned());
    let db = Db::new(&DbSettings { url: verify.database_url, connections: 1, ca_file })?;
    let tenant = find_tenant(&db, &verify.tenant).await?.context("there is no such tenant")?;
    let verdict = audit::store::verify_chain(&db, tenant.id).await?;
    let (slug, entries, head) = (&tenant.slug, verdict.entries, &verdict.head_hash);
    if verdict.intact {
        print_line(format!("{slug}: {entries} entries, intact; number {} has the hash {head}", verdict.head_seq));
        return Ok(0);
    }
    print_line(format!("{slug}: {entries} entries, NOT intact:"));
    for found in &verdict.breaks {
        print_line(format!("  entry {}: {}", found.seq, found.finding));
    }
    Ok(1)
}

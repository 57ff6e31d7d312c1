//! Bringing the database up to date after a deployment, and making the agents known that sessions may name.

use shared::{
    agent,
    app::App,
    config::Variables,
    error::Result,
    job::Verdict,
    migration::{self, password_in},
};

/// Runs the migrations that are missing as the owner of the database, lets `ioc_app` log in with the password that the
/// functions use, and registers the platform's agents. A second call changes nothing.
pub async fn migrate(app: &App) -> Result<Verdict> {
    let variables = Variables::of_process();
    let owner_url = variables.required("MIGRATION_URL")?;
    let app_password = password_in(&variables.required("DATABASE_URL")?);
    Box::pin(migration::migrate(&owner_url, app_password.as_deref())).await?;
    agent::register(app).await?;
    Ok(Verdict::Done)
}

//! The migration of the database after a deployment, and the registration of the platform's agents.

use shared::{
    agents::registry,
    app::App,
    kernel::error::Result,
    platform::{
        postgres::migrations::{self, password_in},
        queue::job::JobOutcome,
        variables::Variables,
    },
};

/// Runs the migrations that are missing as the owner of the database, lets `ioc_app` log in with the password that the
/// functions use, and registers the platform's agents. A second call changes nothing.
pub async fn migrate(app: &App) -> Result<JobOutcome> {
    let variables = Variables::of_process();
    let owner_url = variables.required("MIGRATION_URL")?;
    let app_password = password_in(&variables.required("DATABASE_URL")?);
    Box::pin(migrations::migrate(&owner_url, app_password.as_deref())).await?;
    registry::register_platform_agents(app).await?;
    Ok(JobOutcome::Complete)
}

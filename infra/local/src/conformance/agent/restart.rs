//! The check of a restart: an agent that is killed in the middle of a task gets it again, under a newer lease.

use anyhow::Result;
use serde_json::json;

use super::{super::checks::comes, Trial, start};

impl Trial<'_> {
    /// Kills the agent's process during a long task, starts it again, and hands the task out again.
    pub(super) async fn returns_after_a_restart(&mut self) -> Result<()> {
        const NAME: &str = "it returns after a restart and continues the task that it held";
        let (Some(command), Some(mut process)) = (&self.asked.agent, self.process.take()) else {
            self.checks.skip(NAME);
            return Ok(());
        };
        let prompt = self.asked.long_prompt.clone();
        let id = self.offer(&prompt, |_| {}).await?;
        let reports = self.of(id, |task| task.reports.len());
        comes(self.patience, || reports() > Some(0)).await;
        process.kill().await?;
        let plane = self.plane.clone();
        let heartbeats = plane.known().heartbeats;
        self.process = Some(start(command, &self.url)?);
        let lives = comes(self.patience, || plane.known().heartbeats > heartbeats).await;
        if let Some(task) = self.plane.known().tasks.get_mut(&id) {
            task.described["lease"]["token"] = json!(2);
            (task.claimed, task.newest_lease) = (false, 2);
        }
        if lives {
            self.deliver("it accepts the push of a task that it held", id).await?;
        }
        let renewed = self.of(id, |task| task.reports_of_newest_lease);
        let returned = lives && comes(self.patience, || renewed() > Some(0)).await;
        let why = || {
            if lives { "no report arrived under the newer lease".to_owned() } else { self_is_unknown() }
        };
        self.checks.holds(NAME, returned, why);
        if let Some(task) = self.plane.known().tasks.get_mut(&id) {
            task.cancel = true;
        }
        self.first_result(id).await;
        Ok(())
    }
}

fn self_is_unknown() -> String {
    "no heartbeat arrived: the token must be stored where it survives, because the name is taken".to_owned()
}

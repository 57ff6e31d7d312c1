//! What one task at work uses at this moment, for heartbeats.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use tokio::sync::watch;

use crate::{control_plane::wire::RunnerJob, sandbox::ResourceUsage};

/// The gauge of one task.
#[derive(Debug, Default)]
pub struct JobGauge(Mutex<GaugeState>);

#[derive(Debug, Default)]
struct GaugeState {
    phase: Option<&'static str>,
    /// The measurements of the process at work; absent while there is none.
    usage: Option<watch::Receiver<ResourceUsage>>,
    /// The processor time at the last reading, in milliseconds.
    read: Option<(Instant, u64)>,
}

impl JobGauge {
    pub fn set_phase(&self, phase: &'static str) {
        self.state().phase = Some(phase);
    }

    /// A process has started, or has ended.
    pub fn set_process(&self, usage: Option<watch::Receiver<ResourceUsage>>) {
        let mut state = self.state();
        (state.usage, state.read) = (usage, None);
    }

    /// What a heartbeat says of the task. Processor time is that since the last reading.
    pub fn read(&self, task_id: &str) -> RunnerJob {
        let mut state = self.state();
        let usage = state.usage.as_ref().map(|usage| *usage.borrow());
        let now = Instant::now();
        let cpu_percent = usage.and_then(|usage| percent_since(state.read?, now, usage.cpu_milliseconds));
        state.read = usage.map(|usage| (now, usage.cpu_milliseconds));
        let rss_mb = usage.map(|usage| usage.memory_bytes >> 20);
        RunnerJob { task_id: task_id.to_owned(), phase: state.phase, rss_mb, cpu_percent }
    }

    fn state(&self) -> MutexGuard<'_, GaugeState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The processor time since a reading, in percent of one processor.
fn percent_since((then, used): (Instant, u64), now: Instant, milliseconds: u64) -> Option<u64> {
    let passed = u64::try_from(now.duration_since(then).as_millis()).ok()?;
    (milliseconds.saturating_sub(used) * 100).checked_div(passed)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_gauge_shows_the_phase_and_the_use_of_the_process_while_there_is_one() {
        let gauge = JobGauge::default();
        let none = RunnerJob { task_id: "one".into(), phase: None, rss_mb: None, cpu_percent: None };
        assert_eq!(gauge.read("one"), none);
        let usage = ResourceUsage { memory_bytes: 300 << 20, cpu_milliseconds: 40, ..ResourceUsage::default() };
        let (_sender, measured) = watch::channel(usage);
        gauge.set_phase("working");
        gauge.set_process(Some(measured));
        let expected = RunnerJob { phase: Some("working"), rss_mb: Some(300), ..none.clone() };
        assert_eq!(gauge.read("one"), expected, "one reading says nothing about processor time");
        gauge.set_process(None);
        assert_eq!(gauge.read("one"), RunnerJob { phase: Some("working"), ..none });
    }

    #[test]
    fn processor_time_is_that_since_the_last_reading() {
        let then = Instant::now();
        assert_eq!(percent_since((then, 500), then + Duration::from_secs(2), 3500), Some(150));
        assert_eq!(percent_since((then, 500), then, 3500), None);
    }
}

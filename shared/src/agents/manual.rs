//! The manual agent: the session is driven through the API, by a person or a program that reports its end.

use async_trait::async_trait;
use serde_json::json;

use crate::{
    agents::contract::{AgentRuntime, Assignment, Observation, Phase, RunOutput, RunState, UserMessage},
    kernel::{failure::Failure, id::MessageId, usage::Usage},
};

/// Accepts every session and waits for its `complete` or `fail`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Manual;

#[async_trait]
impl AgentRuntime for Manual {
    async fn dispatch(&self, assignment: &Assignment) -> Result<RunState, Failure> {
        Ok(RunState(json!({"run": assignment.run})))
    }

    async fn observe(&self, _: &Assignment, state: &RunState) -> Result<Observation, Failure> {
        Ok(Observation {
            state: state.clone(),
            phase: Phase::Working,
            transcript: Vec::new(),
            usage_scope: "manual".to_owned(),
            usage: Usage::default(),
            turns_with_changes: 0,
        })
    }

    async fn send_message(
        &self,
        _: &Assignment,
        state: &RunState,
        _: MessageId,
        _: &UserMessage,
    ) -> Result<RunState, Failure> {
        Ok(state.clone())
    }

    async fn abort(&self, _: &Assignment, _: &RunState) -> Result<(), Failure> {
        Ok(())
    }

    async fn collect_output(&self, _: &Assignment, _: &RunState) -> Result<RunOutput, Failure> {
        Ok(RunOutput::default())
    }

    async fn release_workspace(&self, _: &Assignment, _: &RunState) -> Result<(), Failure> {
        Ok(())
    }
}

//! Handing over: the workspace, the agent's session, and the words that set it to work.

use serde_json::{Value, json};

use super::{
    OpenCode,
    client::optional,
    prepare::{Place, Plan},
    state::{Cursor, State},
    wire::Session,
};
use crate::{
    agents::contract::{Assignment, Continuation, RunState},
    kernel::failure::Failure,
};

const GO_ON: &str = "Continue where you left off.";

impl OpenCode {
    pub(super) async fn hand_over(&self, assignment: &Assignment) -> Result<RunState, Failure> {
        self.check(assignment).await?;
        let state = match &assignment.continuation {
            Continuation::Start => self.open(assignment, Plan::default(), assignment.prompt.clone()).await?,
            Continuation::Resume { state, ask } => self.resume(assignment, state, *ask).await?,
            Continuation::Checkpoint { state, patch, summary, fork } => {
                let from = state.as_ref().and_then(State::read);
                match from.as_ref().filter(|_| !fork) {
                    Some(from) if self.exists(from).await? => self.go_on(assignment, from, patch, summary).await?,
                    _ => {
                        let plan = Plan { from: from.as_ref(), patch, kept: false };
                        self.open(assignment, plan, with_summary(&assignment.prompt, summary)).await?
                    }
                }
            }
        };
        state.write()
    }

    async fn exists(&self, state: &State) -> Result<bool, Failure> {
        Ok(optional(self.client.session(&state.directory, &state.session).await)?.is_some())
    }

    /// The same run goes on. Where the agent forgot its session, the files still stand and the prompt is said anew.
    async fn resume(&self, assignment: &Assignment, state: &RunState, ask: bool) -> Result<State, Failure> {
        let mut state = State::required(state)?;
        if !self.exists(&state).await? {
            let plan = Plan { from: Some(&state), patch: "", kept: true };
            return self.open(assignment, plan, with_summary(&assignment.prompt, "")).await;
        }
        state.doubt = None;
        if ask {
            let anchor = state.anchor.clone();
            self.deliver(assignment, &mut state, &seed(assignment, "resume", &anchor), GO_ON).await?;
        }
        Ok(state)
    }

    /// A new run in the agent's old session.
    async fn go_on(&self, assignment: &Assignment, from: &State, patch: &str, summary: &str) -> Result<State, Failure> {
        let place = self.prepare(assignment, Plan { from: Some(from), patch, kept: true }).await?;
        self.take_over(assignment, from).await?;
        let mut state = begin(&place, &from.session);
        let text = with_summary(GO_ON, summary);
        let done = self.deliver(assignment, &mut state, &seed(assignment, "open", ""), &text).await?;
        state.cursor.done = done.unwrap_or_default();
        Ok(state)
    }

    /// Notes at the agent's session which run it serves.
    async fn take_over(&self, assignment: &Assignment, from: &State) -> Result<(), Failure> {
        let session = self.client.session(&from.directory, &from.session).await?;
        if session.metadata.get("ioc_run") == Some(&json!(assignment.run)) {
            return Ok(());
        }
        let mut metadata = session.metadata;
        metadata.insert("ioc_run".to_owned(), json!(assignment.run));
        self.client.set_metadata(&from.directory, &from.session, &Value::Object(metadata)).await?;
        Ok(())
    }

    /// A new session of the agent in a workspace of its own.
    async fn open(&self, assignment: &Assignment, plan: Plan<'_>, text: String) -> Result<State, Failure> {
        let place = self.prepare(assignment, plan).await?;
        let session = self.agents_session(assignment, &place).await?;
        let mut state = begin(&place, &session);
        self.deliver(assignment, &mut state, &seed(assignment, "open", ""), &text).await?;
        Ok(state)
    }

    /// The agent's session of this run: claimed before, left by a call that was cut, or made now. Of two that are made
    /// at once one is claimed and the other goes.
    async fn agents_session(&self, assignment: &Assignment, place: &Place) -> Result<String, Failure> {
        if let Some(claimed) = &place.session
            && optional(self.client.session(&place.directory, claimed).await)?.is_some()
        {
            return Ok(claimed.clone());
        }
        let metadata = json!({"ioc_session": assignment.session_id, "ioc_run": assignment.run});
        let matching = |session: &Session| {
            ["ioc_session", "ioc_run"].iter().all(|key| session.metadata.get(*key) == metadata.get(*key))
        };
        let left = self.client.sessions(&place.directory).await?.into_iter().rev().find(matching);
        let (candidate, made) = if let Some(session) = left {
            (session.id, false)
        } else {
            let permission = self.settings.permission();
            let body = json!({"title": assignment.title, "metadata": metadata, "permission": permission});
            (self.client.create(&place.directory, &body).await?.id, true)
        };
        let claimed = self.claim(assignment, &candidate, place.session.as_deref()).await?;
        if made && claimed != candidate {
            optional(self.client.delete(&place.directory, &candidate).await)?;
        }
        Ok(claimed)
    }
}

/// What makes the words of a run the ones that they are.
pub(super) fn seed(assignment: &Assignment, purpose: &str, after: &str) -> [String; 5] {
    [
        assignment.session_id.to_string(),
        assignment.run.to_string(),
        assignment.run_started_at.timestamp_micros().to_string(),
        purpose.to_owned(),
        after.to_owned(),
    ]
}

fn begin(place: &Place, session: &str) -> State {
    State {
        session: session.to_owned(),
        directory: place.directory.clone(),
        worktree: place.worktree.clone(),
        base: place.base.clone(),
        repository: place.repository.clone(),
        cursor: Cursor::default(),
        ..State::default()
    }
}

fn with_summary(text: &str, summary: &str) -> String {
    let summary = summary.trim();
    if summary.is_empty() {
        return text.to_owned();
    }
    format!("{text}\n\nYour earlier work on this stands in the files. What it came to:\n\n{summary}")
}

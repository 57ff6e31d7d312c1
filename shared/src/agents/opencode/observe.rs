//! A look at the run: read in an order that cannot see an end before its cause, judged by [`super::verdict`], and acted
//! on only as far as the run needs it to go on.

use serde_json::{Value, json};

use super::{
    OpenCode,
    client::{lost, optional},
    dispatch::seed,
    say,
    state::{Doubt, State},
    transcript,
    verdict::{GaveUp, Sight, Verdict, fingerprint, judge},
    wire::{Message, PermissionRequest, QuestionRequest, Session, Status, Statuses},
};
use crate::{
    agents::contract::{Assignment, Finish, LogLevel, Observation, Phase, RunState, TranscriptEntry},
    kernel::{clock::Time, failure::Failure, usage::Usage},
};

/// How often an interrupted agent is told to go on.
const CONTINUES: u8 = 2;
/// The most pages of messages that one look reads.
const PAGES: usize = 25;
const INTERRUPTED: &str = "Your server was restarted while you worked, and what ran at that moment was cut off. See \
                           how the files stand, then go on with the task.";

/// What was read in one look.
struct Scene {
    family: Vec<Session>,
    statuses: Statuses,
    permission: Option<PermissionRequest>,
    question: Option<QuestionRequest>,
    messages: Vec<Message>,
    /// Read last, so that it holds the cost of all messages that were seen.
    session: Session,
}

impl OpenCode {
    pub(super) async fn look(&self, assignment: &Assignment, state: &RunState) -> Result<Observation, Failure> {
        let mut state = State::required(state)?;
        let Some(scene) = self.read(&state).await? else {
            return observation(&state, Phase::Finished(Finish::Failed(lost())), Vec::new(), Usage::default());
        };
        state.admitted |= scene.messages.iter().any(|message| message.info.id == state.anchor);
        let mut entries = transcript::news(&scene.messages, &mut state.cursor, &state.worktree);
        let verdict = self.verdict(&mut state, &scene);
        if verdict == (Verdict::Completed { cut: true }) {
            let message = "The model stopped at its output limit; its last answer is cut.".to_owned();
            entries.push(TranscriptEntry::Log { level: LogLevel::Warning, message });
        }
        let phase = self.act(assignment, &mut state, &scene, verdict).await?;
        let usage = match phase {
            // A child may have ended after the family was read.
            Phase::Finished(_) => {
                spent(self.family(&state.directory, &state.session).await?.iter().chain([&scene.session]))
            }
            _ => spent(scene.family.iter().chain([&scene.session])),
        };
        observation(&state, phase, entries, usage)
    }

    async fn read(&self, state: &State) -> Result<Option<Scene>, Failure> {
        let directory = &state.directory;
        let Some(session) = optional(self.client.session(directory, &state.session).await)? else { return Ok(None) };
        let family = self.family(directory, &state.session).await?;
        let ours = |id: &str| id == state.session || family.iter().any(|session| session.id == id);
        let mut statuses = self.client.statuses(directory).await?;
        statuses.retain(|id, status| ours(id) && status.kind != "idle");
        let permission = self.client.permissions(directory).await?.into_iter().find(|each| ours(&each.session_id));
        let question = self.client.questions(directory).await?.into_iter().find(|each| ours(&each.session_id));
        let reached = |message: &Message| message.info.id == state.cursor.done;
        let Some(messages) = optional(self.history(state, PAGES, reached).await)? else { return Ok(None) };
        let session = optional(self.client.session(directory, &state.session).await)?.unwrap_or(session);
        Ok(Some(Scene { family, statuses, permission, question, messages, session }))
    }

    /// All descendants of a session.
    pub(super) async fn family(&self, directory: &str, session: &str) -> Result<Vec<Session>, Failure> {
        let mut found: Vec<Session> = Vec::new();
        let mut next = Some(session.to_owned());
        let mut seen = 0;
        while let Some(parent) = next {
            found.extend(optional(self.client.children(directory, &parent).await)?.unwrap_or_default());
            next = found.get(seen).map(|session| session.id.clone());
            seen += 1;
        }
        Ok(found)
    }

    fn verdict(&self, state: &mut State, scene: &Scene) -> Verdict {
        let now = self.clock.now();
        let mut sight = Sight {
            statuses: scene.statuses.values().collect::<Vec<&Status>>(),
            permission: scene.permission.as_ref(),
            question: scene.question.as_ref(),
            messages: &scene.messages,
            anchor: &state.anchor,
            anchor_told: state.admitted,
            lasted: false,
            now_ms: now.timestamp_millis(),
            max_attempts: self.settings.max_provider_retries,
            max_wait_ms: i64::try_from(self.settings.max_retry_wait.as_millis()).unwrap_or(i64::MAX),
        };
        let verdict = judge(&sight);
        if !matches!(verdict, Verdict::Unsure { .. }) {
            state.doubt = None;
            return verdict;
        }
        let seen = fingerprint(&scene.messages);
        match &state.doubt {
            Some(doubt) if doubt.sight == seen => {
                sight.lasted = (now - doubt.since).to_std().is_ok_and(|lasted| lasted >= self.settings.grace);
                judge(&sight)
            }
            _ => {
                state.doubt = Some(Doubt { since: now, sight: seen });
                verdict
            }
        }
    }

    async fn act(
        &self,
        assignment: &Assignment,
        state: &mut State,
        scene: &Scene,
        verdict: Verdict,
    ) -> Result<Phase, Failure> {
        Ok(match verdict {
            Verdict::Permission => {
                Phase::Waiting(say::approval(scene.permission.as_ref().unwrap_or(&PermissionRequest::default())))
            }
            Verdict::Question => {
                Phase::Waiting(say::input(scene.question.as_ref().unwrap_or(&QuestionRequest::default()), state))
            }
            Verdict::Busy { begun } | Verdict::Unsure { begun } => working(begun),
            Verdict::Retrying { attempt, message } => Phase::Retrying { attempt, message },
            Verdict::GiveUp(why) => self.give_up(state, scene, why).await?,
            Verdict::Unanswered => self.ask_again(assignment, state, scene).await?,
            Verdict::Interrupted => self.go_on_after_interruption(assignment, state).await?,
            Verdict::Completed { .. } => {
                let text = transcript::last_text(&scene.messages).unwrap_or_default();
                let result = json!({"text": text});
                Phase::Finished(Finish::Completed { result, success_rate: None, confidence_score: None })
            }
            Verdict::Aborted => noted(state, &scene.session).map_or(Phase::Finished(Finish::Aborted), ended_by),
            Verdict::Failed(failure) => Phase::Finished(Finish::Failed(failure)),
        })
    }

    /// Notes why before the abort: a second look, after a crash, would see the abort alone.
    async fn give_up(&self, state: &State, scene: &Scene, why: GaveUp) -> Result<Phase, Failure> {
        let mut metadata = scene.session.metadata.clone();
        metadata.insert("ioc_gave_up".to_owned(), json!({"anchor": state.anchor, "why": why}));
        self.client.set_metadata(&state.directory, &state.session, &Value::Object(metadata)).await?;
        self.rest(state).await?;
        Ok(ended_by(why))
    }

    async fn ask_again(&self, assignment: &Assignment, state: &mut State, scene: &Scene) -> Result<Phase, Failure> {
        if state.reposts >= super::prompt::REPOSTS {
            let message = "The agent's server did not take up the prompt.";
            return Ok(Phase::Finished(Finish::Failed(Failure::transient("PROMPT_NOT_ADMITTED", message))));
        }
        self.post_again(assignment, state, &scene.messages).await?;
        state.reposts += 1;
        state.doubt = None;
        Ok(Phase::Starting)
    }

    async fn go_on_after_interruption(&self, assignment: &Assignment, state: &mut State) -> Result<Phase, Failure> {
        if state.continues >= CONTINUES {
            let message = "The agent's server was interrupted again and again.";
            return Ok(Phase::Finished(Finish::Failed(Failure::transient("AGENT_INTERRUPTED", message))));
        }
        let anchor = state.anchor.clone();
        self.deliver(assignment, state, &seed(assignment, "interrupted", &anchor), INTERRUPTED).await?;
        state.continues += 1;
        Ok(Phase::Working)
    }
}

fn working(begun: bool) -> Phase {
    if begun { Phase::Working } else { Phase::Starting }
}

/// Why we aborted the run ourselves, if we did.
fn noted(state: &State, session: &Session) -> Option<GaveUp> {
    let noted = session.metadata.get("ioc_gave_up")?;
    (noted.get("anchor")? == &json!(state.anchor)).then_some(())?;
    serde_json::from_value(noted.get("why")?.clone()).ok()
}

fn ended_by(why: GaveUp) -> Phase {
    match why {
        GaveUp::Limited { message, resume_at_ms } => {
            Phase::Limited { message, resume_at: Time::from_timestamp_millis(resume_at_ms).unwrap_or_default() }
        }
        GaveUp::Failed(failure) => Phase::Finished(Finish::Failed(failure)),
    }
}

fn observation(
    state: &State,
    phase: Phase,
    transcript: Vec<TranscriptEntry>,
    usage: Usage,
) -> Result<Observation, Failure> {
    let (usage_scope, turns_with_changes) = (state.session.clone(), state.cursor.turns);
    Ok(Observation { state: state.write()?, phase, transcript, usage_scope, usage, turns_with_changes })
}

/// What sessions spent together. The sum in dollars becomes micro-dollars by rounding to the nearest, ties to even.
#[expect(clippy::cast_possible_truncation, reason = "a cast from a float stays at the limit of its type")]
pub(super) fn spent<'a>(sessions: impl Iterator<Item = &'a Session>) -> Usage {
    let mut usage = Usage::default();
    let mut dollars = 0.0;
    for session in sessions {
        let tokens = session.tokens;
        dollars += session.cost;
        usage = usage.plus(Usage {
            tokens_input: tokens.input as i64,
            tokens_output: tokens.output as i64,
            tokens_reasoning: tokens.reasoning as i64,
            tokens_cached: (tokens.cache.read + tokens.cache.write) as i64,
            cost_micros: 0,
        });
    }
    Usage { cost_micros: (dollars * 1e6).round_ties_even() as i64, ..usage }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(cost: f64, input: f64) -> Session {
        serde_json::from_value(
            json!({"cost": cost, "tokens": {"input": input, "cache": {"read": 200.0, "write": 1.0}}}),
        )
        .unwrap()
    }

    #[test]
    fn the_cost_of_a_run_is_the_sum_in_whole_micro_dollars() {
        let usage = spent([session(0.0022, 800.0), session(0.000_000_4, 1.0)].iter());
        assert_eq!(usage.cost_micros, 2200);
        assert_eq!((usage.tokens_input, usage.tokens_cached), (801, 402));
    }
}

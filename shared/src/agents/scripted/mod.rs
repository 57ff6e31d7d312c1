//! An agent that plays a script: `agent_config.script`, a list of steps. It waits, writes, asks and fails as scripted,
//! so that everything around agents can be tried and tested without a real one.
//!
//! It has no process. Its progress at any moment is computed from the script, the time since the dispatch, and the
//! messages that it received, so every call is repeatable.

mod script;

use async_trait::async_trait;
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    agents::contract::{
        AgentRuntime, Assignment, Continuation, Decision, FileChange, FileStatus, Finish, LogLevel, Observation,
        OutputFile, Phase, RunOutput, RunState, TranscriptEntry, UserMessage,
    },
    kernel::{
        clock::{Clock, Time},
        failure::{Category, Failure},
        id::MessageId,
        usage::Usage,
    },
};

use self::script::{Step, parse};

/// The scripted agent.
#[derive(Clone, Debug)]
pub struct ScriptedAgent {
    clock: Clock,
}

/// The state that is stored between two calls.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct ScriptMemory {
    /// The next step of the script.
    at: usize,
    /// When the current step began.
    since: Time,
    /// Files written so far: path and content.
    files: Vec<(String, String)>,
    usage: Usage,
    turns: u32,
    /// Answers and messages, with their ids.
    received: Vec<(MessageId, UserMessage)>,
    /// Aborted. A resume or a new dispatch continues it.
    resting: bool,
    scope: String,
    /// The prompt of the script's run. A fork with another prompt plays its script from the start.
    #[serde(default)]
    prompt: String,
}

impl ScriptedAgent {
    pub fn new(clock: Clock) -> Self {
        Self { clock }
    }
}

fn decode_memory(state: &RunState) -> Result<ScriptMemory, Failure> {
    serde_json::from_value(state.0.clone())
        .map_err(|error| Failure::new(Category::Internal, "STATE_UNREADABLE", error.to_string()))
}

fn encode_memory(memory: &ScriptMemory) -> RunState {
    RunState(json!(memory))
}

#[async_trait]
impl AgentRuntime for ScriptedAgent {
    async fn dispatch(&self, assignment: &Assignment) -> Result<RunState, Failure> {
        let script = parse(assignment)?;
        if let Some(Step::Refuse { category, message, until_run }) = script.first()
            && until_run.is_none_or(|run| assignment.run < run)
        {
            return Err(Failure::new(*category, "REFUSED", message.clone()));
        }
        let fresh = || ScriptMemory {
            since: assignment.run_started_at,
            scope: format!("{}/{}", assignment.session_id, assignment.run),
            prompt: assignment.prompt.clone(),
            ..ScriptMemory::default()
        };
        let memory = match &assignment.continuation {
            Continuation::Start | Continuation::Checkpoint { state: None, .. } => fresh(),
            Continuation::Resume { state, .. } => {
                ScriptMemory { resting: false, since: assignment.run_started_at, ..decode_memory(state)? }
            }
            Continuation::Checkpoint { state: Some(state), fork, .. } => {
                let old = decode_memory(state)?;
                let scope = if *fork { fresh().scope } else { old.scope.clone() };
                let usage = if *fork { Usage::default() } else { old.usage };
                // After a failure, the script continues with the next step.
                let failed = matches!(script.get(old.at), Some(Step::Fail { .. } | Step::Crash { .. }));
                let is_new = *fork && old.prompt != assignment.prompt;
                let at = if is_new { 0 } else { old.at + usize::from(failed && !*fork) };
                let prompt = assignment.prompt.clone();
                ScriptMemory { at, resting: false, since: assignment.run_started_at, scope, usage, prompt, ..old }
            }
        };
        Ok(encode_memory(&memory))
    }

    async fn observe(&self, assignment: &Assignment, run: &RunState) -> Result<Observation, Failure> {
        let script = parse(assignment)?;
        let mut memory = decode_memory(run)?;
        let mut transcript = Vec::new();
        let phase = if memory.resting {
            Phase::Finished(Finish::Aborted)
        } else {
            self.play_due_steps(&script, &mut memory, &mut transcript)?
        };
        Ok(Observation {
            phase,
            transcript,
            usage_scope: memory.scope.clone(),
            usage: memory.usage,
            turns_with_changes: memory.turns,
            state: encode_memory(&memory),
        })
    }

    async fn send_message(
        &self,
        _: &Assignment,
        run: &RunState,
        id: MessageId,
        said: &UserMessage,
    ) -> Result<RunState, Failure> {
        let mut memory = decode_memory(run)?;
        if !memory.received.iter().any(|(known, _)| *known == id) {
            memory.received.push((id, said.clone()));
        }
        Ok(encode_memory(&memory))
    }

    /// There is no process to stop: the state is marked as aborted.
    async fn abort(&self, _: &Assignment, _: &RunState) -> Result<(), Failure> {
        Ok(())
    }

    async fn collect_output(&self, _: &Assignment, run: &RunState) -> Result<RunOutput, Failure> {
        let memory = decode_memory(run)?;
        let files: Vec<_> = memory.files.iter().map(|(path, content)| added_file(path, content)).collect();
        let patch = files.iter().map(|file| file.patch.as_str()).collect();
        let artifacts = memory.files.iter().map(|(path, content)| OutputFile {
            path: path.clone(),
            mime_type: "text/plain".to_owned(),
            content: content.clone().into(),
        });
        Ok(RunOutput {
            summary: format!("{} files written.", files.len()),
            patch,
            artifacts: artifacts.collect(),
            files,
        })
    }

    async fn release_workspace(&self, _: &Assignment, _: &RunState) -> Result<(), Failure> {
        Ok(())
    }
}

impl ScriptedAgent {
    /// Plays all steps that are due.
    fn play_due_steps(
        &self,
        script: &[Step],
        memory: &mut ScriptMemory,
        transcript: &mut Vec<TranscriptEntry>,
    ) -> Result<Phase, Failure> {
        let now = self.clock.now();
        while let Some(step) = script.get(memory.at) {
            let ends = after(memory.since, TimeDelta::milliseconds(step.takes_ms()));
            if now < ends {
                return Ok(Phase::Working);
            }
            if let Some(phase) = play_step(step, ends, memory, transcript)? {
                return Ok(phase);
            }
            memory.at += 1;
            memory.since = ends;
            if matches!(step, Step::Write { .. }) {
                // Each turn that changed files gets its own observation, however late it comes.
                return Ok(Phase::Working);
            }
        }
        let text = transcript.iter().rev().find_map(|entry| match entry {
            TranscriptEntry::Message { text, .. } => Some(text.clone()),
            _ => None,
        });
        let result = json!({"text": text.unwrap_or_else(|| "done".to_owned())});
        Ok(Phase::Finished(Finish::Completed { result, success_rate: Some(1.0), confidence_score: None }))
    }
}

/// A time after another. The times of a long script add up; the last moment that exists stands for any later one.
fn after(time: Time, pause: TimeDelta) -> Time {
    time.checked_add_signed(pause).unwrap_or(Time::MAX_UTC)
}

/// Plays one step that is due at `due`. Returns the phase if the script does not continue with the next step.
fn play_step(
    step: &Step,
    due: Time,
    memory: &mut ScriptMemory,
    transcript: &mut Vec<TranscriptEntry>,
) -> Result<Option<Phase>, Failure> {
    match step {
        Step::Ask { question } => match answer_text(memory, &question.question_id) {
            Some(text) => transcript.push(transcript_message(memory.at, &text)),
            None => return Ok(Some(Phase::Waiting(question.clone()))),
        },
        Step::Fail { category, message, .. } => {
            return Ok(Some(Phase::Finished(Finish::Failed(Failure::new(*category, "SCRIPTED", message.clone())))));
        }
        Step::Crash { message } => return Err(Failure::transient("AGENT_UNREACHABLE", message.clone())),
        Step::Limit { seconds } => {
            let resume_at = after(due, TimeDelta::seconds(*seconds));
            memory.at += 1;
            memory.since = due;
            return Ok(Some(Phase::Limited { message: "the provider asks to wait".to_owned(), resume_at }));
        }
        Step::Partial { message } => {
            let failure = Some(Failure::new(Category::Agent, "PARTIAL", message.clone()));
            let result = json!({"text": message});
            return Ok(Some(Phase::Finished(Finish::Partial { result, success_rate: Some(0.5), failure })));
        }
        Step::Wait { .. } | Step::Refuse { .. } => {}
        Step::Say { text } => transcript.push(transcript_message(memory.at, text)),
        Step::Log { text } => transcript.push(TranscriptEntry::Log { level: LogLevel::Info, message: text.clone() }),
        Step::Write { path, content, .. } => write(memory, transcript, path, content),
        Step::Spend { usage } => memory.usage = memory.usage.plus(*usage),
    }
    Ok(None)
}

/// What the agent says to the answer of a question; `None` while it is open.
fn answer_text(memory: &ScriptMemory, question_id: &str) -> Option<String> {
    let answer = memory.received.iter().find_map(|(_, message)| match message {
        UserMessage::Answer { answer } if answer.question_id == question_id => Some(answer.clone()),
        _ => None,
    })?;
    let denied = answer.decision == Some(Decision::Deny);
    Some(if denied { "It was denied.".to_owned() } else { answer.text.unwrap_or_else(|| "Approved.".to_owned()) })
}

fn transcript_message(at: usize, text: &str) -> TranscriptEntry {
    TranscriptEntry::Message { role: "assistant".to_owned(), text: text.to_owned(), part: format!("step-{at}") }
}

fn write(memory: &mut ScriptMemory, transcript: &mut Vec<TranscriptEntry>, path: &str, content: &str) {
    memory.files.retain(|(known, _)| known != path);
    memory.files.push((path.to_owned(), content.to_owned()));
    memory.turns += 1;
    transcript.push(TranscriptEntry::Tool {
        tool: "write".to_owned(),
        state: "completed".to_owned(),
        title: path.to_owned(),
        input: Some(json!({"path": path})),
        output: None,
        part: format!("step-{}", memory.at),
    });
    transcript.push(TranscriptEntry::FileChanged { path: path.to_owned() });
}

/// A new file, as git reports it.
fn added_file(path: &str, content: &str) -> FileChange {
    let lines: Vec<_> = content.lines().collect();
    let count = lines.len();
    let body = lines.iter().fold(String::new(), |body, line| {
        body + "+"
            + line
            + "
"
    });
    FileChange {
        path: path.to_owned(),
        status: FileStatus::Added,
        additions: i32::try_from(count).unwrap_or(i32::MAX),
        deletions: 0,
        patch: format!(
            "diff --git a/{path} b/{path}\nnew file mode 100644\n--- /dev/null\n+++ b/{path}\n@@ -0,0 +1,{count} @@\n{body}"
        ),
    }
}

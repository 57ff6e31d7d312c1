//! An agent that plays a script: `agent_config.script`, a list of steps. It waits, writes, asks and fails as it is told,
//! so that everything around agents can be tried and tested without one.
//!
//! It has no process of its own: what it has done by a moment follows from the script, the time since the handover, and
//! what it was told. That makes every call repeatable, wherever and how often it is made.

mod script;

use async_trait::async_trait;
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    clock::{Clock, Time},
    id::MessageId,
    session::{
        outcome::{Category, Failure},
        usage::Usage,
    },
};

use self::script::{Step, parse};
use super::{
    AgentRuntime, Assignment, Continuation, Decision, Entry, FileChange, FileStatus, Finish, LogLevel, Made,
    Observation, Phase, RunState, Said, Work,
};

/// The scripted agent.
#[derive(Clone, Debug)]
pub struct Scripted {
    clock: Clock,
}

/// What it remembers between two calls.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Memory {
    /// The next step of the script.
    at: usize,
    /// When the present step began.
    since: Time,
    /// Files written so far: path and content.
    files: Vec<(String, String)>,
    usage: Usage,
    turns: u32,
    /// Answers and messages by the id under which they came.
    told: Vec<(MessageId, Said)>,
    /// Brought to rest; a resume or a new handover wakes it.
    resting: bool,
    scope: String,
}

impl Scripted {
    pub fn new(clock: Clock) -> Self {
        Self { clock }
    }
}

fn memory(state: &RunState) -> Result<Memory, Failure> {
    serde_json::from_value(state.0.clone())
        .map_err(|error| Failure::new(Category::Internal, "STATE_UNREADABLE", error.to_string()))
}

fn state(memory: &Memory) -> RunState {
    RunState(json!(memory))
}

#[async_trait]
impl AgentRuntime for Scripted {
    async fn dispatch(&self, assignment: &Assignment) -> Result<RunState, Failure> {
        let script = parse(assignment)?;
        if let Some(Step::Refuse { category, message, until_run }) = script.first()
            && until_run.is_none_or(|run| assignment.run < run)
        {
            return Err(Failure::new(*category, "REFUSED", message.clone()));
        }
        let fresh = || Memory {
            since: assignment.run_started_at,
            scope: format!("{}/{}", assignment.session_id, assignment.run),
            ..Memory::default()
        };
        let memory = match &assignment.continuation {
            Continuation::Start | Continuation::Checkpoint { state: None, .. } => fresh(),
            Continuation::Resume { state, .. } => {
                Memory { resting: false, since: assignment.run_started_at, ..memory(state)? }
            }
            Continuation::Checkpoint { state: Some(state), fork, .. } => {
                let old = memory(state)?;
                let scope = if *fork { fresh().scope } else { old.scope.clone() };
                let usage = if *fork { Usage::default() } else { old.usage };
                // What failed is behind it: the script goes on with the step after.
                let failed = matches!(script.get(old.at), Some(Step::Fail { .. } | Step::Crash { .. }));
                let at = old.at + usize::from(failed && !*fork);
                Memory { at, resting: false, since: assignment.run_started_at, scope, usage, ..old }
            }
        };
        Ok(state(&memory))
    }

    async fn observe(&self, assignment: &Assignment, run: &RunState) -> Result<Observation, Failure> {
        let script = parse(assignment)?;
        let mut memory = memory(run)?;
        let mut transcript = Vec::new();
        let phase = if memory.resting {
            Phase::Finished(Finish::Aborted)
        } else {
            self.play(&script, &mut memory, &mut transcript)?
        };
        Ok(Observation {
            phase,
            transcript,
            usage_scope: memory.scope.clone(),
            usage: memory.usage,
            turns_with_changes: memory.turns,
            state: state(&memory),
        })
    }

    async fn say(&self, _: &Assignment, run: &RunState, id: MessageId, said: &Said) -> Result<RunState, Failure> {
        let mut memory = memory(run)?;
        if !memory.told.iter().any(|(known, _)| *known == id) {
            memory.told.push((id, said.clone()));
        }
        Ok(state(&memory))
    }

    /// It has no process: a run that is not looked at any more rests.
    async fn abort(&self, _: &Assignment, _: &RunState) -> Result<(), Failure> {
        Ok(())
    }

    async fn collect(&self, _: &Assignment, run: &RunState) -> Result<Work, Failure> {
        let memory = memory(run)?;
        let files: Vec<_> = memory.files.iter().map(|(path, content)| added(path, content)).collect();
        let patch = files.iter().map(|file| file.patch.as_str()).collect();
        let artifacts = memory.files.iter().map(|(path, content)| Made {
            path: path.clone(),
            mime_type: "text/plain".to_owned(),
            content: content.clone().into_bytes(),
        });
        Ok(Work { summary: format!("{} files written.", files.len()), patch, artifacts: artifacts.collect(), files })
    }

    async fn release(&self, _: &Assignment, _: &RunState) -> Result<(), Failure> {
        Ok(())
    }
}

impl Scripted {
    /// Plays as many steps as their time has come.
    fn play(&self, script: &[Step], memory: &mut Memory, transcript: &mut Vec<Entry>) -> Result<Phase, Failure> {
        let now = self.clock.now();
        while let Some(step) = script.get(memory.at) {
            let ends = memory.since + TimeDelta::milliseconds(step.takes_ms());
            if now < ends {
                return Ok(Phase::Working);
            }
            match step {
                Step::Ask { question } => {
                    let answer = memory.told.iter().find_map(|(_, said)| match said {
                        Said::Answer { answer } if answer.question_id == question.question_id => Some(answer.clone()),
                        _ => None,
                    });
                    let Some(answer) = answer else { return Ok(Phase::Waiting(question.clone())) };
                    let denied = answer.decision == Some(Decision::Deny);
                    let text = if denied {
                        "It was denied.".to_owned()
                    } else {
                        answer.text.unwrap_or_else(|| "Approved.".to_owned())
                    };
                    transcript.push(message(memory.at, &text));
                }
                Step::Fail { category, message, .. } => {
                    return Ok(Phase::Finished(Finish::Failed(Failure::new(*category, "SCRIPTED", message.clone()))));
                }
                Step::Crash { message } => return Err(Failure::transient("AGENT_UNREACHABLE", message.clone())),
                Step::Limit { seconds } => {
                    let resume_at = ends + TimeDelta::seconds(*seconds);
                    memory.at += 1;
                    memory.since = ends;
                    return Ok(Phase::Limited { message: "the provider asks to wait".to_owned(), resume_at });
                }
                Step::Partial { message } => {
                    let failure = Failure::new(Category::Agent, "PARTIAL", message.clone());
                    let result = json!({"text": message});
                    return Ok(Phase::Finished(Finish::Partial {
                        result,
                        success_rate: Some(0.5),
                        failure: Some(failure),
                    }));
                }
                Step::Wait { .. } | Step::Refuse { .. } => {}
                Step::Say { text } => transcript.push(message(memory.at, text)),
                Step::Log { text } => transcript.push(Entry::Log { level: LogLevel::Info, message: text.clone() }),
                Step::Write { path, content, .. } => write(memory, transcript, path, content),
                Step::Spend { usage } => memory.usage = memory.usage.plus(*usage),
            }
            memory.at += 1;
            memory.since = ends;
            if matches!(step, Step::Write { .. }) {
                // A turn that changed files is seen by itself, however late anybody looks.
                return Ok(Phase::Working);
            }
        }
        let text = transcript.iter().rev().find_map(|entry| match entry {
            Entry::Message { text, .. } => Some(text.clone()),
            _ => None,
        });
        let result = json!({"text": text.unwrap_or_else(|| "done".to_owned())});
        Ok(Phase::Finished(Finish::Completed { result, success_rate: Some(1.0), confidence_score: None }))
    }
}

fn message(at: usize, text: &str) -> Entry {
    Entry::Message { role: "assistant".to_owned(), text: text.to_owned(), part: format!("step-{at}") }
}

fn write(memory: &mut Memory, transcript: &mut Vec<Entry>, path: &str, content: &str) {
    memory.files.retain(|(known, _)| known != path);
    memory.files.push((path.to_owned(), content.to_owned()));
    memory.turns += 1;
    transcript.push(Entry::Tool {
        tool: "write".to_owned(),
        state: "completed".to_owned(),
        title: path.to_owned(),
        input: Some(json!({"path": path})),
        output: None,
        part: format!("step-{}", memory.at),
    });
    transcript.push(Entry::FileChanged { path: path.to_owned() });
}

/// A new file as git would tell it.
fn added(path: &str, content: &str) -> FileChange {
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

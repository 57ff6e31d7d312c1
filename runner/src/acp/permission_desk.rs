//! The requests for permission that an agent waits with.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde_json::{Value, json};

use super::{
    failure::{AgentFailure, AgentFailureCode},
    message::write_result,
    permission::{PermissionOption, PermissionPolicy, PermissionRule, ToolKind, find_option},
    update::{AgentUpdate, PermissionRequest, PermissionRequestId, ToolCallReport},
    update_reader::{read_options, read_tool_call},
};

/// How many requests may wait at once; further ones are answered as cancelled.
const WAITING: usize = 64;

/// For how many calls their kind is remembered: some agents ask without repeating it.
const REMEMBERED: usize = 256;

/// How a request for permission is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PermissionAnswer {
    /// Granted, for this call only where the agent offers that.
    Grant,
    /// Refused, for this call only where the agent offers that.
    Refuse,
    /// The option with this id.
    Option(String),
}

/// The reaction to a request that has come in.
pub(super) struct ReceivedRequest {
    /// The answer, unless a person has to give it.
    pub(super) answer: Option<Vec<u8>>,
    /// The report of it.
    pub(super) update: AgentUpdate,
}

/// Decides requests by the policy and keeps those that a person has to answer.
pub(super) struct PermissionDesk {
    policy: PermissionPolicy,
    state: Mutex<DeskState>,
}

#[derive(Default)]
struct DeskState {
    next: u64,
    waiting: BTreeMap<PermissionRequestId, WaitingRequest>,
    kinds: VecDeque<(String, ToolKind)>,
    cancelled: bool,
}

struct WaitingRequest {
    rpc_id: Value,
    options: Vec<PermissionOption>,
}

impl PermissionDesk {
    /// A desk with nothing on it.
    pub(super) fn new(policy: PermissionPolicy) -> Self {
        Self { policy, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, DeskState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers the kind of a call.
    pub(super) fn note_call(&self, call: &ToolCallReport) {
        let Some(kind) = call.kind else { return };
        let mut state = self.state();
        state.kinds.retain(|(id, _)| *id != call.id);
        state.kinds.push_back((call.id.clone(), kind));
        if state.kinds.len() > REMEMBERED {
            state.kinds.pop_front();
        }
    }

    /// Takes in a request with its JSON-RPC id.
    pub(super) fn receive(&self, rpc_id: &Value, params: &Value) -> ReceivedRequest {
        let mut tool_call = read_tool_call(&params["toolCall"]).unwrap_or_default();
        let options = read_options(&params["options"]);
        let mut state = self.state();
        let remembered = || state.kinds.iter().find(|(id, _)| *id == tool_call.id).map(|(_, kind)| *kind);
        tool_call.kind = tool_call.kind.or_else(remembered);
        let rule = self.policy.decide(tool_call.kind);
        // After a cancellation the protocol demands that every request is answered so, and nobody needs a report.
        let full = state.waiting.len() >= WAITING;
        if state.cancelled || full || rule == PermissionRule::Deny {
            let refusal = find_option(&options, false).filter(|_| !state.cancelled && !full);
            let answer = Some(write_outcome(rpc_id, refusal));
            return ReceivedRequest { answer, update: AgentUpdate::PermissionDecided { tool_call, rule } };
        }
        if rule == PermissionRule::Allow
            && let Some(option) = find_option(&options, true)
        {
            let answer = Some(write_outcome(rpc_id, Some(option)));
            return ReceivedRequest { answer, update: AgentUpdate::PermissionDecided { tool_call, rule } };
        }
        state.next += 1;
        let id = PermissionRequestId(state.next);
        state.waiting.insert(id, WaitingRequest { rpc_id: rpc_id.clone(), options: options.clone() });
        let request = PermissionRequest { id, tool_call, options };
        ReceivedRequest { answer: None, update: AgentUpdate::PermissionRequest(request) }
    }

    /// The line that answers a waiting request.
    pub(super) fn answer(&self, id: PermissionRequestId, answer: &PermissionAnswer) -> Result<Vec<u8>, AgentFailure> {
        let unsupported = |message: String| AgentFailure::new(AgentFailureCode::Unsupported, message);
        let mut state = self.state();
        let request = state.waiting.get(&id);
        let request = request.ok_or_else(|| unsupported(format!("no request for permission {} is waiting", id.0)))?;
        let option = match answer {
            PermissionAnswer::Grant => find_option(&request.options, true),
            PermissionAnswer::Refuse => find_option(&request.options, false),
            PermissionAnswer::Option(wanted) => request.options.iter().find(|option| option.id == *wanted),
        };
        // A refusal that the agent does not offer is the outcome "cancelled".
        if option.is_none() && *answer != PermissionAnswer::Refuse {
            let offered: Vec<_> = request.options.iter().map(|option| option.id.as_str()).collect();
            return Err(unsupported(format!("the agent offers no such answer, only: {}", offered.join(", "))));
        }
        let line = write_outcome(&request.rpc_id, option);
        state.waiting.remove(&id);
        Ok(line)
    }

    /// The lines that answer all waiting requests as cancelled, as all further ones of this turn will be.
    pub(super) fn cancel_all(&self) -> Vec<Vec<u8>> {
        let mut state = self.state();
        state.cancelled = true;
        std::mem::take(&mut state.waiting).into_values().map(|request| write_outcome(&request.rpc_id, None)).collect()
    }

    /// Lets requests wait again.
    pub(super) fn begin_turn(&self) {
        self.state().cancelled = false;
    }
}

fn write_outcome(rpc_id: &Value, option: Option<&PermissionOption>) -> Vec<u8> {
    let outcome = match option {
        Some(option) => json!({"outcome": "selected", "optionId": option.id}),
        None => json!({"outcome": "cancelled"}),
    };
    write_result(rpc_id, &json!({"outcome": outcome}))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(kind: &str) -> Value {
        json!({"toolCall": {"toolCallId": "c", "kind": kind}, "options": [
            {"optionId": "yes", "kind": "allow_once", "name": "Yes"},
            {"optionId": "no", "kind": "reject_once", "name": "No"},
        ]})
    }

    fn outcome(line: &[u8]) -> Value {
        serde_json::from_slice::<Value>(line).unwrap()["result"]["outcome"].clone()
    }

    fn desk() -> PermissionDesk {
        let policy = PermissionPolicy::allow_all()
            .with_rule(ToolKind::Execute, PermissionRule::Ask)
            .with_rule(ToolKind::Fetch, PermissionRule::Deny);
        PermissionDesk::new(policy)
    }

    #[test]
    fn a_request_is_granted_refused_or_kept_by_its_kind() {
        let desk = desk();
        let granted = desk.receive(&json!(1), &request("edit")).answer.unwrap();
        assert_eq!(outcome(&granted), json!({"outcome": "selected", "optionId": "yes"}));
        let refused = desk.receive(&json!(2), &request("fetch")).answer.unwrap();
        assert_eq!(outcome(&refused), json!({"outcome": "selected", "optionId": "no"}));
        let kept = desk.receive(&json!(3), &request("execute"));
        let AgentUpdate::PermissionRequest(waiting) = kept.update else { panic!() };
        assert!(kept.answer.is_none());
        let answer = desk.answer(waiting.id, &PermissionAnswer::Grant).unwrap();
        assert_eq!(outcome(&answer)["optionId"], "yes");
        assert!(desk.answer(waiting.id, &PermissionAnswer::Grant).is_err(), "it is answered once");
    }

    #[test]
    fn a_request_without_a_kind_has_the_kind_of_its_call() {
        let desk = desk();
        let call = ToolCallReport { id: "c".into(), kind: Some(ToolKind::Read), ..ToolCallReport::default() };
        desk.note_call(&call);
        let mut asked = request("read");
        asked["toolCall"].as_object_mut().unwrap().remove("kind");
        assert_eq!(outcome(&desk.receive(&json!(1), &asked).answer.unwrap())["optionId"], "yes");
        asked["toolCall"]["toolCallId"] = "another".into();
        assert_eq!(outcome(&desk.receive(&json!(2), &asked).answer.unwrap())["optionId"], "no");
    }

    #[test]
    fn a_cancelled_turn_answers_waiting_and_later_requests_as_cancelled() {
        let desk = desk();
        desk.receive(&json!(1), &request("execute"));
        let lines = desk.cancel_all();
        assert_eq!(lines.len(), 1);
        assert_eq!(outcome(&lines[0]), json!({"outcome": "cancelled"}));
        assert_eq!(outcome(&desk.receive(&json!(2), &request("edit")).answer.unwrap())["outcome"], "cancelled");
        desk.begin_turn();
        assert_eq!(outcome(&desk.receive(&json!(3), &request("edit")).answer.unwrap())["optionId"], "yes");
    }

    #[test]
    fn an_answer_that_is_not_offered_leaves_the_request_waiting() {
        let desk = desk();
        let AgentUpdate::PermissionRequest(waiting) = desk.receive(&json!(1), &request("execute")).update else {
            panic!()
        };
        let failure = desk.answer(waiting.id, &PermissionAnswer::Option("perhaps".into())).unwrap_err();
        assert!(failure.message.contains("yes, no"), "{failure}");
        assert!(desk.answer(waiting.id, &PermissionAnswer::Option("no".into())).is_ok());
    }

    #[test]
    fn requests_beyond_the_limit_do_not_wait() {
        let desk = desk();
        for number in 0..WAITING {
            assert!(desk.receive(&json!(number), &request("execute")).answer.is_none());
        }
        assert!(desk.receive(&json!("more"), &request("execute")).answer.is_some());
    }
}

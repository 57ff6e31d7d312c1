//! The sessions that an agent creates by the tool `spawn_session`: each call becomes one request, however often the
//! call or the request is repeated.

use std::{collections::HashMap, future::pending, time::Duration};

use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

use crate::{
    control_plane::{
        CallError, ControlPlane,
        wire::{ChildSession, NewChild, Task},
    },
    mcp::{ChildPrompt, ToolReply},
};

/// How many calls may be open at once.
const MOST_CALLS: usize = 16;

/// For how long a request is repeated while the control plane does not answer, and the pauses in between.
const PATIENCE: Duration = Duration::from_mins(1);
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// The calls of one run.
#[derive(Debug)]
pub(super) struct ChildRequests {
    plane: ControlPlane,
    task_id: String,
    lease_token: i64,
    open: Vec<ChildRequest>,
    /// How often each prompt was asked for. The ids of requests follow from it, so that an agent which begins the same
    /// task anew, on whatever runner, gets the sessions that it has already.
    asked: HashMap<ChildPrompt, usize>,
    requests: JoinSet<(String, Result<ChildSession, CallError>)>,
    created: Vec<String>,
}

/// A call whose result the agent does not have.
#[derive(Debug)]
struct ChildRequest {
    asked: ChildPrompt,
    request_id: String,
    /// Absent once nobody waits for the result any more.
    reply: Option<ToolReply>,
    state: RequestState,
}

#[derive(Debug)]
enum RequestState {
    /// The control plane is asked.
    Sent,
    /// It did not answer: the session may be there.
    Unknown,
    Created(String),
}

impl ChildRequest {
    fn is_orphan(&self) -> bool {
        self.reply.as_ref().is_none_or(ToolReply::is_closed)
    }
}

impl ChildRequests {
    pub(super) fn new(plane: &ControlPlane, task: &Task) -> Self {
        Self {
            plane: plane.clone(),
            task_id: task.task_id.clone(),
            lease_token: task.lease.token,
            open: Vec::new(),
            asked: HashMap::new(),
            requests: JoinSet::new(),
            created: Vec::new(),
        }
    }

    /// Takes a call. One that was made before, and for whose result nobody waits any more, is continued.
    pub(super) fn ask(&mut self, asked: ChildPrompt, reply: ToolReply) {
        if let Some(at) = self.open.iter().position(|one| one.is_orphan() && one.asked == asked) {
            self.open[at].reply = Some(reply);
            if matches!(self.open[at].state, RequestState::Unknown) {
                self.send(at);
            }
            return self.answer_all();
        }
        if self.open.len() >= MOST_CALLS {
            let _ = reply.send(Err(format!("{MOST_CALLS} calls are open already: wait for a result")));
            return;
        }
        let number = self.asked.entry(asked.clone()).or_default();
        *number += 1;
        let request_id = format!("{}-{number}", asked.fingerprint());
        self.open.push(ChildRequest { asked, request_id, reply: Some(reply), state: RequestState::Sent });
        self.send(self.open.len() - 1);
    }

    fn send(&mut self, at: usize) {
        let request = &mut self.open[at];
        request.state = RequestState::Sent;
        let (plane, task, id) = (self.plane.clone(), self.task_id.clone(), request.request_id.clone());
        let ChildPrompt { prompt, title } = request.asked.clone();
        let child = NewChild { lease_token: self.lease_token, request_id: id.clone(), prompt, title };
        self.requests.spawn(async move { (id, create(&plane, &task, &child).await) });
    }

    /// Waits for the answer to a request, and passes it on. Can be dropped and called again.
    pub(super) async fn pass_on(&mut self) {
        match self.requests.join_next().await {
            Some(Ok((request_id, result))) => self.take(&request_id, result),
            Some(Err(error)) => tracing::error!(%error, "a request for a session ended without an answer"),
            None => pending().await,
        }
    }

    fn take(&mut self, request_id: &str, result: Result<ChildSession, CallError>) {
        let Some(at) = self.open.iter().position(|one| one.request_id == request_id) else { return };
        match result {
            Ok(child) => {
                self.open[at].state = RequestState::Created(describe(&child));
                self.created.push(child.id);
            }
            Err(error) if error.failure.is_transient() => {
                self.open[at].state = RequestState::Unknown;
                if let Some(reply) = self.open[at].reply.take() {
                    let _ = reply.send(Err(format!("{error}: repeat the call, which creates no second session")));
                }
            }
            Err(error) => {
                if let Some(reply) = self.open.remove(at).reply {
                    let _ = reply.send(Err(error.to_string()));
                }
            }
        }
        self.answer_all();
    }

    /// Hands over what is known to those that wait for it.
    fn answer_all(&mut self) {
        self.open.retain_mut(|one| {
            let RequestState::Created(text) = &one.state else { return true };
            one.reply.take().is_none_or(|reply| reply.send(Ok(text.clone())).is_err())
        });
    }

    /// The process of the agent is gone: nobody waits for results, unless it calls again.
    pub(super) fn orphan_all(&mut self) {
        for one in &mut self.open {
            one.reply = None;
        }
    }

    /// The sessions that were created in this run, oldest first.
    pub(super) fn created(&self) -> &[String] {
        &self.created
    }
}

/// Asks for a session, and again where no answer comes. The id of the request makes a repetition harmless.
async fn create(plane: &ControlPlane, task: &str, child: &NewChild) -> Result<ChildSession, CallError> {
    let begun = Instant::now();
    let mut pause = FIRST_PAUSE;
    loop {
        match plane.create_child(task, child).await {
            Err(error) if error.failure.is_unavailable() && begun.elapsed() < PATIENCE => {
                tracing::warn!(%error, task.id = task, "a request for a session is sent again");
                sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            result => return result,
        }
    }
}

fn describe(child: &ChildSession) -> String {
    let waits = child.waits.as_ref().map(|waits| format!(" {}", waits.detail)).unwrap_or_default();
    let ChildSession { id, status, .. } = child;
    format!("The session {id} was created: {status}.{waits} Call wait_for with its id to get its result.")
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use axum::{Json, Router, extract::State, http::StatusCode, response::IntoResponse};
    use serde_json::{Value, json};
    use tokio::{
        net::TcpListener,
        sync::{mpsc, oneshot},
        time::timeout,
    };

    use super::*;
    use crate::control_plane::SharedCredential;

    /// A control plane that refuses the first requests, and keeps the ids of all.
    struct Plane {
        requests: ChildRequests,
        asked: mpsc::UnboundedReceiver<String>,
        _serving: JoinSet<()>,
    }

    #[derive(Clone)]
    struct Behaviour {
        asked: mpsc::UnboundedSender<String>,
        refusals: Arc<AtomicUsize>,
        status: StatusCode,
    }

    async fn answer(State(plane): State<Behaviour>, Json(body): Json<Value>) -> impl IntoResponse {
        let id = body["request_id"].as_str().unwrap().to_owned();
        plane.asked.send(id.clone()).unwrap();
        let refuses = plane.refusals.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        match refuses {
            Ok(_) => (plane.status, Json(json!({"code": "X", "detail": "Not now."}))),
            Err(_) => (StatusCode::CREATED, Json(json!({"id": format!("session of {id}"), "status": "queued"}))),
        }
    }

    async fn plane(refusals: usize, status: StatusCode) -> Plane {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (sender, asked) = mpsc::unbounded_channel();
        let behaviour = Behaviour { asked: sender, refusals: Arc::new(AtomicUsize::new(refusals)), status };
        let router = Router::new().fallback(answer).with_state(behaviour);
        let mut serving = JoinSet::new();
        serving.spawn(async move { axum::serve(listener, router).await.unwrap() });
        let credential = SharedCredential::new("credential".to_owned());
        let plane = ControlPlane::new(reqwest::Client::new(), &url, "7".to_owned(), credential);
        let task =
            json!({"task_id": "1", "session_id": "2", "timeout_seconds": 60, "context": {}, "lease": {"token": 1}});
        let requests = ChildRequests::new(&plane, &serde_json::from_value(task).unwrap());
        Plane { requests, asked, _serving: serving }
    }

    fn prompt(text: &str) -> ChildPrompt {
        ChildPrompt { prompt: text.to_owned(), title: None }
    }

    async fn pass_on(requests: &mut ChildRequests) {
        timeout(Duration::from_secs(10), requests.pass_on()).await.unwrap();
    }

    #[tokio::test]
    async fn each_call_creates_a_session_of_its_own() {
        let mut plane = plane(0, StatusCode::OK).await;
        let mut results = Vec::new();
        for text in ["a", "a", "b"] {
            let (reply, result) = oneshot::channel();
            plane.requests.ask(prompt(text), reply);
            pass_on(&mut plane.requests).await;
            results.push(result.await.unwrap().unwrap());
        }
        let mut ids = Vec::new();
        while let Ok(id) = plane.asked.try_recv() {
            ids.push(id);
        }
        assert!(ids[0].ends_with("-1") && ids[1].ends_with("-2") && ids[2].ends_with("-1"), "{ids:?}");
        assert_eq!(plane.requests.created().len(), 3);
        assert!(results[0].contains(&format!("The session session of {} was created: queued.", ids[0])), "{results:?}");
    }

    #[tokio::test]
    async fn a_call_that_is_repeated_because_its_result_was_lost_creates_nothing() {
        let mut plane = plane(0, StatusCode::OK).await;
        let (lost, result) = oneshot::channel();
        plane.requests.ask(prompt("a"), lost);
        drop(result);
        pass_on(&mut plane.requests).await;
        plane.requests.orphan_all();
        let (reply, result) = oneshot::channel();
        plane.requests.ask(prompt("a"), reply);
        assert!(result.await.unwrap().unwrap().contains("was created"));
        assert!(plane.asked.try_recv().is_ok() && plane.asked.try_recv().is_err(), "it is asked for once");
    }

    #[tokio::test]
    async fn a_refusal_is_the_result_and_a_repetition_is_a_new_request() {
        let mut plane = plane(1, StatusCode::FORBIDDEN).await;
        let (reply, result) = oneshot::channel();
        plane.requests.ask(prompt("a"), reply);
        pass_on(&mut plane.requests).await;
        assert!(result.await.unwrap().unwrap_err().contains("Not now."));
        assert!(plane.requests.created().is_empty());
    }

    #[tokio::test]
    async fn a_request_without_an_answer_is_sent_again_under_the_same_id() {
        let mut plane = plane(1, StatusCode::SERVICE_UNAVAILABLE).await;
        let (reply, result) = oneshot::channel();
        plane.requests.ask(prompt("a"), reply);
        pass_on(&mut plane.requests).await;
        assert!(result.await.unwrap().is_ok());
        assert_eq!(plane.asked.try_recv().unwrap(), plane.asked.try_recv().unwrap());
    }
}

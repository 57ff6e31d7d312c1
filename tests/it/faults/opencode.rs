//! The OpenCode server is killed in the middle of a run: back on its data, the session completes; not back, the session
//! fails as something of the moment, and a retry completes it.

use std::{sync::Arc, time::Duration};

use harness::{Caller, Options, TestApp, until};
use local::{
    scripted_model::{self, ScriptedModel},
    services::{Model, OpenCode, OpenCodeOptions},
};
use serde_json::{Value, json};
use shared::{
    agents::{
        opencode::{OpenCode as Runtime, Settings},
        registry::{Kind, PlatformAgent},
    },
    identity::auth::Role,
    kernel::clock::Clock,
};

use super::{postgres::swept, scenario};

struct Stage {
    world: TestApp,
    caller: Caller,
    server: OpenCode,
    model: ScriptedModel,
    work: std::path::PathBuf,
}

impl Stage {
    async fn new(offline: Duration, patience: Duration) -> Self {
        let model = scripted_model::serve("127.0.0.1:0").await.unwrap();
        let options = OpenCodeOptions::new(Model::Scripted { base_url: model.base_url() });
        let server = OpenCode::start(&options).await.unwrap();
        let work = local::paths::temporary("work").unwrap();
        let mut settings = Settings::new(server.url(), server.password(), work.display().to_string());
        settings.grace = Duration::from_millis(500);
        settings.call_timeout = patience;
        let runtime = Arc::new(Runtime::new(settings, Clock::System).unwrap());
        let name = "opencode".to_owned();
        let agent = PlatformAgent { name, kind: Kind::OpenCode, capacity: Some(5), runtime: Some(runtime) };
        let mut options = Options { agents: vec![agent], ..Options::default() };
        options.settings.poll.interval_min = Duration::from_millis(50);
        options.settings.poll.agent_offline = offline;
        options.settings.retry.backoff_max = Duration::from_secs(2);
        let world = TestApp::with(options).await;
        Self { caller: world.caller(Role::Member), world, server, model, work }
    }

    /// Starts a session whose agent is in the middle of a command.
    async fn at_work(&self) -> String {
        let prompt = r#"Do it. @@STUB [
            {"tool": "write", "args": {"filePath": "first.txt", "content": "1\n"}},
            {"tool": "bash", "args": {"command": "sleep 2", "description": "takes its time"}},
            {"tool": "write", "args": {"filePath": "second.txt", "content": "2\n"}},
            {"text": "Done."}] @@"#;
        let config = json!({"agent": "opencode"});
        let id = self.caller.start_session(json!({"initial_prompt": prompt, "agent_config": config})).await;
        // The model was asked for the second time: the command comes next.
        until(async || self.model.requests().iter().filter(|asked| asked.body["tools"].is_array()).count() >= 2).await;
        id
    }

    async fn reaches(&self, id: &str, state: &str) -> Value {
        swept(&self.world, self.caller.reaches(id, &[state])).await
    }

    async fn right(&self, id: &str) -> Value {
        let session = self.caller.session(id).await;
        let events = self.caller.events(id).await;
        let completed = events.iter().filter(|event| event["type"] == "session.completed").count();
        assert_eq!(completed, 1, "{events:#?}");
        let diff = self.caller.get(&format!("/sessions/{id}/diff")).await.expect(200);
        let paths: Vec<_> = diff["items"].as_array().unwrap().iter().map(|file| file["path"].clone()).collect();
        assert!(paths.contains(&json!("first.txt")), "{paths:?}");
        scenario::clean(&self.world, id).await;
        session
    }

    async fn end(self) {
        drop(self.world);
        self.server.stop().await;
        std::fs::remove_dir_all(self.work).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_whose_server_was_killed_and_came_back_completes_once() {
    // A call that comes while the server starts is never answered by it: the next one is.
    let stage = Stage::new(Duration::from_mins(1), Duration::from_secs(10)).await;
    let id = stage.at_work().await;
    stage.server.kill().await;
    stage.server.restart().await.unwrap();
    stage.reaches(&id, "completed").await;
    stage.right(&id).await;
    assert!(stage.caller.states(&id).await.iter().all(|state| state != "failed"));
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_whose_server_stays_away_fails_as_retryable_and_a_retry_completes_it() {
    // A killed server refuses at once; one that is slow on a busy machine is not away.
    let stage = Stage::new(Duration::from_secs(1), Duration::from_secs(30)).await;
    let id = stage.at_work().await;
    stage.server.kill().await;
    let session = stage.reaches(&id, "failed").await;
    assert_eq!(session["outcome"]["error"]["category"], "transient", "{session:#}");
    assert_eq!(session["outcome"]["error"]["code"], "AGENT_UNREACHABLE");
    assert_eq!(session["recoverable"], true, "{session:#}");
    // Only briefly, if the second observation was late: its events stay.
    assert!(stage.caller.states(&id).await.contains(&"degraded".to_owned()));
    scenario::clean(&stage.world, &id).await;
    stage.server.restart().await.unwrap();
    stage.caller.act(&format!("/sessions/{id}/retry")).await.expect(202);
    stage.reaches(&id, "completed").await;
    assert_eq!(stage.right(&id).await["retry_count"], 1);
    stage.end().await;
}

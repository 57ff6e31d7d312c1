//! A session in an environment, on a real runner: its set-up, variables, secrets, rules and MCP servers.

use harness::Caller;
use serde_json::{Value, json};
use shared::identity::auth::Role;

use super::{process::RunnerFixture, support::script};

/// A secret without the shape of one, so that only its being known can hide it.
const VALUE: &str = "seven quiet otters";

/// An MCP server in a few lines: one tool, whose result is what the server was started with.
const SERVER: &str = r#"
import json, os, sys
for line in sys.stdin:
    call = json.loads(line)
    if "id" not in call:
        continue
    method, result = call["method"], {}
    if method == "initialize":
        about = {"name": "s", "version": "1"}
        version = call["params"]["protocolVersion"]
        result = {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": about}
    elif method == "tools/list":
        schema = {"type": "object", "properties": {}}
        result = {"tools": [{"name": "look_up", "description": "Looks up.", "inputSchema": schema}]}
    elif method == "tools/call":
        text = "found " + os.environ["SHELF"] + " " + sys.argv[1]
        result = {"content": [{"type": "text", "text": text}]}
    print(json.dumps({"jsonrpc": "2.0", "id": call["id"], "result": result}), flush=True)
"#;

/// Creates the environment `workshop`, and the secret that it names.
async fn create_workshop(lead: &Caller) {
    let secret = json!({"value": VALUE, "phase": "both"}).to_string().into_bytes();
    lead.send("PUT", "/api/v1/secrets/tenant/PASSPHRASE", Some(secret)).await.expect(200);
    let script = format!("cat > server.py <<'END'\n{SERVER}END\nprintf '%s' \"$PASSPHRASE\" | wc -c > length.txt\n");
    let server = json!({
        "name": "shelves", "command": "python3", "arguments": ["server.py", "seven"], "variables": {"SHELF": "upper"},
    });
    let environment = json!({
        "name": "workshop", "setup": {"script": script}, "variables": {"COLOUR": "green"}, "secrets": ["PASSPHRASE"],
        "mcp_servers": [server], "rules": "Always be brief.",
    });
    lead.post("/api/v1/environments", environment).await.expect(201);
}

#[tokio::test]
async fn everything_of_an_environment_reaches_its_session_and_no_secret_comes_back() {
    for program in ["opencode", "claude"] {
        let runner = RunnerFixture::with_program(program).await;
        create_workshop(&runner.app.caller(Role::Lead)).await;
        let write = json!({"tool": "bash", "args": {"command": "echo $COLOUR > colour.txt; echo \"$PASSPHRASE\""}});
        let look_up = json!({"tool": "look_up", "args": {}});
        let prompt = script(&[write, look_up, json!({"text": "all is done"})]);
        let session = runner.start_session_in(&prompt, "workshop").await;
        let ended = runner.wait_for_completion(&session).await;
        assert_eq!(runner.changed_paths(&session).await, ["colour.txt", "length.txt", "server.py"], "{program}");
        let diff = runner.caller.get(&format!("/sessions/{session}/diff")).await.expect(200).to_string();
        assert!(diff.contains("+green") && diff.contains(&format!("+{}", VALUE.len())), "{program}: {diff}");
        let requests = runner.model.requests();
        let asked = |text: &str| requests.iter().any(|request| request.body.to_string().contains(text));
        assert!(asked("Always be brief.") && asked("found upper seven") && asked(VALUE), "{program}");
        let events = Value::from(runner.caller.events(&session).await).to_string();
        for text in [&events, &ended.to_string(), &diff] {
            assert!(!text.contains(VALUE), "{program}: {text}");
        }
        assert!(events.contains("[redacted]"), "{program}: {events}");
    }
}

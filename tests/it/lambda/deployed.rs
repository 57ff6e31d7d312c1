//! The template itself, deployed: its gateway routes requests, its queues wake its functions, and a session runs to its
//! end without anybody's help. `MiniStack` plays AWS and hands each call to the functions under `cargo lambda watch`.

use std::{fs, process::Command, time::Duration};

use harness::{
    TestApp, becomes,
    cargo_lambda::Watch,
    child_process::{root, test_program},
    ministack::{ACCOUNT, Ministack, REGION, ministack},
    until, websocket,
};
use serde_json::{Value, json};
use serde_yaml_ng::Value as Yaml;
use shared::{identity::auth::Role, kernel::id::SessionId, platform::queue::SqsSettings};

use super::{Cloud, live_endpoint};

/// Where the queues of a stack are, whose names end in `run`.
fn queues(server: &Ministack, run: &str) -> SqsSettings {
    let url = |name: &str| format!("{}/{ACCOUNT}/{name}-{run}", server.endpoint);
    SqsSettings {
        dispatch_url: url("DispatchQueue"),
        dispatch_dead_url: url("DispatchDeadQueue"),
        observe_url: url("ObserveQueue"),
        observe_dead_url: url("ObserveDeadQueue"),
        broadcast_url: url("BroadcastQueue"),
        broadcast_dead_url: url("BroadcastDeadQueue"),
        poll_url: url("PollQueue"),
        poll_dead_url: url("PollDeadQueue"),
        train_url: url("TrainQueue"),
        train_dead_url: url("TrainDeadQueue"),
        ..SqsSettings::default()
    }
}

/// The WebSocket API's id.
fn live_id(run: &str) -> String {
    format!("live{}", &run[run.len() - 12..])
}

/// The template with the names that the test knows, and functions whose calls go to `proxy`.
fn rewired(proxy: &Watch, run: &str) -> String {
    let text = fs::read_to_string(root().join("template.yaml")).unwrap();
    let mut template: Yaml = serde_yaml_ng::from_str(&text).unwrap();
    template["Globals"]["Function"].as_mapping_mut().unwrap().remove("CodeUri");
    for (name, resource) in template["Resources"].as_mapping_mut().unwrap() {
        let binary = resource["Metadata"]["BuildProperties"]["Binary"].as_str().map(str::to_owned);
        let kind = resource["Type"].as_str().unwrap().to_owned();
        let properties = &mut resource["Properties"];
        match kind.as_str() {
            "AWS::Serverless::Function" => {
                let calls = proxy.url(&format!("/2015-03-31/functions/{}/invocations", binary.unwrap()));
                properties["InlineCode"] = "never run".into();
                properties["Environment"]["Variables"]["MINISTACK_LAMBDA_PROXY_URL"] = calls.into();
            }
            "AWS::ApiGatewayV2::Api" if name.as_str() == Some("LiveApi") => {
                properties["Tags"] = serde_yaml_ng::to_value(json!({"ms-custom-id": live_id(run)})).unwrap();
            }
            "AWS::SQS::Queue" => properties["QueueName"] = format!("{}-{run}", name.as_str().unwrap()).into(),
            // The server takes a number only as one that is written out.
            "AWS::Lambda::EventSourceMapping" => properties["ScalingConfig"]["MaximumConcurrency"] = 2.into(),
            _ => {}
        }
    }
    serde_yaml_ng::to_string(&template).unwrap()
}

/// Deploys the template; answers where its API is.
async fn deploy(cloud: &Cloud, run: &str) -> String {
    let server = ministack();
    let arn = |name: &str| format!("arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{name}-{run}");
    for (name, value) in [
        ("database", json!({"url": cloud.world.database.url})),
        ("owner", json!({"url": cloud.world.database.owner_url})),
        ("redis", json!({"url": harness::redis_url()})),
        ("pepper", json!({"pepper": harness::PEPPER})),
    ] {
        server.secret(&format!("{name}-{run}"), &value.to_string()).await;
    }
    let (database, owner, redis) = (arn("database"), arn("owner"), arn("redis"));
    let pepper = arn("pepper");
    let parameters = [
        ("DatabaseSecretArn", &*database),
        ("OwnerSecretArn", &owner),
        ("RedisSecretArn", &redis),
        ("PepperSecretArn", &pepper),
    ];
    let reported = server.deploy(&format!("ioc-{run}"), &rewired(&cloud.watch, run), &parameters).await;
    let (_, rest) = reported.split_once("https://").expect("the output Url");
    let (api, _) = rest.split_once('.').unwrap();
    format!("{}/_aws/execute-api/{api}/$default", server.endpoint)
}

#[tokio::test]
async fn a_session_runs_to_its_end_on_the_deployed_template() {
    let run = SessionId::new().0.simple().to_string();
    let cloud = Cloud::on(queues(ministack(), &run), &live_id(&run)).await;
    let api = deploy(&cloud, &run).await;
    let http = reqwest::Client::new();
    let (key, tenant) = (cloud.world.tenant.key(Role::Lead), cloud.world.tenant.slug.clone());
    let sessions = format!("{api}/api/v1/sessions");

    let script = json!([{"do": "write", "path": "CHANGELOG.md", "content": "Nothing yet."}]);
    let config = json!({"agent": "scripted", "script": script});
    let new = json!({"title": "Add a changelog", "initial_prompt": "Write it.", "start": true, "agent_config": config});
    let made = http.post(&sessions).bearer_auth(key).header("x-tenant-id", tenant).json(&new).send().await.unwrap();
    assert_eq!(made.status(), 201, "{:?}", made.text().await);
    let id = made.json::<Value>().await.unwrap()["id"].as_str().unwrap().to_owned();

    let get = async |path: &str| http.get(format!("{sessions}/{id}{path}")).bearer_auth(key).send().await.unwrap();
    becomes(&["completed"], async || get("").await.json().await.unwrap()).await;
    let artifacts: Value = get("/artifacts").await.json().await.unwrap();
    let artifact = artifacts["items"][0]["id"].as_str().unwrap();
    let content = get(&format!("/artifacts/{artifact}")).await.text().await.unwrap();
    assert_eq!(content, "Nothing yet.", "one function put it into the bucket, another took it out");
    let unknown: Value = http.get(format!("{api}/nowhere")).send().await.unwrap().json().await.unwrap();
    assert_eq!(unknown["code"], "ROUTE_NOT_FOUND", "what is no route is refused as a problem");
}

async fn ticket(http: &reqwest::Client, api: &str, key: &str) -> String {
    let ticket = http.post(format!("{api}/api/v1/live/tickets")).bearer_auth(key).send().await.unwrap();
    let ticket: Value = ticket.json().await.unwrap();
    ticket["ticket"].as_str().unwrap_or_else(|| panic!("{ticket}")).to_owned()
}

/// Creates a session of the scripted agent that says two sentences, and starts it. Answers its id.
async fn start_session(http: &reqwest::Client, api: &str, world: &TestApp, key: &str) -> String {
    let config = json!({"agent": "scripted", "script": [{"do": "say", "text": "One."}, {"do": "say", "text": "Two."}]});
    let new = json!({"title": "Add a changelog", "initial_prompt": "Write it.", "start": true, "agent_config": config});
    let request =
        http.post(format!("{api}/api/v1/sessions")).bearer_auth(key).header("x-tenant-id", &world.tenant.slug);
    let created: Value = request.json(&new).send().await.unwrap().json().await.unwrap();
    created["id"].as_str().unwrap_or_else(|| panic!("{created}")).to_owned()
}

/// Through API Gateway's WebSocket API: `$connect`, what is said, the job that broadcasts, its management API,
/// `$disconnect`.
#[tokio::test]
async fn a_subscriber_of_the_deployed_template_gets_all_events_until_its_key_is_revoked() {
    let run = SessionId::new().0.simple().to_string();
    let cloud = Cloud::on(queues(ministack(), &run), &live_id(&run)).await;
    let api = deploy(&cloud, &run).await;
    let http = reqwest::Client::new();
    let ticket = ticket(&http, &api, cloud.world.tenant.key(Role::Viewer)).await;
    let live = live_endpoint(&ministack().endpoint, &live_id(&run)).replacen("http", "ws", 1);
    let open = async |query: &str| websocket::connect(&format!("{live}?{query}"), None).await;
    assert!(open("ticket=none").await.is_err(), "no connection without a ticket");
    let mut socket = open(&format!("ticket={ticket}&topic=/ws/sessions")).await.expect("it is let in");
    assert!(open(&format!("ticket={ticket}")).await.is_err(), "the ticket was good once");
    let hello = socket.until("connection.established").await;
    assert_eq!(hello["payload"]["tenant_id"], cloud.world.tenant.id.to_string());
    socket.until("subscription.confirmed").await;

    let member = cloud.world.tenant.key(Role::Member);
    let id = start_session(&http, &api, &cloud.world, member).await;
    let mut reported = Vec::new();
    while reported.last().is_none_or(|frame: &Value| frame["type"] != "session.completed") {
        reported.push(socket.next_event().await);
    }
    let log = cloud.world.caller(Role::Viewer).events(&id).await;
    let seqs: Vec<_> = reported.iter().map(|frame| (frame["session_id"].clone(), frame["seq"].clone())).collect();
    let written: Vec<_> = log[..reported.len()].iter().map(|event| (json!(id), event["seq"].clone())).collect();
    assert_eq!(seqs, written);

    // From a cursor on, in the same connection: the same events are sent again, in the same order.
    socket.send(json!({"action": "subscribe", "topic": format!("/ws/sessions/{id}"), "after": "2"})).await;
    socket.until("subscription.confirmed").await;
    assert_eq!(socket.next_event().await["seq"], 3);
    let owner = cloud.world.superuser().await;
    let id = cloud.world.tenant.key_id(Role::Viewer);
    owner.run(&format!("update api_keys set revoked_at = now() where id = '{id}'")).await;
    let begun = std::time::Instant::now();
    socket.cut().await;
    assert!(begun.elapsed() < Duration::from_secs(12), "{:?}", begun.elapsed());
    let tenant = format!("live:tenant:{}", cloud.world.tenant.id);
    until(async || cloud.world.app.cache.query::<usize>(redis::cmd("ZCARD").arg(&tenant)).await.unwrap() == 0).await;
}

#[test]
fn the_templates_of_ioc_and_of_its_runners_pass_cfn_lint() {
    let templates = ["template.yaml", "infra/aws/runner/ec2.yaml", "infra/aws/runner/fargate.yaml"];
    let paths = templates.map(|template| root().join(template));
    let lint = Command::new(test_program("cfn-lint", "CFN_LINT")).args(paths).output().unwrap();
    assert!(
        lint.status.success(),
        "{}{}",
        String::from_utf8_lossy(&lint.stdout),
        String::from_utf8_lossy(&lint.stderr)
    );
}

//! The template itself, deployed: its gateway routes requests, its queues wake its functions, and a session runs to its
//! end without anybody's help. `MiniStack` plays AWS and hands each call to the functions under `cargo lambda watch`.

use std::{fs, process::Command, time::Duration};

use harness::{
    cargo_lambda::Watch,
    kept::{root, test_program},
    ministack::{ACCOUNT, Ministack, REGION, ministack},
};
use serde_json::{Value, json};
use serde_yaml_ng::Value as Yaml;
use shared::{auth::Role, id::SessionId, queue::Settings};

use super::Cloud;

/// Where the queues of a stack are, whose names end in `run`.
fn queues(server: &Ministack, run: &str) -> Settings {
    let url = |name: &str| format!("{}/{ACCOUNT}/{name}-{run}", server.endpoint);
    Settings {
        dispatch_url: url("DispatchQueue"),
        dispatch_dead_url: url("DispatchDeadQueue"),
        observe_url: url("ObserveQueue"),
        observe_dead_url: url("ObserveDeadQueue"),
        poll_url: url("PollQueue"),
        poll_dead_url: url("PollDeadQueue"),
        train_url: url("TrainQueue"),
        train_dead_url: url("TrainDeadQueue"),
        ..Settings::default()
    }
}

/// The template with the names that the test knows, and functions whose calls go to `watch`.
fn rewired(watch: &Watch, run: &str) -> String {
    let text = fs::read_to_string(root().join("template.yaml")).unwrap();
    let mut template: Yaml = serde_yaml_ng::from_str(&text).unwrap();
    template["Globals"]["Function"].as_mapping_mut().unwrap().remove("CodeUri");
    for (name, resource) in template["Resources"].as_mapping_mut().unwrap() {
        let binary = resource["Metadata"]["BuildProperties"]["Binary"].as_str().map(str::to_owned);
        let kind = resource["Type"].as_str().unwrap().to_owned();
        let properties = &mut resource["Properties"];
        match kind.as_str() {
            "AWS::Serverless::Function" => {
                let calls = watch.url(&format!("/2015-03-31/functions/{}/invocations", binary.unwrap()));
                properties["InlineCode"] = "never run".into();
                properties["Environment"]["Variables"]["MINISTACK_LAMBDA_PROXY_URL"] = calls.into();
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
        ("agent", json!({"password": "none"})),
    ] {
        server.secret(&format!("{name}-{run}"), &value.to_string()).await;
    }
    let (database, owner, redis) = (arn("database"), arn("owner"), arn("redis"));
    let (pepper, agent) = (arn("pepper"), arn("agent"));
    let parameters = [
        ("DatabaseSecretArn", &*database),
        ("OwnerSecretArn", &owner),
        ("RedisSecretArn", &redis),
        ("PepperSecretArn", &pepper),
        ("AgentSecretArn", &agent),
        ("AgentUrl", "http://127.0.0.1:1"),
    ];
    let told = server.deploy(&format!("ioc-{run}"), &rewired(&cloud.watch, run), &parameters).await;
    let (_, rest) = told.split_once("https://").expect("the output Url");
    let (api, _) = rest.split_once('.').unwrap();
    format!("{}/_aws/execute-api/{api}/$default", server.endpoint)
}

#[tokio::test]
async fn a_session_runs_to_its_end_on_the_deployed_template() {
    let run = SessionId::new().0.simple().to_string();
    let cloud = Cloud::on(queues(ministack(), &run)).await;
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
    let mut session = Value::Null;
    for _ in 0..300 {
        session = get("").await.json().await.unwrap();
        if session["status"] == "completed" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(session["status"], "completed", "{session:#}");
    let artifacts: Value = get("/artifacts").await.json().await.unwrap();
    let artifact = artifacts["items"][0]["id"].as_str().unwrap();
    let content = get(&format!("/artifacts/{artifact}")).await.text().await.unwrap();
    assert_eq!(content, "Nothing yet.", "one function put it into the bucket, another took it out");
    let unknown: Value = http.get(format!("{api}/nowhere")).send().await.unwrap().json().await.unwrap();
    assert_eq!(unknown["code"], "ROUTE_NOT_FOUND", "what is no route is refused as a problem");
}

#[test]
fn the_template_passes_cfn_lint() {
    let lint = Command::new(test_program("cfn-lint", "CFN_LINT")).arg(root().join("template.yaml")).output().unwrap();
    assert!(
        lint.status.success(),
        "{}{}",
        String::from_utf8_lossy(&lint.stdout),
        String::from_utf8_lossy(&lint.stderr)
    );
}

//! Equality of what is written twice: the template, the code, the binaries and the documents.

mod template;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    time::Duration,
};

use axum::{
    body::{Body, to_bytes},
    http::Request,
};
use functions::{a2a, health};
use harness::{child_process::root, openapi};
use shared::{
    app::{App, config::Config, runtimes},
    kernel::clock::Clock,
    platform::{
        queue::{MAX_RECEIVES, job::QueueName, visibility_timeout},
        variables::Variables,
    },
};
use tower::ServiceExt;
use utoipa_axum::router::OpenApiRouter;

use template::Template;

/// Routes of the template beside the documented paths: the documents themselves, and the default route.
const UNDOCUMENTED: [&str; 4] = ["$default", "/docs", "/docs/{proxy+}", "/openapi.json"];

/// The functions that publish no event; every other one can.
const PUBLISH_NOTHING: [&str; 3] = ["authorizer", "health", "migrate"];

/// The areas, by the binary that serves them.
fn areas() -> BTreeMap<&'static str, OpenApiRouter<App>> {
    BTreeMap::from([
        ("agents", functions::agents_api()),
        ("eap", functions::eap_api()),
        ("a2a", a2a::routes()),
        ("health", health::routes()),
        ("models", functions::models_api()),
        ("sessions", functions::sessions_api()),
        ("tenants", functions::tenants_api()),
        ("fine_tuning", functions::fine_tuning_api()),
    ])
}

/// The documented paths, with the binary that serves each.
fn documented() -> BTreeMap<String, String> {
    let paths = areas().into_iter().flat_map(|(binary, routes)| {
        let paths = routes.into_openapi().paths.paths;
        paths.into_keys().map(move |path| (path, binary.to_owned()))
    });
    paths.collect()
}

/// The path that API Gateway knows: a verb behind an id is a part of the id's segment.
fn routed(path: &str) -> String {
    path.split_once("}:").map_or_else(|| path.to_owned(), |(route, _)| format!("{route}}}"))
}

/// An app whose servers are not there: enough to see where a request goes.
fn alone() -> App {
    let variables = Variables::from([
        ("DATABASE_URL", "postgres://ioc_app@127.0.0.1:1/none"),
        ("REDIS_URL", "redis://127.0.0.1:1"),
        ("API_KEY_PEPPER", "pepper"),
    ]);
    Config::read(&variables)
        .unwrap()
        .build(Clock::System, runtimes::no_runtimes, shared::app::trainers::no_trainers)
        .unwrap()
}

#[test]
fn the_document_holds_the_paths_of_every_area() {
    let whole: BTreeSet<_> = functions::openapi()["paths"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(whole, documented().into_keys().collect());
}

/// Two shapes under one name would describe each other's answers.
#[test]
fn every_schema_name_of_the_document_belongs_to_one_area() {
    let whole = functions::openapi();
    for (area, routes) in areas() {
        for (name, shape) in functions::complete_openapi(routes.into_openapi())["components"]["schemas"]
            .as_object()
            .into_iter()
            .flatten()
        {
            assert!(&whole["components"]["schemas"][name] == shape, "{area} means something else by {name}");
        }
    }
}

#[test]
fn the_template_routes_every_documented_path_to_the_binary_that_serves_it() {
    let mut routes = Template::read().routes();
    for path in UNDOCUMENTED {
        assert_eq!(routes.remove(path).as_deref(), Some("health"), "{path}");
    }
    let named = documented().into_iter().map(|(path, binary)| (routed(&path), binary)).collect();
    assert_eq!(routes, named);
}

#[test]
fn the_template_routes_every_websocket_event_to_the_function_live() {
    let template = Template::read();
    let all = ["$connect", "$default", "$disconnect"]
        .map(|key| (key.to_owned(), "integrations/${LiveIntegration}".to_owned()));
    assert_eq!(template.socket_routes(), BTreeMap::from(all));
    let stage = template.resource("LiveStage")["Properties"]["StageName"].as_str().unwrap();
    for binary in ["live", "broadcast"] {
        let function = template.function(binary);
        assert!(function.environment["LIVE_ENDPOINT"].ends_with(&format!("/{stage}")), "{binary}");
        for verb in ["POST", "DELETE"] {
            assert!(
                function.policies.contains(&format!("${{LiveApi}}/{stage}/{verb}/@connections/*")),
                "{binary}: {verb}"
            );
        }
    }
}

/// Where it asks, it asks about every path that needs a credential, and about no other.
#[test]
fn the_authorizer_of_the_template_guards_what_the_code_guards() {
    let guarded: BTreeSet<_> = {
        let all = openapi::operations().into_iter().filter(|operation| !operation.is_open());
        all.map(|operation| operation.route()).collect()
    };
    let template = Template::read();
    assert_eq!(template.guarded(), guarded);
    let authorizer = &template.resource("Authorizer")["Properties"];
    assert!(authorizer["IdentitySource"].is_null(), "all of several sources would have to be there");
    assert_eq!(authorizer["AuthorizerResultTtlInSeconds"], 0, "a revoked key is refused at once");
    assert_eq!(authorizer["AuthorizerPayloadFormatVersion"], "2.0");
    assert_eq!(authorizer["EnableSimpleResponses"], true);
}

#[test]
fn cargo_lambda_watch_routes_as_the_template_does() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let (_, section) = manifest.split_once("[workspace.metadata.lambda.watch.router]").unwrap();
    let entries = section.lines().skip(1).map_while(|line| line.split_once(" = "));
    let watched: Vec<_> = entries.map(|(path, binary)| (path.trim_matches('"'), binary.trim_matches('"'))).collect();
    for (path, binary) in Template::read().routes() {
        let path = path.replace("{proxy+}", "{*path}");
        let serves = |(pattern, _): &&(&str, &str)| match pattern.strip_suffix("{*path}") {
            Some(prefix) => path.starts_with(prefix),
            None => path == *pattern,
        };
        let found = watched.iter().find(serves).map(|(_, binary)| *binary);
        assert!(found == Some(&*binary) || path == "$default", "{path} is for {binary}, and goes to {found:?}");
    }
}

#[tokio::test]
async fn every_documented_operation_is_served_by_its_function() {
    for (binary, routes) in areas() {
        let paths = routes.clone().into_openapi().paths.paths;
        for (path, item) in paths {
            let item = serde_json::to_value(item).unwrap();
            for method in item.as_object().unwrap().keys().filter(|key| is_method(key)) {
                let concrete = path.replace("{sequence}", "1").replace("{id}", UUID).replace("{tenant}", "acme");
                let concrete =
                    concrete.replace("{artifact_id}", UUID).replace("{task_id}", UUID).replace("{session}", UUID);
                let concrete = concrete.replace("{provider}", "openai");
                let concrete = concrete.replace("{name}", "reviewer").replace("{version}", "1.0.0");
                let concrete = concrete.replace("{alias}", "champion");
                let request = Request::builder().method(&*method.to_uppercase()).uri(concrete).body(Body::empty());
                let service = functions::serve(routes.clone(), alone());
                let answer = service.oneshot(request.unwrap()).await.unwrap();
                let body = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
                let text = String::from_utf8_lossy(&body);
                let lost = text.contains("ROUTE_NOT_FOUND") || text.contains("METHOD_NOT_ALLOWED");
                assert!(!lost, "{binary}: {method} {path}: {text}");
            }
        }
    }
}

const UUID: &str = "0193c0de-0000-7000-8000-000000000000";

fn is_method(key: &str) -> bool {
    ["get", "post", "put", "patch", "delete"].contains(&key)
}

/// The binaries in functions/src/bin, by name.
fn binaries() -> BTreeSet<String> {
    let entries = fs::read_dir(root().join("functions/src/bin")).unwrap();
    let names = entries.map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned());
    names.collect()
}

#[test]
fn every_binary_is_a_function_of_the_template() {
    let functions: BTreeSet<_> = Template::read().functions().into_iter().map(|function| function.binary).collect();
    assert_eq!(functions, binaries());
}

#[test]
fn every_job_queue_has_its_sqs_queue_or_schedule_and_its_function() {
    let template = Template::read();
    for queue_name in QueueName::ALL {
        let function = template.function(queue_name.name());
        if queue_name == QueueName::Reconcile {
            assert_eq!(function.schedule.as_deref(), Some("rate(1 minute)"));
            continue;
        }
        let source = template.source(&function.name);
        assert_eq!(source.response_types, ["ReportBatchItemFailures"], "{}", queue_name.name());
        let queue = template.queue(&source.queue);
        assert_eq!(Duration::from_secs(queue.visibility), visibility_timeout(queue_name), "{}", queue_name.name());
        assert!(queue.visibility >= 6 * function.timeout, "{}: a batch may still be worked on", queue_name.name());
        assert_eq!(queue.max_receives, MAX_RECEIVES, "{}", queue_name.name());
        assert!(template.queues().contains(&queue.dead_letters), "{} has dead letters", queue_name.name());
    }
}

/// Behind API Gateway the function broadcast sends events to subscribers; it is triggered by a message.
#[test]
fn every_function_that_can_publish_an_event_may_enqueue_a_broadcast() {
    let template = Template::read();
    for function in template.functions().iter().filter(|function| !PUBLISH_NOTHING.contains(&&*function.binary)) {
        let queues = template.sends_to(&function.name);
        assert!(queues.contains("BroadcastQueue"), "{}: {queues:?}", function.name);
    }
}

#[test]
fn no_policy_allows_every_resource() {
    for function in Template::read().functions() {
        for wide in [":*", "'*'", "\"*\""] {
            assert!(!function.policies.contains(wide), "{}: {}", function.name, function.policies);
        }
    }
}

#[test]
fn bedrock_training_exists_only_on_request_and_reaches_only_its_own_bucket() {
    let template = Template::read();
    let yaml = |value: &serde_yaml_ng::Value| serde_yaml_ng::to_string(value).unwrap();
    let of_it = ["TrainingFiles", "TrainingRole", "TrainPolicy", "PollPolicy"];
    for name in of_it {
        assert_eq!(template.resource(name)["Condition"], "TrainsAtBedrock", "{name}");
        let text = yaml(template.resource(name));
        assert!(!text.contains("Files.Arn") || text.contains("TrainingFiles.Arn"), "{name}: {text}");
        assert!(!text.contains("GetAtt Files") && !text.contains("${Files"), "{name}: {text}");
        assert!(!text.contains("Action: '*'") && !text.contains("Resource: '*'"), "{name}: {text}");
    }
    let environment = template.function("train").environment;
    for name in ["AWS_TRAINING_ROLE", "AWS_TRAINING_PLACE"] {
        let value = &environment[name];
        assert!(value.contains("TrainsAtBedrock") && value.contains("AWS::NoValue"), "{name}: {value}");
    }
    let statements = |name: &str| {
        template.resource(name)["Properties"]["PolicyDocument"]["Statement"].as_sequence().unwrap().clone()
    };
    let (train, poll) = (statements("TrainPolicy"), statements("PollPolicy"));
    let asked: Vec<String> = train.iter().chain(&poll).map(yaml).collect();
    // The API actions of the trainer, from the paths of its client.
    let client = fs::read_to_string(root().join("shared/src/training/trainers/aws/client.rs")).unwrap();
    assert!(client.contains("model-customization-jobs"));
    for verb in ["Create", "Get", "Stop"] {
        let action = format!("bedrock:{verb}ModelCustomizationJob");
        assert!(asked[..train.len()].iter().any(|statement| statement.contains(&action)), "{action}");
    }
    let passes: Vec<_> = asked.iter().filter(|statement| statement.contains("iam:PassRole")).collect();
    assert_eq!(passes.len(), 1);
    assert!(passes[0].contains("TrainingRole.Arn") && passes[0].contains("iam:PassedToService"), "{}", passes[0]);
    assert!(!asked[train.len()..].iter().any(|statement| statement.contains("Create") || statement.contains("Put")));
}

#[test]
fn the_template_holds_secrets_only_by_reference() {
    let secrets = ["API_KEY_PEPPER", "DATABASE_URL", "MIGRATION_URL", "REDIS_URL"];
    let mut seen = BTreeSet::new();
    for function in Template::read().functions() {
        for (name, value) in function.environment {
            if let Some(secret) = secrets.iter().find(|secret| **secret == name) {
                assert!(value.starts_with("{{resolve:secretsmanager:"), "{}: {name} = {value}", function.name);
                seen.insert(*secret);
            }
        }
    }
    assert_eq!(seen, BTreeSet::from(secrets));
}

#[test]
fn every_variable_of_the_template_is_one_that_the_code_reads() {
    let code = ["shared/src/app/config/mod.rs", "functions/src/jobs/migrate.rs"]
        .map(|file| fs::read_to_string(root().join(file)));
    let code = code.map(Result::unwrap).join("");
    for function in Template::read().functions() {
        for name in function.environment.keys().filter(|name| !name.starts_with("AWS_")) {
            assert!(code.contains(&format!("\"{name}\"")), "{}: nobody reads {name}", function.name);
        }
    }
}

#[test]
fn the_dashboard_has_the_same_content_security_policy_locally_and_on_aws() {
    let template = Template::read();
    let headers = template.resource("DashboardHeaders");
    let security = &headers["Properties"]["ResponseHeadersPolicyConfig"]["SecurityHeadersConfig"];
    let policy = security["ContentSecurityPolicy"]["ContentSecurityPolicy"].as_str().unwrap();
    assert_eq!(policy, local::dashboard::policy(&["${LoginOrigins}".to_owned()]));
}

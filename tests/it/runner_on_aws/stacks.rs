//! The stacks of runners: no way in, no secret in a template, and variables that the runner reads.

use std::{collections::BTreeSet, fs, io::Write, process::Stdio};

use clap::Args;
use harness::child_process::root;
use runner::settings::RunnerSettings;
use serde_yaml_ng::Value;

const INSTANCES: &str = "ec2.yaml";
const TASKS: &str = "fargate.yaml";

fn read_stack(name: &str) -> Value {
    let text = fs::read_to_string(root().join("infra/aws/runner").join(name)).unwrap();
    serde_yaml_ng::from_str(&text).unwrap()
}

/// The properties of all resources of a type.
fn properties_of<'a>(stack: &'a Value, kind: &str) -> Vec<&'a Value> {
    let resources = stack["Resources"].as_mapping().unwrap().values();
    resources.filter(|resource| resource["Type"] == kind).map(|resource| &resource["Properties"]).collect()
}

/// A value without its short-form functions: `!Sub text` is `text`.
fn plain(value: &Value) -> &Value {
    match value {
        Value::Tagged(tagged) => plain(&tagged.value),
        other => other,
    }
}

/// The alternatives of an `!If`, or the value itself.
fn alternatives(value: &Value) -> Vec<&Value> {
    match value {
        Value::Tagged(tagged) if tagged.tag == "If" => tagged.value.as_sequence().unwrap().iter().skip(1).collect(),
        other => vec![other],
    }
}

fn user_data() -> String {
    let stack = read_stack(INSTANCES);
    let template = properties_of(&stack, "AWS::EC2::LaunchTemplate")[0];
    let data = plain(&template["LaunchTemplateData"]["UserData"]["Fn::Base64"]);
    data[0].as_str().unwrap().to_owned()
}

#[test]
fn runners_on_aws_have_no_port_that_anybody_can_reach() {
    for name in [INSTANCES, TASKS] {
        let stack = read_stack(name);
        assert!(properties_of(&stack, "AWS::EC2::SecurityGroupIngress").is_empty(), "{name}");
        let groups = properties_of(&stack, "AWS::EC2::SecurityGroup");
        assert_eq!(groups.len(), 1, "{name}");
        assert!(groups[0]["SecurityGroupIngress"].as_sequence().unwrap().is_empty(), "{name}");
        // Without an outgoing rule of its own a group may reach everything.
        let rules = groups[0]["SecurityGroupEgress"].as_sequence().unwrap();
        let ports = rules.iter().flat_map(alternatives).filter_map(|rule| rule["ToPort"].as_u64());
        assert!(ports.clone().count() >= 1 && ports.clone().all(|port| [22, 443].contains(&port)), "{name}");
    }
    let tasks = read_stack(TASKS);
    let network = &properties_of(&tasks, "AWS::ECS::Service")[0]["NetworkConfiguration"]["AwsvpcConfiguration"];
    assert_eq!(network["AssignPublicIp"], "DISABLED");
}

#[test]
fn metadata_of_an_instance_answers_only_the_instance_itself() {
    let stack = read_stack(INSTANCES);
    let options = &properties_of(&stack, "AWS::EC2::LaunchTemplate")[0]["LaunchTemplateData"]["MetadataOptions"];
    assert_eq!(options["HttpTokens"], "required");
    assert_eq!(options["HttpPutResponseHopLimit"], 1);
}

#[test]
fn tasks_on_fargate_have_no_role_and_ask_for_the_weaker_isolation() {
    let stack = read_stack(TASKS);
    let task = properties_of(&stack, "AWS::ECS::TaskDefinition")[0];
    assert!(task["TaskRoleArn"].is_null(), "an agent in a task could use its role");
    let container = &task["ContainerDefinitions"][0];
    let command = container["Command"][0].as_str().unwrap();
    assert!(command.contains(" start --minimum-isolation process"), "{command}");
    let accepted = &stack["Parameters"]["AcceptsWeakIsolation"];
    assert!(accepted["Default"].is_null() && accepted["AllowedValues"].as_sequence().unwrap().len() == 1);
    let instances = fs::read_to_string(root().join("infra/aws/runner").join(INSTANCES)).unwrap();
    assert!(!instances.contains("minimum-isolation"), "an instance asks for nothing weaker than the default");
}

#[test]
fn roles_of_runners_may_do_only_what_starts_and_drains_them() {
    let actions_of = |name: &str| {
        let stack = read_stack(name);
        let policies = properties_of(&stack, "AWS::IAM::Role")[0]["Policies"].as_sequence().unwrap().clone();
        let statements = policies.iter().flat_map(|one| one["PolicyDocument"]["Statement"].as_sequence().unwrap());
        let allowed = statements.flat_map(alternatives).filter(|one| one.is_mapping());
        let actions = allowed.flat_map(|statement| match &statement["Action"] {
            Value::Sequence(actions) => actions.clone(),
            action => vec![action.clone()],
        });
        actions.map(|action| action.as_str().unwrap().to_owned()).collect::<BTreeSet<_>>()
    };
    let expected = |actions: &[&str]| actions.iter().map(|action| (*action).to_owned()).collect::<BTreeSet<_>>();
    let of_instances = expected(&[
        "autoscaling:CompleteLifecycleAction",
        "cloudformation:SignalResource",
        "kms:Decrypt",
        "s3:GetObject",
        "secretsmanager:GetSecretValue",
    ]);
    assert_eq!(actions_of(INSTANCES), of_instances);
    let before_a_task = expected(&[
        "ecr:BatchCheckLayerAvailability",
        "ecr:BatchGetImage",
        "ecr:GetAuthorizationToken",
        "ecr:GetDownloadUrlForLayer",
        "kms:Decrypt",
        "logs:CreateLogStream",
        "logs:PutLogEvents",
        "secretsmanager:GetSecretValue",
    ]);
    assert_eq!(actions_of(TASKS), before_a_task);
}

#[test]
fn every_variable_of_the_stacks_is_one_that_the_runner_reads() {
    let command = RunnerSettings::augment_args(clap::Command::new("start"));
    let variables = command.get_arguments().filter_map(|argument| argument.get_env()?.to_str().map(str::to_owned));
    let known: BTreeSet<_> = variables.collect();
    let stack = read_stack(TASKS);
    let container = &properties_of(&stack, "AWS::ECS::TaskDefinition")[0]["ContainerDefinitions"][0];
    let mut named = BTreeSet::new();
    for field in ["Environment", "Secrets"] {
        let entries = container[field].as_sequence().unwrap().iter().flat_map(alternatives);
        // The name of the enrolment's variable is a parameter.
        let fixed = entries.filter(|entry| matches!(entry["Name"], Value::String(_)));
        named.extend(fixed.filter_map(|entry| entry["Name"].as_str().map(str::to_owned)));
    }
    let data = user_data();
    let words = data.split(|letter: char| !letter.is_ascii_uppercase() && letter != '_');
    named.extend(words.filter(|word| word.starts_with("RUNNER_") || *word == "IOC_URL").map(str::to_owned));
    for (name, stack) in [(INSTANCES, read_stack(INSTANCES)), (TASKS, stack)] {
        let default = stack["Parameters"]["EnrolmentVariable"]["Default"].as_str().unwrap().to_owned();
        assert!(known.contains(&default), "{name}: {default}");
    }
    assert!(named.len() >= 7 && named.contains("RUNNER_SLOTS"), "{named:?}");
    assert_eq!(named.difference(&known).collect::<Vec<_>>(), Vec::<&String>::new());
}

/// A shell reads it without running it: what `CloudFormation` fills in stands for itself.
#[test]
fn user_data_is_a_valid_script_that_names_no_secret() {
    let mut filled = user_data();
    while let Some((before, rest)) = filled.split_once("${") {
        let (_, after) = rest.split_once('}').unwrap();
        filled = format!("{before}x{after}");
    }
    assert!(filled.len() < 16_384, "EC2 refuses longer user data");
    let mut shell = std::process::Command::new("bash").arg("-n").stdin(Stdio::piped()).spawn().unwrap();
    shell.stdin.take().unwrap().write_all(filled.as_bytes()).unwrap();
    assert!(shell.wait().unwrap().success());
    assert!(filled.contains("sha256sum --check"), "only the named package is unpacked");
    for provider in ["https://", "http://"] {
        let hosts = filled.split(provider).skip(1).filter_map(|rest| rest.split(['/', '"', '\n']).next());
        assert!(hosts.clone().all(|host| host == "169.254.169.254"), "{:?}", hosts.collect::<Vec<_>>());
    }
}

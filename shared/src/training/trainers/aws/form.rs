//! Samples and orders in the formats of Bedrock, which depend on the vendor of the base model.

use serde_json::{Map, Value, json};

use crate::{
    kernel::failure::Failure,
    training::trainers::{
        Method, Order, Parameters,
        samples::{Form, Sample, json_line},
        trouble::refused_failure,
    },
};

/// The sample format of a base model.
pub(super) fn of_model(base_model: &str) -> Form {
    // An identifier, or an ARN that ends with one.
    let name = base_model.rsplit('/').next().unwrap_or(base_model);
    match name.split('.').next() {
        Some("anthropic") => messages_line,
        Some("cohere") => completion_line,
        _ if name.starts_with("amazon.titan") => completion_line,
        _ => conversation_line,
    }
}

/// A sample as alternating turns of user and assistant, with the system prompt.
fn split_turns(sample: &Sample) -> Option<(String, Vec<(&str, String)>)> {
    let (mut system, mut turns) = (String::new(), Vec::<(&str, String)>::new());
    for turn in &sample.messages {
        let role = turn.role.as_str();
        match (role, turns.last_mut()) {
            ("system", _) => join_text(&mut system, &turn.content),
            (_, Some((before, said))) if *before == role => join_text(said, &turn.content),
            // The first turn is the user's.
            ("user", None) | ("user" | "assistant", Some(_)) => turns.push((role, turn.content.clone())),
            _ => {}
        }
    }
    // The last turn is the assistant's: turns after it teach nothing.
    if turns.last().is_some_and(|(role, _)| *role == "user") {
        turns.pop();
    }
    (!turns.is_empty()).then_some((system, turns))
}

fn join_text(text: &mut String, more: &str) {
    if !text.is_empty() {
        text.push_str("\n\n");
    }
    text.push_str(more);
}

fn conversation_line(sample: &Sample) -> Option<Vec<u8>> {
    let (system, turns) = split_turns(sample)?;
    let said: Vec<_> = turns.iter().map(|(role, text)| json!({"role": role, "content": [{"text": text}]})).collect();
    let mut line = json!({"schemaVersion": "bedrock-conversation-2024", "messages": said});
    if !system.is_empty() {
        line["system"] = json!([{"text": system}]);
    }
    json_line(&line)
}

fn messages_line(sample: &Sample) -> Option<Vec<u8>> {
    let (system, turns) = split_turns(sample)?;
    let said: Vec<_> = turns.iter().map(|(role, text)| json!({"role": role, "content": text})).collect();
    let mut line = json!({"messages": said});
    if !system.is_empty() {
        line["system"] = json!(system);
    }
    json_line(&line)
}

/// The preceding turns as a prompt, and the last answer.
fn completion_line(sample: &Sample) -> Option<Vec<u8>> {
    let (system, mut turns) = split_turns(sample)?;
    let (_, answer) = turns.pop()?;
    let mut prompt = system;
    for (_, text) in &turns {
        join_text(&mut prompt, text);
    }
    json_line(&json!({"prompt": prompt, "completion": answer}))
}

/// Rejects what Bedrock cannot express, instead of training with something else.
pub(super) fn check_parameters(parameters: &Parameters) -> Result<(), Failure> {
    let usual = Parameters::default();
    let refused =
        |why: &str| Err(refused_failure("PARAMETERS", format!("The provider aws does not support this: {why}")));
    if parameters.method != Method::Sft {
        return refused("it has no dpo; train with sft.");
    }
    let lora = |p: &Parameters| (p.lora_rank, p.lora_alpha, p.target_modules.clone());
    if lora(parameters) != lora(&usual) || parameters.seed.is_some() {
        return refused("lora_rank, lora_alpha, target_modules and seed are its own; leave them out.");
    }
    if parameters.extra.values().any(|value| !matches!(value, Value::String(_) | Value::Number(_) | Value::Null)) {
        return refused("what is in extra must be a text, a number, or null to leave one out.");
    }
    Ok(())
}

/// The hyper-parameters, all as text. `extra` adds and changes them, and removes them with null, because base models
/// differ in those they accept.
fn hyper_parameters(parameters: &Parameters) -> Map<String, Value> {
    let mut all = Map::new();
    all.insert("epochCount".to_owned(), json!(parameters.epochs.to_string()));
    all.insert("batchSize".to_owned(), json!(parameters.batch_size.to_string()));
    all.insert("learningRate".to_owned(), json!(parameters.learning_rate.to_string()));
    for (name, value) in &parameters.extra {
        match value {
            Value::Null => _ = all.remove(name),
            Value::String(text) => _ = all.insert(name.clone(), json!(text)),
            other => _ = all.insert(name.clone(), json!(other.to_string())),
        }
    }
    all
}

/// The name of the job of an order.
pub(super) fn job_name(order: &Order) -> String {
    format!("ioc-{}-{}", order.job_id, order.attempt)
}

/// A unique and recognizable name of the model.
fn model_name(order: &Order) -> String {
    let id = order.job_id.to_string();
    let kept = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let words: Vec<_> =
        order.target_model_name.split(|c: char| kept(c) == '-').filter(|word| !word.is_empty()).collect();
    let name: String = words.join("-").chars().take(40).collect();
    format!("{}-{}-{}", name.trim_end_matches('-'), &id[id.len() - 12..], order.attempt)
        .trim_start_matches('-')
        .to_owned()
}

/// The body that creates the job.
pub(super) fn request_body(order: &Order, role: &str, place: &str, held_out: bool) -> Value {
    let name = job_name(order);
    let mut body = json!({
        "jobName": name,
        "customModelName": model_name(order),
        "roleArn": role,
        "clientRequestToken": name,
        "baseModelIdentifier": order.base_model,
        "customizationType": "FINE_TUNING",
        "trainingDataConfig": {"s3Uri": format!("{place}/training.jsonl")},
        "outputDataConfig": {"s3Uri": format!("{place}/output/")},
        "hyperParameters": hyper_parameters(&order.parameters),
        "jobTags": [{"key": "ioc:tenant", "value": order.tenant_id}, {"key": "ioc:job", "value": order.job_id}],
    });
    if held_out {
        body["validationDataConfig"] = json!({"validators": [{"s3Uri": format!("{place}/held-out.jsonl")}]});
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::training::trainers::samples::Turn;

    fn sample(turns: &[(&str, &str)]) -> Sample {
        let turn = |(role, content): &(&str, &str)| Turn { role: (*role).to_owned(), content: (*content).to_owned() };
        Sample { messages: turns.iter().map(turn).collect() }
    }

    fn written(model: &str, turns: &[(&str, &str)]) -> Option<Value> {
        of_model(model)(&sample(turns)).map(|line| serde_json::from_slice(&line).unwrap())
    }

    #[test]
    fn each_model_gets_its_form() {
        let turns =
            [("system", "Be brief."), ("user", "Hi"), ("user", "there"), ("assistant", "Yes?"), ("user", "Bye")];
        let said = |user: Value, assistant: Value| json!([{"role": "user", "content": user}, {"role": "assistant", "content": assistant}]);
        let nova = written("amazon.nova-lite-v1:0", &turns).unwrap();
        assert_eq!(nova["messages"], said(json!([{"text": "Hi\n\nthere"}]), json!([{"text": "Yes?"}])));
        assert_eq!(nova["system"], json!([{"text": "Be brief."}]));
        let claude = written("arn:aws:bedrock:us-west-2::foundation-model/anthropic.claude-3-haiku", &turns).unwrap();
        assert_eq!(claude, json!({"system": "Be brief.", "messages": said(json!("Hi\n\nthere"), json!("Yes?"))}));
        let titan = written("amazon.titan-text-lite-v1", &turns).unwrap();
        assert_eq!(titan, json!({"prompt": "Be brief.\n\nHi\n\nthere", "completion": "Yes?"}));
    }

    #[test]
    fn a_sample_without_an_answer_is_left_out() {
        assert_eq!(written("amazon.nova-lite-v1:0", &[("user", "Hi")]), None);
        assert_eq!(written("amazon.titan-text-lite-v1", &[("assistant", "Hello")]), None);
    }

    #[test]
    fn extra_adds_changes_and_leaves_out() {
        let mut parameters = Parameters::default();
        parameters.extra.insert("batchSize".to_owned(), Value::Null);
        parameters.extra.insert("learningRateWarmupSteps".to_owned(), json!(5));
        let all = hyper_parameters(&parameters);
        assert_eq!(
            Value::Object(all),
            json!({"epochCount": "3", "learningRate": "0.00005", "learningRateWarmupSteps": "5"})
        );
        parameters.extra.insert("x".to_owned(), json!([]));
        assert!(check_parameters(&parameters).is_err());
    }
}

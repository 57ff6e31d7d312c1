//! Evaluates a model with the prompts of held-out samples: they are sent to a chat endpoint of OpenAI's format, and the
//! answers are compared with those of the samples, word by word.

use std::{collections::HashMap, time::Duration};

use futures_util::{FutureExt, StreamExt, TryStreamExt, future::BoxFuture, stream};
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    kernel::failure::{Category, Failure},
    models::registry::metrics::Metrics,
    training::services::TrainingServices,
    training::trainers::{Provider, TrainerConnection, TrainingFile},
};

use super::{EvaluationSummary, MeasuredBy, TrainingJob};

/// How many held-out samples are used: the first of the file.
const ASKED: usize = 24;
/// How many requests run concurrently.
const AT_ONCE: usize = 4;
/// The timeout of one request.
const ANSWER_TIME: Duration = Duration::from_mins(1);
/// The largest response, and the longest line of a dataset, in bytes.
const MOST_BYTES: usize = 4 * 1024 * 1024;
/// The default base URL.
const OPENAI: &str = "https://api.openai.com/v1";

/// A prompt and the expected answer.
#[derive(Clone, Debug, PartialEq)]
struct EvaluationPrompt {
    messages: Vec<Value>,
    expected: String,
}

/// Evaluates the trained model. Its accuracy is the mean agreement of its answers. A permanent failure gives the reason
/// why it cannot be evaluated.
pub(super) async fn measure_prompts(
    services: &TrainingServices,
    job: &TrainingJob,
    connection: &TrainerConnection,
) -> Result<(EvaluationSummary, Metrics), Failure> {
    let named = job.trained.as_ref().and_then(|trained| trained.model_identifier.as_deref());
    let model = named.and_then(|name| name.split_once('/')).map(|(_, model)| model);
    let model = model.ok_or_else(|| cannot_measure("the result has no name that anybody serves it under"))?;
    let base_url = connection.base_url.as_deref().or((job.provider == Provider::Openai).then_some(OPENAI));
    let base_url = base_url.ok_or_else(|| cannot_measure("no endpoint is set at which the result is served"))?;
    let file = job.dataset.as_ref().and_then(|dataset| dataset.held_out.as_ref());
    let file = file.ok_or_else(|| cannot_measure("no sample was held out"))?;
    let questions = read_questions(services, file).await?;
    if questions.is_empty() {
        return Err(cannot_measure("no held-out sample ends with an answer"));
    }
    let endpoint =
        Endpoint { services, url: format!("{}/chat/completions", base_url.trim_end_matches('/')), connection };
    let asked: Vec<BoxFuture<'_, _>> =
        questions.iter().map(|question| endpoint.ask_and_compare(model, question).boxed()).collect();
    let scores: Vec<f64> = stream::iter(asked).buffer_unordered(AT_ONCE).try_collect().await?;
    let samples = scores.len();
    #[expect(clippy::cast_precision_loss, reason = "a count of at most a few dozen")]
    let accuracy = scores.iter().sum::<f64>() / samples as f64;
    let measured =
        EvaluationSummary { by: MeasuredBy::Prompts, samples: samples.try_into().unwrap_or(0), reason: None };
    Ok((measured, Metrics { accuracy: Some(accuracy), ..Metrics::default() }))
}

fn cannot_measure(why: &str) -> Failure {
    Failure::new(Category::Policy, "NOT_MEASURED", why)
}

/// The first prompts of a held-out file.
async fn read_questions(services: &TrainingServices, file: &TrainingFile) -> Result<Vec<EvaluationPrompt>, Failure> {
    let unread = |error: crate::kernel::error::Error| Failure::transient("FILE_UNREADABLE", error.detail());
    let mut parts = services.files.read(&file.key).await.map_err(unread)?;
    let (mut found, mut rest) = (Vec::new(), Vec::new());
    while found.len() < ASKED {
        let Some(part) = parts.try_next().await.map_err(unread)? else {
            found.extend(parse_question(&rest));
            break;
        };
        rest.extend_from_slice(&part);
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = rest.drain(..=end).collect();
            found.extend(parse_question(&line));
        }
        if rest.len() > MOST_BYTES {
            break;
        }
    }
    found.truncate(ASKED);
    Ok(found)
}

/// Parses a line of either format, up to its last answer.
fn parse_question(line: &[u8]) -> Option<EvaluationPrompt> {
    let sample: Value = serde_json::from_slice(line).ok()?;
    if let Some(messages) = sample["messages"].as_array() {
        let last = messages.iter().rposition(|message| message["role"] == "assistant").filter(|at| *at > 0)?;
        let expected = messages[last]["content"].as_str()?.to_owned();
        return Some(EvaluationPrompt { messages: messages[..last].to_vec(), expected });
    }
    let (instruction, output) = (sample["instruction"].as_str()?, sample["output"].as_str()?);
    let input = sample["input"].as_str().filter(|input| !input.is_empty());
    let asked = input.map_or_else(|| instruction.to_owned(), |input| format!("{instruction}\n\n{input}"));
    Some(EvaluationPrompt { messages: vec![json!({"role": "user", "content": asked})], expected: output.to_owned() })
}

struct Endpoint<'a> {
    services: &'a TrainingServices,
    url: String,
    connection: &'a TrainerConnection,
}

#[derive(Deserialize)]
struct Completion {
    choices: Vec<ReplyChoice>,
}

#[derive(Deserialize)]
struct ReplyChoice {
    message: ModelReply,
}

#[derive(Deserialize)]
struct ModelReply {
    content: Option<String>,
}

impl Endpoint<'_> {
    /// How well the answer of the model agrees with that of the sample.
    async fn ask_and_compare(&self, model: &str, question: &EvaluationPrompt) -> Result<f64, Failure> {
        let outbound = self.services.outbound().map_err(|error| cannot_measure(error.detail()))?;
        let request = outbound.request(Method::POST, &self.url);
        let mut request = request.map_err(|why| cannot_measure(&format!("the provider's base_url {why}")))?;
        if let Some(key) = &self.connection.api_key {
            request = request.bearer_auth(key);
        }
        let body = json!({"model": model, "messages": question.messages, "temperature": 0});
        let mut response = request.json(&body).timeout(ANSWER_TIME).send().await.map_err(unreachable_failure)?;
        check_status(response.status(), &response)?;
        let mut bytes = Vec::new();
        while let Some(part) = response.chunk().await.map_err(unreachable_failure)? {
            bytes.extend_from_slice(&part);
            if bytes.len() > MOST_BYTES {
                return Err(cannot_measure("the endpoint answers with more than 4 MiB"));
            }
        }
        let completion: Option<Completion> = serde_json::from_slice(&bytes).ok();
        let completion = completion.and_then(|completion| completion.choices.into_iter().next());
        let answer = completion.ok_or_else(|| cannot_measure("the endpoint's answer is no chat completion"))?;
        Ok(word_agreement(&answer.message.content.unwrap_or_default(), &question.expected))
    }
}

#[expect(clippy::needless_pass_by_value, reason = "an error is handed over so")]
fn unreachable_failure(error: reqwest::Error) -> Failure {
    let why = if error.is_timeout() { "does not answer in time" } else { "cannot be reached" };
    Failure::transient("PROVIDER_UNREACHABLE", format!("The endpoint of the model {why}."))
}

fn check_status(status: StatusCode, response: &reqwest::Response) -> Result<(), Failure> {
    let message = format!("The endpoint of the model answers with {}.", status.as_u16());
    Err(match status.as_u16() {
        200..=299 => return Ok(()),
        401 | 403 => Failure::new(Category::Auth, "PROVIDER_AUTH", message),
        429 => {
            let seconds = response.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
            Failure {
                retry_after_seconds: seconds,
                ..Failure::new(Category::RateLimit, "PROVIDER_RATE_LIMIT", message)
            }
        }
        408 | 500..=599 => Failure::transient("PROVIDER_UNREACHABLE", message),
        _ => cannot_measure(&message),
    })
}

/// The F1 score of the words of two texts: 1 for the same words, 0 for none in common.
fn word_agreement(answer: &str, expected: &str) -> f64 {
    let words = |text: &str| -> Vec<String> {
        let parts = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
        parts.map(str::to_lowercase).collect()
    };
    let (answer, expected) = (words(answer), words(expected));
    if answer.is_empty() || expected.is_empty() {
        return f64::from(u8::from(answer.is_empty() && expected.is_empty()));
    }
    let mut left: HashMap<&str, usize> = HashMap::new();
    for word in &expected {
        *left.entry(word).or_default() += 1;
    }
    let common = answer
        .iter()
        .filter(|word| left.get_mut(word.as_str()).is_some_and(|n| n.checked_sub(1).map(|less| *n = less).is_some()));
    #[expect(clippy::cast_precision_loss, reason = "words of two short texts")]
    let (common, all) = (common.count() as f64, (answer.len() + expected.len()) as f64);
    2.0 * common / all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_agree_by_the_words_that_they_have_in_common() {
        let exact = |score: f64, wanted: f64| assert!((score - wanted).abs() < 1e-9, "{score} is not {wanted}");
        exact(word_agreement("Use a HashMap.", "use a hashmap"), 1.0);
        exact(word_agreement("yes yes yes", "yes"), 0.5);
        exact(word_agreement("no", "yes"), 0.0);
        exact(word_agreement("", ""), 1.0);
        exact(word_agreement("", "yes"), 0.0);
    }

    #[test]
    fn a_sample_of_either_form_is_asked_up_to_its_last_answer() {
        let line = br#"{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}], "metadata": {}}"#;
        let read = parse_question(line).unwrap();
        assert_eq!((read.messages.len(), read.expected.as_str()), (1, "b"));
        let line = br#"{"instruction": "Do it", "input": "x", "output": "done"}"#;
        let read = parse_question(line).unwrap();
        assert_eq!(read.messages[0]["content"], "Do it\n\nx");
        for none in [&b"{"[..], b"{}", br#"{"messages": [{"role": "user", "content": "a"}]}"#] {
            assert_eq!(parse_question(none), None);
        }
    }
}

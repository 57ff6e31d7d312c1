//! Measuring a model by asking it: prompts of the held-out split are run through it over a chat endpoint of OpenAI's form,
//! and its answers are compared with those of the samples, word by word.

use std::{collections::HashMap, time::Duration};

use futures_util::{FutureExt, StreamExt, TryStreamExt, future::BoxFuture, stream};
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    app::App,
    session::outcome::{Category, Failure},
    trainer::{Connection, Metrics, Provider, TrainingFile},
};

use super::{Measured, MeasuredBy, TrainingJob};

/// How many held-out samples are asked, the first of the file.
const ASKED: usize = 24;
/// How many are asked at once.
const AT_ONCE: usize = 4;
/// How long one answer may take.
const ANSWER_TIME: Duration = Duration::from_mins(1);
/// The most bytes of an answer, and of one line of a dataset.
const MOST_BYTES: usize = 4 * 1024 * 1024;
/// Where OpenAI itself answers.
const OPENAI: &str = "https://api.openai.com/v1";

/// What a model is asked, and what the sample says of it.
#[derive(Clone, Debug, PartialEq)]
struct Question {
    messages: Vec<Value>,
    expected: String,
}

/// Asks the trained model; its accuracy is the mean agreement of its answers. A failure that does not pass says why it
/// cannot be asked.
pub(super) async fn measure(
    app: &App,
    job: &TrainingJob,
    connection: &Connection,
) -> Result<(Measured, Metrics), Failure> {
    let named = job.trained.as_ref().and_then(|trained| trained.model_identifier.as_deref());
    let model = named.and_then(|name| name.split_once('/')).map(|(_, model)| model);
    let model = model.ok_or_else(|| cannot("the result has no name that anybody serves it under"))?;
    let base_url = connection.base_url.as_deref().or((job.provider == Provider::Openai).then_some(OPENAI));
    let base_url = base_url.ok_or_else(|| cannot("no endpoint is set at which the result is served"))?;
    let file = job.dataset.as_ref().and_then(|dataset| dataset.held_out.as_ref());
    let file = file.ok_or_else(|| cannot("no sample was held out"))?;
    let questions = questions(app, file).await?;
    if questions.is_empty() {
        return Err(cannot("no held-out sample ends with an answer"));
    }
    let endpoint = Endpoint { app, url: format!("{}/chat/completions", base_url.trim_end_matches('/')), connection };
    let asked: Vec<BoxFuture<'_, _>> =
        questions.iter().map(|question| endpoint.agreement(model, question).boxed()).collect();
    let scores: Vec<f64> = stream::iter(asked).buffer_unordered(AT_ONCE).try_collect().await?;
    let samples = scores.len();
    #[expect(clippy::cast_precision_loss, reason = "a count of at most a few dozen")]
    let accuracy = scores.iter().sum::<f64>() / samples as f64;
    let measured = Measured { by: MeasuredBy::Prompts, samples: samples.try_into().unwrap_or(0), reason: None };
    Ok((measured, Metrics { accuracy: Some(accuracy), ..Metrics::default() }))
}

fn cannot(why: &str) -> Failure {
    Failure::new(Category::Policy, "NOT_MEASURED", why)
}

/// The first questions of a held-out file, whatever its size.
async fn questions(app: &App, file: &TrainingFile) -> Result<Vec<Question>, Failure> {
    let unread = |error: crate::error::Error| Failure::transient("FILE_UNREADABLE", error.detail());
    let mut parts = app.files.read(&file.key).await.map_err(unread)?;
    let (mut found, mut rest) = (Vec::new(), Vec::new());
    while found.len() < ASKED {
        let Some(part) = parts.try_next().await.map_err(unread)? else {
            found.extend(question(&rest));
            break;
        };
        rest.extend_from_slice(&part);
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = rest.drain(..=end).collect();
            found.extend(question(&line));
        }
        if rest.len() > MOST_BYTES {
            break;
        }
    }
    found.truncate(ASKED);
    Ok(found)
}

/// A line of either form, up to the last answer in it.
fn question(line: &[u8]) -> Option<Question> {
    let sample: Value = serde_json::from_slice(line).ok()?;
    if let Some(messages) = sample["messages"].as_array() {
        let last = messages.iter().rposition(|message| message["role"] == "assistant").filter(|at| *at > 0)?;
        let expected = messages[last]["content"].as_str()?.to_owned();
        return Some(Question { messages: messages[..last].to_vec(), expected });
    }
    let (instruction, output) = (sample["instruction"].as_str()?, sample["output"].as_str()?);
    let input = sample["input"].as_str().filter(|input| !input.is_empty());
    let asked = input.map_or_else(|| instruction.to_owned(), |input| format!("{instruction}\n\n{input}"));
    Some(Question { messages: vec![json!({"role": "user", "content": asked})], expected: output.to_owned() })
}

struct Endpoint<'a> {
    app: &'a App,
    url: String,
    connection: &'a Connection,
}

#[derive(Deserialize)]
struct Completion {
    choices: Vec<Choice>,
}

#[derive(Deserialize)]
struct Choice {
    message: Said,
}

#[derive(Deserialize)]
struct Said {
    content: Option<String>,
}

impl Endpoint<'_> {
    /// How far the model's answer agrees with the sample's.
    async fn agreement(&self, model: &str, question: &Question) -> Result<f64, Failure> {
        let outbound = self.app.outbound().map_err(|error| cannot(error.detail()))?;
        let request = outbound.request(Method::POST, &self.url);
        let mut request = request.map_err(|why| cannot(&format!("the provider's base_url {why}")))?;
        if let Some(key) = &self.connection.api_key {
            request = request.bearer_auth(key);
        }
        let body = json!({"model": model, "messages": question.messages, "temperature": 0});
        let mut response = request.json(&body).timeout(ANSWER_TIME).send().await.map_err(unreachable)?;
        refuse(response.status(), &response)?;
        let mut bytes = Vec::new();
        while let Some(part) = response.chunk().await.map_err(unreachable)? {
            bytes.extend_from_slice(&part);
            if bytes.len() > MOST_BYTES {
                return Err(cannot("the endpoint answers with more than 4 MiB"));
            }
        }
        let told: Option<Completion> = serde_json::from_slice(&bytes).ok();
        let told = told.and_then(|told| told.choices.into_iter().next());
        let answer = told.ok_or_else(|| cannot("the endpoint's answer is no chat completion"))?;
        Ok(agreement(&answer.message.content.unwrap_or_default(), &question.expected))
    }
}

#[expect(clippy::needless_pass_by_value, reason = "an error is handed over so")]
fn unreachable(error: reqwest::Error) -> Failure {
    let why = if error.is_timeout() { "does not answer in time" } else { "cannot be reached" };
    Failure::transient("PROVIDER_UNREACHABLE", format!("The endpoint of the model {why}."))
}

fn refuse(status: StatusCode, response: &reqwest::Response) -> Result<(), Failure> {
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
        _ => cannot(&message),
    })
}

/// The F1 of the words that two texts have in common: 1 for the same words, 0 for none.
fn agreement(answer: &str, expected: &str) -> f64 {
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
        exact(agreement("Use a HashMap.", "use a hashmap"), 1.0);
        exact(agreement("yes yes yes", "yes"), 0.5);
        exact(agreement("no", "yes"), 0.0);
        exact(agreement("", ""), 1.0);
        exact(agreement("", "yes"), 0.0);
    }

    #[test]
    fn a_sample_of_either_form_is_asked_up_to_its_last_answer() {
        let line = br#"{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}], "metadata": {}}"#;
        let read = question(line).unwrap();
        assert_eq!((read.messages.len(), read.expected.as_str()), (1, "b"));
        let line = br#"{"instruction": "Do it", "input": "x", "output": "done"}"#;
        let read = question(line).unwrap();
        assert_eq!(read.messages[0]["content"], "Do it\n\nx");
        for none in [&b"{"[..], b"{}", br#"{"messages": [{"role": "user", "content": "a"}]}"#] {
            assert_eq!(question(none), None);
        }
    }
}

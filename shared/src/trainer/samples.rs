//! The samples of a dataset as they lie in the file store, read one by one and written as a provider wants them: what we
//! note of a sample besides (`metadata`) is for nobody else.

use bytes::Bytes;
use futures_util::{Stream, StreamExt, TryStreamExt, future, stream};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio_util::io::StreamReader;

use crate::{
    files::Files,
    session::outcome::{Category, Failure},
};

use super::{
    TrainingFile,
    trouble::{failure, of_files, passing, refusal},
};

/// The longest line of a dataset that is read.
const LONGEST_LINE: u64 = 32 * 1024 * 1024;

/// One turn of a conversation.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub(super) struct Turn {
    pub(super) role: String,
    pub(super) content: String,
}

/// One sample: a conversation, whichever form it was written in.
#[derive(Debug, Eq, PartialEq, Serialize)]
pub(super) struct Sample {
    pub(super) messages: Vec<Turn>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Line {
    Messages {
        messages: Vec<Turn>,
    },
    Instruction {
        instruction: String,
        #[serde(default)]
        input: String,
        output: String,
    },
}

impl Sample {
    fn parse(line: &[u8]) -> Result<Self, Failure> {
        let line = serde_json::from_slice(line)
            .map_err(|_| refusal("DATASET_UNREADABLE", "The dataset holds a line that is no sample."))?;
        Ok(match line {
            Line::Messages { messages } => Self { messages },
            Line::Instruction { instruction, input, output } => {
                let asked = if input.is_empty() { instruction } else { format!("{instruction}\n\n{input}") };
                let turn = |role: &str, content| Turn { role: role.to_owned(), content };
                Self { messages: vec![turn("user", asked), turn("assistant", output)] }
            }
        })
    }
}

/// How a provider wants a sample: one line, or nothing where it can make nothing of it.
pub(super) type Form = fn(&Sample) -> Option<Vec<u8>>;

/// As conversations, and nothing besides.
pub(super) fn conversation(sample: &Sample) -> Option<Vec<u8>> {
    serde_json::to_vec(sample).ok()
}

/// How large a file is in another form.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Size {
    pub(super) bytes: u64,
    pub(super) samples: u64,
}

/// What was read is not what was recorded: the file, or this reading of it.
fn changed() -> Failure {
    failure(Category::Internal, "DATASET_CHANGED", "The dataset's file is not the one that was recorded.")
}

/// Measures a file in a form, and sees that it is the one that was recorded. A line that is no sample is the dataset's own only
/// if it is.
pub(super) async fn measure(files: &Files, file: &TrainingFile, form: Form) -> Result<Size, Failure> {
    let (mut size, mut hash, mut unreadable) = (Size { bytes: 0, samples: 0 }, Sha256::new(), None);
    let mut lines = std::pin::pin!(lines(files, file).await?);
    while let Some(line) = lines.try_next().await? {
        hash.update(&line);
        match written(&line, form) {
            Ok(Some(written)) => {
                size.bytes += written.len() as u64;
                size.samples += 1;
            }
            Ok(None) => {}
            Err(failure) => unreadable = Some(failure),
        }
    }
    if hex::encode(hash.finalize()) != file.sha256 {
        return Err(changed());
    }
    unreadable.map_or(Ok(size), Err)
}

/// A file in a form, as it comes. It was measured before: where it is another one now, or was not read to its end, the
/// stream ends with a failure, so that nobody takes a part of it for the whole.
pub(super) async fn stream(
    files: &Files,
    file: &TrainingFile,
    form: Form,
) -> Result<impl Stream<Item = Result<Bytes, Failure>> + Send + 'static + use<>, Failure> {
    let lines = lines(files, file).await?.map_ok(Some).chain(stream::once(future::ready(Ok(None))));
    let (recorded, mut hash) = (file.sha256.clone(), Sha256::new());
    Ok(lines.try_filter_map(move |line| {
        future::ready(match line {
            Some(line) => {
                hash.update(&line);
                written(&line, form).map(|line| line.map(Bytes::from)).map_err(|_| changed())
            }
            None if hex::encode(hash.finalize_reset()) == recorded => Ok(None),
            None => Err(changed()),
        })
    }))
}

fn written(line: &[u8], form: Form) -> Result<Option<Vec<u8>>, Failure> {
    if line.trim_ascii().is_empty() {
        return Ok(None);
    }
    Ok(form(&Sample::parse(line)?).map(|mut written| {
        written.push(b'\n');
        written
    }))
}

/// The lines of a file as they are, with their ends.
async fn lines(
    files: &Files,
    file: &TrainingFile,
) -> Result<impl Stream<Item = Result<Vec<u8>, Failure>> + Send + 'static + use<>, Failure> {
    let content = files.read(&file.key).await.map_err(|error| of_files(&error))?;
    let reader = BufReader::new(StreamReader::new(content.map_err(std::io::Error::other).boxed()));
    Ok(stream::try_unfold(reader, |mut reader| async move {
        let mut line = Vec::new();
        let read = (&mut reader).take(LONGEST_LINE).read_until(b'\n', &mut line).await;
        match read.map_err(|error| lost(&error))? {
            0 => Ok(None),
            read if read as u64 == LONGEST_LINE && line.last() != Some(&b'\n') => {
                Err(refusal("SAMPLE_TOO_LARGE", "The dataset holds a sample of more than 32 MiB."))
            }
            _ => Ok(Some((line, reader))),
        }
    }))
}

fn lost(error: &std::io::Error) -> Failure {
    tracing::warn!(?error, "the file of a dataset cannot be read");
    passing("FILES_UNAVAILABLE", "The file store cannot be reached.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_not_read_as_it_was_recorded_does_not_come_to_a_good_end() {
        let files = Files::open("memory:").unwrap();
        let line = "{\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}]}\n";
        let file = |content: &str| TrainingFile {
            key: "t/a.jsonl".to_owned(),
            sha256: hex::encode(Sha256::digest(content)),
            bytes: content.len() as u64,
            samples: 2,
        };
        let whole = file(&line.repeat(2));
        for (content, ends_well) in [(line.repeat(2), true), (line.to_owned(), false), (format!("{line}{{}}\n"), false)]
        {
            let chunk: Result<_, std::convert::Infallible> = Ok(Bytes::from(content));
            files.write(&whole.key, stream::iter([chunk])).await.unwrap();
            let read: Vec<_> = super::stream(&files, &whole, conversation).await.unwrap().collect().await;
            assert_eq!(read.last().unwrap().is_ok(), ends_well);
            let measured = measure(&files, &whole, conversation).await.map_err(|failure| failure.code);
            assert_eq!(
                measured.map(|size| size.samples),
                if ends_well { Ok(2) } else { Err("DATASET_CHANGED".into()) }
            );
        }
    }

    #[test]
    fn both_forms_are_read_and_nothing_besides_is_handed_on() {
        let messages = br#"{"messages": [{"role": "user", "content": "Hi"}], "metadata": {"session_id": "x"}}"#;
        let written = conversation(&Sample::parse(messages).unwrap()).unwrap();
        assert_eq!(written, br#"{"messages":[{"role":"user","content":"Hi"}]}"#);
        let instruction = br#"{"instruction": "Add", "input": "1 2", "output": "3", "metadata": {}}"#;
        let sample = Sample::parse(instruction).unwrap();
        assert_eq!(sample.messages[0].content, "Add\n\n1 2");
        assert_eq!(sample.messages[1], Turn { role: "assistant".to_owned(), content: "3".to_owned() });
        assert_eq!(Sample::parse(b"{}").unwrap_err().code, "DATASET_UNREADABLE");
    }
}

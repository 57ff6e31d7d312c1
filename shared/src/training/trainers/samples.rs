//! Reads the samples of a dataset one by one and writes them in a provider's format, without our `metadata`.

use bytes::Bytes;
use futures_util::{Stream, StreamExt, TryStreamExt, future, stream};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio_util::io::StreamReader;

use crate::{
    kernel::{
        failure::{Category, Failure},
        text::escape_line_ends,
    },
    platform::object_store::Files,
};

use super::{
    TrainingFile,
    trouble::{of_files, provider_failure, refused_failure, transient_failure},
};

/// The longest line of a dataset that is read, in bytes.
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
enum SampleLine {
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
            .map_err(|_| refused_failure("DATASET_UNREADABLE", "The dataset holds a line that is no sample."))?;
        Ok(match line {
            SampleLine::Messages { messages } => Self { messages },
            SampleLine::Instruction { instruction, input, output } => {
                let asked = if input.is_empty() { instruction } else { format!("{instruction}\n\n{input}") };
                let turn = |role: &str, content| Turn { role: role.to_owned(), content };
                Self { messages: vec![turn("user", asked), turn("assistant", output)] }
            }
        })
    }
}

/// Converts a sample to one line in a provider's format; `None` if it cannot be converted.
pub(super) type Form = fn(&Sample) -> Option<Vec<u8>>;

/// Conversations, without metadata.
pub(super) fn conversation_line(sample: &Sample) -> Option<Vec<u8>> {
    json_line(sample)
}

/// JSON in which no reader finds the end of a line.
pub(super) fn json_line(value: &impl Serialize) -> Option<Vec<u8>> {
    serde_json::to_string(value).ok().map(|line| escape_line_ends(line).into_bytes())
}

/// The size of a file in another format.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct FileSize {
    pub(super) bytes: u64,
    pub(super) samples: u64,
}

/// The failure when the content is not what was recorded.
fn file_changed() -> Failure {
    provider_failure(Category::Internal, "DATASET_CHANGED", "The dataset's file is not the one that was recorded.")
}

/// Computes the size of a file in a format, and verifies its hash. A malformed line is blamed on the dataset only if
/// the hash matches.
pub(super) async fn measure_file(files: &Files, file: &TrainingFile, form: Form) -> Result<FileSize, Failure> {
    let (mut size, mut hash, mut unreadable) = (FileSize { bytes: 0, samples: 0 }, Sha256::new(), None);
    let mut lines = std::pin::pin!(read_lines(files, file).await?);
    while let Some(line) = lines.try_next().await? {
        hash.update(&line);
        match convert_line(&line, form) {
            Ok(Some(written)) => {
                size.bytes += written.len() as u64;
                size.samples += 1;
            }
            Ok(None) => {}
            Err(failure) => unreadable = Some(failure),
        }
    }
    if hex::encode(hash.finalize()) != file.sha256 {
        return Err(file_changed());
    }
    unreadable.map_or(Ok(size), Err)
}

/// Streams a file in a format. If the content changed since it was measured, or is incomplete, the stream ends with an
/// error.
pub(super) async fn stream_lines(
    files: &Files,
    file: &TrainingFile,
    form: Form,
) -> Result<impl Stream<Item = Result<Bytes, Failure>> + Send + 'static + use<>, Failure> {
    let lines = read_lines(files, file).await?.map_ok(Some).chain(stream::once(future::ready(Ok(None))));
    let (recorded, mut hash) = (file.sha256.clone(), Sha256::new());
    Ok(lines.try_filter_map(move |line| {
        future::ready(match line {
            Some(line) => {
                hash.update(&line);
                convert_line(&line, form).map(|line| line.map(Bytes::from)).map_err(|_| file_changed())
            }
            None if hex::encode(hash.finalize_reset()) == recorded => Ok(None),
            None => Err(file_changed()),
        })
    }))
}

fn convert_line(line: &[u8], form: Form) -> Result<Option<Vec<u8>>, Failure> {
    if line.trim_ascii().is_empty() {
        return Ok(None);
    }
    Ok(form(&Sample::parse(line)?).map(|mut written| {
        written.push(b'\n');
        written
    }))
}

/// The lines of a file, with their line ends.
async fn read_lines(
    files: &Files,
    file: &TrainingFile,
) -> Result<impl Stream<Item = Result<Vec<u8>, Failure>> + Send + 'static + use<>, Failure> {
    let content = files.read(&file.key).await.map_err(|error| of_files(&error))?;
    let reader = BufReader::new(StreamReader::new(content.map_err(std::io::Error::other).boxed()));
    Ok(stream::try_unfold(reader, |mut reader| async move {
        let mut line = Vec::new();
        let read = (&mut reader).take(LONGEST_LINE).read_until(b'\n', &mut line).await;
        match read.map_err(|error| lost_file(&error))? {
            0 => Ok(None),
            read if read as u64 == LONGEST_LINE && line.last() != Some(&b'\n') => {
                Err(refused_failure("SAMPLE_TOO_LARGE", "The dataset holds a sample of more than 32 MiB."))
            }
            _ => Ok(Some((line, reader))),
        }
    }))
}

fn lost_file(error: &std::io::Error) -> Failure {
    tracing::warn!(?error, "a dataset file cannot be read");
    transient_failure("FILES_UNAVAILABLE", "The file store cannot be reached.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_that_does_not_match_its_recorded_hash_fails_the_read() {
        let files = Files::open_store("memory:").unwrap();
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
            let read: Vec<_> = super::stream_lines(&files, &whole, conversation_line).await.unwrap().collect().await;
            assert_eq!(read.last().unwrap().is_ok(), ends_well);
            let measured = measure_file(&files, &whole, conversation_line).await.map_err(|failure| failure.code);
            assert_eq!(
                measured.map(|size| size.samples),
                if ends_well { Ok(2) } else { Err("DATASET_CHANGED".into()) }
            );
        }
    }

    #[test]
    fn both_forms_are_read_and_nothing_besides_is_handed_on() {
        let messages = br#"{"messages": [{"role": "user", "content": "Hi"}], "metadata": {"session_id": "x"}}"#;
        let written = conversation_line(&Sample::parse(messages).unwrap()).unwrap();
        assert_eq!(written, br#"{"messages":[{"role":"user","content":"Hi"}]}"#);
        let instruction = br#"{"instruction": "Add", "input": "1 2", "output": "3", "metadata": {}}"#;
        let sample = Sample::parse(instruction).unwrap();
        assert_eq!(sample.messages[0].content, "Add\n\n1 2");
        assert_eq!(sample.messages[1], Turn { role: "assistant".to_owned(), content: "3".to_owned() });
        let ends = "{\"messages\":[{\"role\":\"user\",\"content\":\"a\u{2028}b\u{2029}c\u{85}d\"}]}";
        let line = String::from_utf8(conversation_line(&Sample::parse(ends.as_bytes()).unwrap()).unwrap()).unwrap();
        assert!(line.contains("a\\u2028b\\u2029c\\u0085d"), "{line}");
        assert_eq!(Sample::parse(b"{}").unwrap_err().code, "DATASET_UNREADABLE");
    }
}

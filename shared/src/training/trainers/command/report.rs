//! Reads the report of a trainer: JSON lines, from where the last observation stopped.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom},
    path::Path,
};

use serde::{Deserialize, Serialize};

use crate::{kernel::usage::UsdAmount, models::registry::metrics::Metrics, training::trainers::Point};

/// The longest line that is read; longer ones are skipped.
const LONGEST_LINE: u64 = 64 * 1024;
/// How many malformed lines are reported one by one.
const MOST_COMPLAINTS: usize = 5;

/// The position of the last observation. Stored in the job's row.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub(super) struct ReportPosition {
    offset: u64,
    step: i64,
}

impl Default for ReportPosition {
    fn default() -> Self {
        Self { offset: 0, step: -1 }
    }
}

/// One line. Every field is optional.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ReportLine {
    step: Option<i64>,
    loss: Option<f64>,
    learning_rate: Option<f64>,
    eval_loss: Option<f64>,
    progress: Option<f64>,
    message: Option<String>,
    status: Option<ReportedStatus>,
    code: Option<String>,
    artifact: Option<String>,
    model_identifier: Option<String>,
    final_loss: Option<f64>,
    accuracy: Option<f64>,
    tokens_processed: Option<i64>,
    training_duration_seconds: Option<f64>,
    cost_usd: Option<UsdAmount>,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
enum ReportedStatus {
    Succeeded,
    Failed,
    Unsupported,
}

/// The final status, from the last line.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum End {
    Succeeded {
        artifact: Option<String>,
        model_identifier: Option<String>,
        metrics: Metrics,
        cost_micros: Option<i64>,
    },
    Failed {
        code: Option<String>,
        message: String,
    },
    /// It rejects the order.
    Unsupported,
}

/// The new content of the report.
#[derive(Debug, Default, PartialEq)]
pub(super) struct ReportUpdate {
    pub(super) curve: Vec<Point>,
    pub(super) messages: Vec<String>,
    pub(super) progress: Option<f64>,
    pub(super) end: Option<End>,
    pub(super) next: ReportPosition,
}

/// Reads the lines added since. An incomplete line is left for the next time, unless the program ended.
pub(super) fn read(path: &Path, from: ReportPosition, goes_on: bool) -> io::Result<ReportUpdate> {
    let mut news = ReportUpdate { next: from, ..ReportUpdate::default() };
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(news),
        Err(error) => return Err(error),
    };
    file.seek(SeekFrom::Start(from.offset))?;
    let (mut reader, mut unread) = (BufReader::new(file), 0);
    loop {
        let mut text = Vec::new();
        let mut length = (&mut reader).take(LONGEST_LINE).read_until(b'\n', &mut text)? as u64;
        let too_long = length == LONGEST_LINE && text.last() != Some(&b'\n');
        if too_long {
            length += skip_line(&mut reader)?;
        }
        let whole = text.last() == Some(&b'\n') || too_long;
        if length == 0 || (!whole && goes_on) {
            break;
        }
        let line = parse_line(&text);
        if let Ok(ReportLine { status: Some(_), .. }) = line {
            // Left in place for the next observation.
            news.end = line.ok().and_then(parse_end);
            break;
        }
        news.next.offset += length;
        match line {
            Ok(line) if !too_long => apply_line(&mut news, line),
            _ if text.trim_ascii().is_empty() => {}
            _ => unread += 1,
        }
    }
    let details = unread.min(MOST_COMPLAINTS);
    news.messages.extend((0..details).map(|_| "A line of the trainer's report cannot be read.".to_owned()));
    if unread > details {
        news.messages.push(format!("And {} more lines.", unread - details));
    }
    Ok(news)
}

/// Parses a line, which must be an object: an empty list would deserialize as an empty object.
fn parse_line(text: &[u8]) -> serde_json::Result<ReportLine> {
    let object: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(text)?;
    serde_json::from_value(object.into())
}

fn skip_line(reader: &mut impl BufRead) -> io::Result<u64> {
    reader.skip_until(b'\n').map(|skipped| skipped as u64)
}

fn apply_line(news: &mut ReportUpdate, line: ReportLine) {
    if let Some(progress) = line.progress.filter(|share| (0.0..=1.0).contains(share)) {
        news.progress = Some(progress);
    }
    // A trainer that resumed after its own crash repeats steps.
    if let (Some(step), Some(loss)) = (line.step, line.loss)
        && step > news.next.step
    {
        news.next.step = step;
        let (learning_rate, eval_loss) = (line.learning_rate, line.eval_loss);
        news.curve.push(Point { step, loss, learning_rate, eval_loss });
    }
    news.messages.extend(line.message.filter(|text| !text.trim().is_empty()));
}

fn parse_end(line: ReportLine) -> Option<End> {
    Some(match line.status? {
        ReportedStatus::Unsupported => End::Unsupported,
        ReportedStatus::Failed => End::Failed {
            code: line.code.filter(|code| is_code(code)),
            message: line.message.unwrap_or_else(|| "The trainer gives no reason.".to_owned()),
        },
        ReportedStatus::Succeeded => End::Succeeded {
            artifact: line.artifact,
            model_identifier: line.model_identifier,
            metrics: Metrics {
                final_loss: line.final_loss.or(line.loss),
                eval_loss: line.eval_loss,
                accuracy: line.accuracy.filter(|share| (0.0..=1.0).contains(share)),
                training_duration_seconds: line.training_duration_seconds,
                tokens_processed: line.tokens_processed,
            },
            cost_micros: line.cost_usd.and_then(|amount| amount.micros()),
        },
    })
}

fn is_code(code: &str) -> bool {
    (1..=64).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::kernel::cost::assert_linear;

    /// A report with this in it, in a folder that is gone with the test.
    struct Report(std::path::PathBuf);

    impl Report {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("ioc-report-{name}-{}", std::process::id()));
            let _ = std::fs::remove_file(&path);
            Self(path)
        }

        fn add(&self, text: &str) {
            let mut file = File::options().create(true).append(true).open(&self.0).unwrap();
            file.write_all(text.as_bytes()).unwrap();
        }
    }

    impl Drop for Report {
        fn drop(&mut self) {
            let _ = std::fs::remove_file(&self.0);
        }
    }

    #[test]
    fn a_report_is_read_from_its_last_position_and_no_step_is_reported_twice() {
        let report = Report::new("resumed");
        assert_eq!(
            read(&report.0, ReportPosition::default(), true).unwrap(),
            ReportUpdate::default(),
            "there is none yet"
        );
        report.add(
            "{\"step\": 0, \"loss\": 2.5}\n{\"step\": 1, \"loss\": 2.0, \"learning_rate\": 0.1}\n{\"step\": 2, \"lo",
        );
        let first = read(&report.0, ReportPosition::default(), true).unwrap();
        assert_eq!(first.curve.iter().map(|point| point.step).collect::<Vec<_>>(), [0, 1]);
        report.add("ss\": 1.5}\n{\"step\": 1, \"loss\": 9.0}\n{\"message\": \"hot\", \"progress\": 0.5}\n");
        let second = read(&report.0, first.next, true).unwrap();
        assert_eq!(second.curve, [Point { step: 2, loss: 1.5, learning_rate: None, eval_loss: None }]);
        assert_eq!((second.messages, second.progress), (vec!["hot".to_owned()], Some(0.5)));
        assert_eq!(read(&report.0, second.next, true).unwrap().curve, [], "nothing is new");
        assert_eq!(read(&report.0, first.next, true).unwrap().curve.len(), 1, "a look can be made again");
    }

    #[test]
    fn the_cost_of_a_report_is_linear_for_every_repeated_piece() {
        let report = Report::new("cost");
        for piece in
            ["\n", "x", "{}\n", "[]\n", "{\"step\": 1, \"loss\": 1}\n", "{\"message\": \"a\"}\n", "{\"a\":", "\\"]
        {
            assert_linear("reading a report", piece, |text| {
                std::fs::write(&report.0, text).unwrap();
                for goes_on in [true, false] {
                    read(&report.0, ReportPosition::default(), goes_on).unwrap();
                }
            });
        }
    }

    #[test]
    fn unreadable_lines_are_reported_and_skipped() {
        let report = Report::new("unread");
        report.add("no JSON\n\n[]\n{\"step\": \"one\"}\n{\"step\": 1, \"loss\": null}\n");
        report.add(&"x".repeat(200_000));
        report.add("\n{\"step\": 1, \"loss\": 1.0}\n{\"step\": 2, \"loss\": NaN}\n");
        let news = read(&report.0, ReportPosition::default(), true).unwrap();
        assert_eq!((news.curve.len(), news.messages.len()), (1, 5), "{news:?}");
    }

    #[test]
    fn an_end_without_the_end_of_its_line_counts_once_nobody_goes_on() {
        let report = Report::new("end");
        report.add(r#"{"status": "failed", "code": "OUT_OF_MEMORY", "message": "no room"}"#);
        assert_eq!(read(&report.0, ReportPosition::default(), true).unwrap().end, None);
        let last = read(&report.0, ReportPosition::default(), false).unwrap();
        let code = Some("OUT_OF_MEMORY".to_owned());
        let end = Some(End::Failed { code, message: "no room".to_owned() });
        assert_eq!(last.end, end);
        assert_eq!(read(&report.0, last.next, false).unwrap().end, end, "who looks again sees it again");
    }
}

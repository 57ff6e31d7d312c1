//! How much one answer may hold in all, however many tasks it lists. Pure.

use ::a2a::{Message, PartContent, TaskStatus};

/// The bytes of texts and files that an answer may hold. What exceeds them is left out or returned by URL.
const MOST_TOGETHER: i64 = 4 * 1024 * 1024;

/// How much of the text of a status is always shown, in characters.
const LEAST_TEXT: usize = 2_000;

/// What is left of the bytes that an answer may hold.
pub struct Allowance(i64);

impl Default for Allowance {
    fn default() -> Self {
        Self(MOST_TOGETHER)
    }
}

impl Allowance {
    /// Takes bytes, if as many are left.
    pub fn take(&mut self, size: i64) -> bool {
        let fits = size <= self.0;
        if fits {
            self.0 -= size;
        }
        fits
    }

    /// Keeps the newest messages for which there is room.
    pub fn charge_history(&mut self, history: &mut Vec<Message>) {
        let kept = history.iter().rev().take_while(|message| self.take(size_of_message(message))).count();
        history.drain(..history.len() - kept);
    }

    /// Cuts the text of a status for which there is no room.
    pub fn charge_status(&mut self, status: &mut TaskStatus) {
        let Some(message) = &mut status.message else { return };
        if self.take(size_of_message(message)) {
            return;
        }
        for part in &mut message.parts {
            if let PartContent::Text(text) = &mut part.content
                && let Some((end, _)) = text.char_indices().nth(LEAST_TEXT)
            {
                text.truncate(end);
                text.push('\u{2026}');
            }
        }
    }
}

/// About how many bytes a message takes.
fn size_of_message(message: &Message) -> i64 {
    let sizes = message.parts.iter().map(|part| match &part.content {
        PartContent::Text(text) => text.len(),
        PartContent::Raw(content) => content.len(),
        PartContent::Url(url) => url.len(),
        PartContent::Data(data) => data.to_string().len(),
    });
    i64::try_from(sizes.sum::<usize>()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use ::a2a::{Part, Role, TaskState};

    use super::*;

    fn message(text: String) -> Message {
        Message {
            message_id: "m".to_owned(),
            context_id: None,
            task_id: None,
            role: Role::Agent,
            parts: vec![Part::text(text)],
            metadata: None,
            extensions: None,
            reference_task_ids: None,
        }
    }

    #[test]
    fn the_newest_messages_are_kept_while_there_is_room() {
        let mut allowance = Allowance(10);
        let mut history: Vec<_> = ["older", "newer", "newest"].map(|text| message(text.to_owned())).into();
        allowance.charge_history(&mut history);
        assert_eq!(history, vec![message("newest".to_owned())]);
        assert!(allowance.take(4) && !allowance.take(1));
    }

    #[test]
    fn a_status_for_which_there_is_no_room_is_cut() {
        let mut status =
            TaskStatus { state: TaskState::Completed, message: Some(message("\u{fc}".repeat(5_000))), timestamp: None };
        Allowance(100).charge_status(&mut status);
        assert_eq!(size_of_message(status.message.as_ref().unwrap()), 2 * 2_000 + 3);
    }
}

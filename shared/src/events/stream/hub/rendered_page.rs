//! A page of a topic in the forms in which connections receive it. Each form is made once for all of them.

use std::{cell::OnceCell, sync::Arc};

use bytes::Bytes;
use serde_json::Value;

use crate::events::stream::{Topic, cursor::CursorCipher, frame::StreamEvent, store::EventPage};

use super::outbox::QueuedFrame;

/// The form in which a connection receives events.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum DeliveryForm {
    /// As frames of the live stream.
    Frames,
    /// As events, for a reader in this process.
    Events,
}

/// A page with the forms that were needed so far.
pub(super) struct RenderedPage<'a> {
    pub(super) topic: Topic,
    pub(super) page: &'a EventPage,
    cursors: &'a CursorCipher,
    frames: OnceCell<Vec<QueuedFrame>>,
    events: OnceCell<Vec<QueuedFrame>>,
}

impl<'a> RenderedPage<'a> {
    pub(super) fn new(topic: Topic, page: &'a EventPage, cursors: &'a CursorCipher) -> Self {
        Self { topic, page, cursors, frames: OnceCell::new(), events: OnceCell::new() }
    }

    /// What to queue for each event of the page.
    pub(super) fn items(&self, form: DeliveryForm) -> &[QueuedFrame] {
        let events = &self.page.events;
        match form {
            DeliveryForm::Frames => self.frames.get_or_init(|| events.iter().map(|one| self.frame(one)).collect()),
            DeliveryForm::Events => self.events.get_or_init(|| events.iter().map(|one| self.event(one)).collect()),
        }
    }

    fn frame(&self, event: &StreamEvent) -> QueuedFrame {
        let text: Bytes = event.to_frame(self.topic, self.cursors).into();
        QueuedFrame {
            size: text.len(),
            text,
            event: None,
            position: Some((self.topic, event.cursor)),
            coalescing_key: event.coalescing_key().map(|of| (self.topic, of)),
        }
    }

    /// Without a key: a response reports each event, so that the ids of its frames have no gap.
    fn event(&self, event: &StreamEvent) -> QueuedFrame {
        QueuedFrame {
            text: Bytes::new(),
            size: size_of_value(&event.payload),
            event: Some(Arc::new(event.clone())),
            position: Some((self.topic, event.cursor)),
            coalescing_key: None,
        }
    }
}

/// About how many bytes a value takes.
fn size_of_value(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len() + 16,
        Value::Array(values) => values.iter().map(size_of_value).sum::<usize>() + 16,
        Value::Object(map) => map.iter().map(|(name, one)| name.len() + 16 + size_of_value(one)).sum::<usize>() + 16,
        Value::Null | Value::Bool(_) | Value::Number(_) => 16,
    }
}

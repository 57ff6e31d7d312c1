//! Reads the completed sessions of a tenant, newest first, a batch at a time, so that memory does not grow with them.

use std::collections::VecDeque;

use crate::{
    db::Db,
    error::Result,
    id::{SessionId, TenantId},
};

use super::{
    curation::{Curation, Sample},
    recipe::Candidate,
    store,
    transcript::LONGEST,
};

/// How many rows of sessions are read at once.
const PAGE: i64 = 1000;
/// How many transcripts are, each of at most [`LONGEST`] bytes.
const BATCH: usize = 64;

/// How far to read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) sessions: u64,
    /// Of transcripts.
    pub(super) bytes: u64,
}

impl Bounds {
    pub(super) const NONE: Self = Self { sessions: u64::MAX, bytes: u64::MAX };
}

/// What is read, and where it goes on.
pub(super) struct Source<'a> {
    db: &'a Db,
    tenant_id: TenantId,
    left: Bounds,
    /// Wanted sessions whose transcripts are still to be read.
    waiting: VecDeque<Candidate>,
    before: Option<SessionId>,
    over: bool,
}

impl<'a> Source<'a> {
    pub(super) fn new(db: &'a Db, tenant_id: TenantId, bounds: Bounds) -> Self {
        Self { db, tenant_id, left: bounds, waiting: VecDeque::new(), before: None, over: false }
    }

    /// Whether all that there is was read.
    pub(super) fn is_exhausted(&self) -> bool {
        self.over && self.waiting.is_empty()
    }

    /// The next samples, perhaps none of a batch; `None` at the end.
    pub(super) async fn next(&mut self, curation: &mut Curation<'_>) -> Result<Option<Vec<Sample>>> {
        if curation.is_full() || self.left.bytes == 0 {
            return Ok(None);
        }
        while self.waiting.len() < BATCH && !self.over && self.left.sessions > 0 {
            self.read_page(curation).await?;
        }
        if self.waiting.is_empty() {
            return Ok(None);
        }
        let batch: Vec<Candidate> = self.waiting.drain(..BATCH.min(self.waiting.len())).collect();
        let ids: Vec<SessionId> = batch.iter().map(|candidate| candidate.id).collect();
        let mut found = store::transcripts(self.db, self.tenant_id, &ids, LONGEST).await?;
        let mut samples = Vec::with_capacity(batch.len());
        for candidate in &batch {
            if curation.is_full() {
                break;
            }
            let read = found.remove(&candidate.id);
            self.left.bytes = self.left.bytes.saturating_sub(read.as_ref().map_or(0, |(_, bytes)| *bytes));
            samples.extend(curation.take(candidate, read.map(|(transcript, _)| transcript)));
            // Others in this process go on meanwhile: a long transcript takes a while.
            tokio::task::yield_now().await;
        }
        Ok(Some(samples))
    }

    async fn read_page(&mut self, curation: &mut Curation<'_>) -> Result<()> {
        let most = PAGE.min(i64::try_from(self.left.sessions).unwrap_or(PAGE));
        let page = store::candidates(self.db, self.tenant_id, self.before, most).await?;
        let read = page.len() as u64;
        self.left.sessions -= read;
        self.over = read < most.unsigned_abs();
        self.before = page.last().map(|candidate| candidate.id).or(self.before);
        self.waiting.extend(page.into_iter().filter(|candidate| curation.wants(candidate)));
        Ok(())
    }
}

//! Reads the completed sessions of a tenant in batches, newest first, with bounded memory.

use std::collections::VecDeque;

use crate::{
    kernel::{
        error::Result,
        id::{SessionId, TenantId},
    },
    platform::{cpu, postgres::Db},
};

use super::{
    curation::{CuratedSample, Curation},
    recipe::SampleCandidate,
    store,
    transcript::LONGEST,
};

/// The number of session rows per batch.
const PAGE: i64 = 1000;
/// The number of transcripts per batch, each of at most [`LONGEST`] bytes.
const BATCH: usize = 64;

/// The limits of a read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) sessions: u64,
    /// The most transcripts.
    pub(super) bytes: u64,
}

impl Bounds {
    pub(super) const NONE: Self = Self { sessions: u64::MAX, bytes: u64::MAX };
}

/// A source of samples, with its position.
pub(super) struct Source<'a> {
    db: &'a Db,
    tenant_id: TenantId,
    left: Bounds,
    /// Selected sessions whose transcripts are not read yet.
    waiting: VecDeque<SampleCandidate>,
    before: Option<SessionId>,
    over: bool,
}

impl<'a> Source<'a> {
    pub(super) fn new(db: &'a Db, tenant_id: TenantId, bounds: Bounds) -> Self {
        Self { db, tenant_id, left: bounds, waiting: VecDeque::new(), before: None, over: false }
    }

    /// Whether all sessions were read.
    pub(super) fn is_exhausted(&self) -> bool {
        self.over && self.waiting.is_empty()
    }

    /// The next samples, perhaps none in a batch; `None` at the end.
    pub(super) async fn next_sample(&mut self, curation: &mut Curation<'_>) -> Result<Option<Vec<CuratedSample>>> {
        if curation.is_full() || self.left.bytes == 0 {
            return Ok(None);
        }
        while self.waiting.len() < BATCH && !self.over && self.left.sessions > 0 {
            self.read_page(curation).await?;
        }
        if self.waiting.is_empty() {
            return Ok(None);
        }
        let batch: Vec<SampleCandidate> = self.waiting.drain(..BATCH.min(self.waiting.len())).collect();
        let ids: Vec<SessionId> = batch.iter().map(|candidate| candidate.id).collect();
        let mut found = store::read_transcripts(self.db, self.tenant_id, &ids, LONGEST).await?;
        let mut samples = Vec::with_capacity(batch.len());
        for candidate in &batch {
            if curation.is_full() {
                break;
            }
            let read = found.remove(&candidate.id);
            let bytes = read.as_ref().map_or(0, |(_, bytes)| *bytes);
            self.left.bytes = self.left.bytes.saturating_sub(bytes);
            let transcript = match read {
                Some((transcript, _)) => {
                    let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
                    Some(cpu::compute(bytes, || transcript.into_redacted()).await)
                }
                None => None,
            };
            samples.extend(curation.take_candidate(candidate, transcript));
            // Yields to other tasks: a long transcript takes time.
            tokio::task::yield_now().await;
        }
        Ok(Some(samples))
    }

    async fn read_page(&mut self, curation: &mut Curation<'_>) -> Result<()> {
        let most = PAGE.min(i64::try_from(self.left.sessions).unwrap_or(PAGE));
        let page = store::list_candidates(self.db, self.tenant_id, self.before, most).await?;
        let read = page.len() as u64;
        self.left.sessions -= read;
        self.over = read < most.unsigned_abs();
        self.before = page.last().map(|candidate| candidate.id).or(self.before);
        self.waiting.extend(page.into_iter().filter(|candidate| curation.wants_transcript(candidate)));
        Ok(())
    }
}

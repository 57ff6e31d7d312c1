//! Files that are too large for memory: written as they grow, with their hash, and read as they come.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{Stream, StreamExt, TryStreamExt, stream::BoxStream};
use object_store::{ObjectStore, ObjectStoreExt, buffered::BufWriter, path::Path as Key};
use reqwest::Method;
use sha2::{Digest, Sha256};
use tokio::io::AsyncWriteExt;

use super::{Files, unavailable};
use crate::error::{Error, Result};

/// What is sent at once, as small as S3 takes parts. Two parts may be under way besides.
const PART: usize = 5 << 20;
const PARTS_AT_ONCE: usize = 2;

/// A file that is being written. Nobody sees it before [`Upload::finish`]; given up, nothing of it stays, at the latest when
/// the bucket's own rule removes parts that were never put together.
pub struct Upload {
    key: String,
    writer: BufWriter,
    hash: Sha256,
    bytes: u64,
}

/// A file that was written.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Written {
    pub sha256: String,
    pub bytes: u64,
}

/// Why a file was not written.
#[derive(Debug)]
pub enum Unwritten<E> {
    /// Its content did not come to an end.
    Content(E),
    Store(Error),
}

impl Upload {
    pub fn key(&self) -> &str {
        &self.key
    }

    pub async fn write(&mut self, content: Bytes) -> Result<()> {
        self.hash.update(&content);
        self.bytes += content.len() as u64;
        self.writer.put(content).await.map_err(unavailable)
    }

    /// Makes the file whole and visible.
    pub async fn finish(mut self) -> Result<Written> {
        let done = self.writer.shutdown().await;
        done.map_err(|source| Error::unavailable("The file store", source))?;
        Ok(Written { sha256: hex::encode(self.hash.finalize()), bytes: self.bytes })
    }

    pub async fn abort(mut self) {
        if let Err(error) = self.writer.abort().await {
            tracing::debug!(?error, key = self.key, "an upload could not be given up");
        }
    }
}

impl Files {
    /// Begins a file of that key, which has to begin with the tenant.
    pub fn upload(&self, key: String) -> Upload {
        let writer = BufWriter::with_capacity(Arc::clone(&self.store), Key::from(key.as_str()), PART);
        Upload { key, writer: writer.with_max_concurrency(PARTS_AT_ONCE), hash: Sha256::new(), bytes: 0 }
    }

    /// A file as it comes.
    pub async fn read(&self, key: &str) -> Result<BoxStream<'static, Result<Bytes>>> {
        let found = self.store.get(&Key::from(key)).await.map_err(unavailable)?;
        Ok(found.into_stream().map_err(unavailable).boxed())
    }

    /// A whole file of at most so many bytes.
    pub async fn small(&self, key: &str, most: usize) -> Result<Vec<u8>> {
        let mut content = self.read(key).await?;
        let mut whole = Vec::new();
        while let Some(chunk) = content.try_next().await? {
            if whole.len() + chunk.len() > most {
                return Err(Error::internal(format!("the file {key} is larger than {most} bytes")));
            }
            whole.extend_from_slice(&chunk);
        }
        Ok(whole)
    }

    /// Writes a file as its content comes; it is there when all of it is, and not before.
    pub async fn write<E>(
        &self,
        key: &str,
        content: impl Stream<Item = Result<Bytes, E>> + Send,
    ) -> Result<(), Unwritten<E>> {
        let mut upload = self.upload(key.to_owned());
        let mut content = std::pin::pin!(content);
        while let Some(chunk) = content.next().await {
            let written = match chunk {
                Ok(chunk) => upload.write(chunk).await.map_err(Unwritten::Store),
                Err(error) => Err(Unwritten::Content(error)),
            };
            if let Err(error) = written {
                upload.abort().await;
                return Err(error);
            }
        }
        upload.finish().await.map(drop).map_err(Unwritten::Store)
    }

    /// The keys that begin with a folder's.
    pub async fn list(&self, folder: &str) -> Result<Vec<String>> {
        let found = self.store.list(Some(&Key::from(folder))).map_ok(|file| file.location.to_string());
        found.try_collect().await.map_err(unavailable)
    }

    /// Where a file can be fetched from the store itself for a while, if the store can say so: a function that answers in
    /// one piece cannot hand out a large file.
    pub async fn signed_url(&self, key: &str, valid: Duration) -> Result<Option<String>> {
        let Some((signer, prefix)) = &self.signer else { return Ok(None) };
        let key = prefix.parts().chain(Key::from(key).parts()).collect::<Key>();
        let url = signer.signed_url(Method::GET, &key, valid).await.map_err(unavailable)?;
        Ok(Some(url.into()))
    }

    /// Removes every file below a folder but those below `kept`; doing it again changes nothing.
    pub async fn remove_below(&self, folder: &str, kept: Option<&str>) -> Result<()> {
        let kept = kept.map(Key::from);
        let found = self.store.list(Some(&Key::from(folder))).map_ok(|file| file.location);
        let stays = move |key: &Key| kept.as_ref().is_some_and(|kept| key.prefix_matches(kept));
        let found = found.try_filter(move |key| std::future::ready(!stays(key))).boxed();
        self.remove(found).await
    }
}

#[cfg(test)]
#[path = "stream_tests.rs"]
mod tests;

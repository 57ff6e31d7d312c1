//! Objects that are too large for memory: uploaded and downloaded as streams, with their hash.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{Stream, StreamExt, TryStreamExt, stream::BoxStream};
use object_store::{ObjectStore, ObjectStoreExt, buffered::BufWriter, path::Path as ObjectKey};
use reqwest::Method;
use sha2::{Digest, Sha256};
use tokio::io::AsyncWriteExt;

use super::{Files, store_unavailable};
use crate::kernel::error::{Error, Result};

/// The size of a part, the smallest that S3 accepts. Two more parts may be in flight.
const PART: usize = 5 << 20;
const PARTS_AT_ONCE: usize = 2;

/// An upload in progress. It becomes visible with [`Upload::finish_upload`]. An abandoned upload leaves nothing, at the
/// latest when the lifecycle rule of the bucket removes incomplete uploads.
pub struct Upload {
    key: String,
    writer: BufWriter,
    hash: Sha256,
    bytes: u64,
}

/// A finished upload.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Written {
    pub sha256: String,
    pub bytes: u64,
}

/// Why an upload failed.
#[derive(Debug)]
pub enum Unwritten<E> {
    /// The content ended early.
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
        self.writer.put(content).await.map_err(store_unavailable)
    }

    /// Completes the upload and makes the object visible.
    pub async fn finish_upload(mut self) -> Result<Written> {
        let done = self.writer.shutdown().await;
        done.map_err(|source| Error::unavailable("The file store", source))?;
        Ok(Written { sha256: hex::encode(self.hash.finalize()), bytes: self.bytes })
    }

    pub async fn abort_upload(mut self) {
        if let Err(error) = self.writer.abort().await {
            tracing::debug!(?error, key = self.key, "an upload could not be given up");
        }
    }
}

impl Files {
    /// Starts an upload. The key must begin with the tenant.
    pub fn start_upload(&self, key: String) -> Upload {
        let writer = BufWriter::with_capacity(Arc::clone(&self.store), ObjectKey::from(key.as_str()), PART);
        Upload { key, writer: writer.with_max_concurrency(PARTS_AT_ONCE), hash: Sha256::new(), bytes: 0 }
    }

    /// Downloads an object as a stream.
    pub async fn read(&self, key: &str) -> Result<BoxStream<'static, Result<Bytes>>> {
        let found = self.store.get(&ObjectKey::from(key)).await.map_err(store_unavailable)?;
        Ok(found.into_stream().map_err(store_unavailable).boxed())
    }

    /// Downloads a whole object of at most `most` bytes.
    pub async fn read_small(&self, key: &str, most: usize) -> Result<Vec<u8>> {
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

    /// Uploads a stream. The object becomes visible when all of it is stored, not before.
    pub async fn write<E>(
        &self,
        key: &str,
        content: impl Stream<Item = Result<Bytes, E>> + Send,
    ) -> Result<(), Unwritten<E>> {
        let mut upload = self.start_upload(key.to_owned());
        let mut content = std::pin::pin!(content);
        while let Some(chunk) = content.next().await {
            let written = match chunk {
                Ok(chunk) => upload.write(chunk).await.map_err(Unwritten::Store),
                Err(error) => Err(Unwritten::Content(error)),
            };
            if let Err(error) = written {
                upload.abort_upload().await;
                return Err(error);
            }
        }
        upload.finish_upload().await.map(drop).map_err(Unwritten::Store)
    }

    /// Lists the keys below a folder.
    pub async fn list(&self, folder: &str) -> Result<Vec<String>> {
        let found = self.store.list(Some(&ObjectKey::from(folder))).map_ok(|file| file.location.to_string());
        found.try_collect().await.map_err(store_unavailable)
    }

    /// A signed URL of the store itself, if it supports them: a function with a limited response size cannot return a
    /// large object.
    pub async fn signed_url(&self, key: &str, valid: Duration) -> Result<Option<String>> {
        let Some((signer, prefix)) = &self.signer else { return Ok(None) };
        let key = prefix.parts().chain(ObjectKey::from(key).parts()).collect::<ObjectKey>();
        let url = signer.signed_url(Method::GET, &key, valid).await.map_err(store_unavailable)?;
        Ok(Some(url.into()))
    }

    /// Deletes every object below a folder except those below `kept`. Repeating it changes nothing.
    pub async fn remove_below(&self, folder: &str, kept: Option<&str>) -> Result<()> {
        let kept = kept.map(ObjectKey::from);
        let found = self.store.list(Some(&ObjectKey::from(folder))).map_ok(|file| file.location);
        let stays = move |key: &ObjectKey| kept.as_ref().is_some_and(|kept| key.prefix_matches(kept));
        let found = found.try_filter(move |key| std::future::ready(!stays(key))).boxed();
        self.remove_objects(found).await
    }
}

#[cfg(test)]
#[path = "stream_tests.rs"]
mod tests;

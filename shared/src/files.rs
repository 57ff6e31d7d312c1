//! Where the bytes of artifacts lie: a folder on one machine, a bucket in the cloud. Keys carry the tenant.

use std::{path::Path, sync::Arc};

use bytes::Bytes;
use futures_util::{Stream, StreamExt, TryStreamExt, stream::BoxStream};
use object_store::{
    ObjectStore, ObjectStoreExt, PutPayload, aws::AmazonS3Builder, buffered::BufWriter, local::LocalFileSystem,
    memory::InMemory, path::Path as Key, prefix::PrefixStore,
};
use sha2::{Digest, Sha256};
use tokio::io::AsyncWriteExt;

use crate::{
    error::{Error, Result},
    id::{SessionId, TenantId},
};

/// Why a file was not written.
#[derive(Debug)]
pub enum Unwritten<E> {
    /// Its content did not come to an end.
    Content(E),
    Store(Error),
}

/// The file store. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Files {
    store: Arc<dyn ObjectStore>,
}

impl Files {
    /// Opens `memory:`, `s3://bucket` or `s3://bucket/prefix`, or a folder given by its path (which is made). The region and the
    /// credentials of a bucket come from the environment that every AWS tool reads.
    pub fn open(place: &str) -> Result<Self> {
        if place == "memory:" {
            return Ok(Self::of(InMemory::new()));
        }
        if let Some(place) = place.strip_prefix("s3://") {
            let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
            let builder = AmazonS3Builder::from_env().with_bucket_name(bucket);
            return Ok(Self::of(PrefixStore::new(builder.build().map_err(Error::internal)?, prefix)));
        }
        std::fs::create_dir_all(Path::new(place)).map_err(Error::internal)?;
        Ok(Self::of(LocalFileSystem::new_with_prefix(place).map_err(Error::internal)?))
    }

    /// On a store that was opened elsewhere.
    pub fn of(store: impl ObjectStore) -> Self {
        Self { store: Arc::new(store) }
    }

    /// Stores content under its own hash and answers the hash; storing it again changes nothing.
    pub async fn put(&self, tenant_id: TenantId, session_id: SessionId, content: Vec<u8>) -> Result<String> {
        let hash = hex::encode(Sha256::digest(&content));
        let key = key(tenant_id, session_id, &hash);
        self.store
            .put(&key, PutPayload::from(content))
            .await
            .map_err(|source| Error::unavailable("The file store", source))?;
        Ok(hash)
    }

    pub async fn get(&self, tenant_id: TenantId, session_id: SessionId, hash: &str) -> Result<Bytes> {
        let found = self.store.get(&key(tenant_id, session_id, hash)).await;
        let found = found.map_err(|source| Error::unavailable("The file store", source))?;
        found.bytes().await.map_err(|source| Error::unavailable("The file store", source))
    }

    /// Reads a file as it comes, by its whole key.
    pub async fn read(&self, key: &str) -> Result<BoxStream<'static, Result<Bytes>>> {
        let found = self.store.get(&Key::from(key)).await;
        let found = found.map_err(|source| Error::unavailable("The file store", source))?;
        Ok(found.into_stream().map_err(|source| Error::unavailable("The file store", source)).boxed())
    }

    /// A whole file of at most so many bytes, by its whole key.
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
        let mut writer = BufWriter::new(self.store.clone(), Key::from(key));
        let unavailable = |source| Unwritten::Store(Error::unavailable("The file store", source));
        let mut content = std::pin::pin!(content);
        while let Some(chunk) = content.next().await {
            let written = match chunk {
                Ok(chunk) => writer.put(chunk).await.map_err(|error| unavailable(error.into())),
                Err(error) => Err(Unwritten::Content(error)),
            };
            if let Err(error) = written {
                // What is left of a write that could not be called off is the store's own to clear away.
                let _ = writer.abort().await;
                return Err(error);
            }
        }
        writer.shutdown().await.map_err(unavailable)
    }

    /// The keys that begin with a folder's.
    pub async fn list(&self, folder: &str) -> Result<Vec<String>> {
        let found = self.store.list(Some(&Key::from(folder))).map_ok(|file| file.location.to_string());
        found.try_collect().await.map_err(|source| Error::unavailable("The file store", source))
    }

    /// Removes every file of a tenant; doing it again changes nothing.
    pub async fn remove_all(&self, tenant_id: TenantId) -> Result<()> {
        let prefix = Key::from(tenant_id.to_string());
        let found = self.store.list(Some(&prefix)).map_ok(|file| file.location).boxed();
        let removed = self.store.delete_stream(found).filter(|one| {
            // Somebody else may remove the same at the same time.
            std::future::ready(!matches!(one, Err(object_store::Error::NotFound { .. })))
        });
        let done = removed.try_for_each(|_| std::future::ready(Ok(()))).await;
        done.map_err(|source| Error::unavailable("The file store", source))
    }
}

fn key(tenant_id: TenantId, session_id: SessionId, hash: &str) -> Key {
    Key::from(format!("{tenant_id}/{session_id}/{hash}"))
}

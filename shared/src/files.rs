//! Where the bytes of artifacts and datasets lie: a folder on one machine, a bucket in the cloud. Keys carry the tenant.

mod stream;

use std::{path::Path, sync::Arc};

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream::BoxStream};
use object_store::{
    ObjectStore, ObjectStoreExt, PutPayload,
    aws::{AmazonS3, AmazonS3Builder},
    local::LocalFileSystem,
    memory::InMemory,
    path::Path as Key,
    prefix::PrefixStore,
    signer::Signer,
};
use sha2::{Digest, Sha256};

use crate::{
    error::{Error, Result},
    id::{SessionId, TenantId},
};

pub use self::stream::{Unwritten, Upload, Written};

/// The file store. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Files {
    store: Arc<dyn ObjectStore>,
    /// What gives out places of the bucket itself, and what our keys begin with there.
    signer: Option<(Arc<dyn Signer>, Key)>,
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
            return Ok(Self::of_bucket(builder.build().map_err(Error::internal)?, prefix));
        }
        std::fs::create_dir_all(Path::new(place)).map_err(Error::internal)?;
        Ok(Self::of(LocalFileSystem::new_with_prefix(place).map_err(Error::internal)?))
    }

    /// On a store that was opened elsewhere.
    pub fn of(store: impl ObjectStore) -> Self {
        Self { store: Arc::new(store), signer: None }
    }

    /// On a bucket, below a prefix.
    pub fn of_bucket(bucket: AmazonS3, prefix: &str) -> Self {
        let signer: Arc<dyn Signer> = Arc::new(bucket.clone());
        Self { signer: Some((signer, Key::from(prefix))), ..Self::of(PrefixStore::new(bucket, prefix)) }
    }

    /// Stores content under its own hash and answers the hash; storing it again changes nothing.
    pub async fn put(&self, tenant_id: TenantId, session_id: SessionId, content: Vec<u8>) -> Result<String> {
        let hash = hex::encode(Sha256::digest(&content));
        let key = Key::from(key(tenant_id, session_id, &hash));
        self.store.put(&key, PutPayload::from(content)).await.map_err(unavailable)?;
        Ok(hash)
    }

    pub async fn get(&self, tenant_id: TenantId, session_id: SessionId, hash: &str) -> Result<Bytes> {
        let found = self.store.get(&Key::from(key(tenant_id, session_id, hash))).await;
        found.map_err(unavailable)?.bytes().await.map_err(unavailable)
    }

    /// Removes every file of a tenant; doing it again changes nothing.
    pub async fn remove_all(&self, tenant_id: TenantId) -> Result<()> {
        self.remove_below(&tenant_id.to_string(), None).await
    }

    async fn remove(&self, found: BoxStream<'static, object_store::Result<Key>>) -> Result<()> {
        let removed = self.store.delete_stream(found).filter(|one| {
            // Somebody else may remove the same at the same time.
            std::future::ready(!matches!(one, Err(object_store::Error::NotFound { .. })))
        });
        removed.try_for_each(|_| std::future::ready(Ok(()))).await.map_err(unavailable)
    }
}

fn unavailable(source: object_store::Error) -> Error {
    Error::unavailable("The file store", source)
}

/// Where what a session made lies, by its hash.
pub(crate) fn key(tenant_id: TenantId, session_id: SessionId, hash: &str) -> String {
    format!("{tenant_id}/{session_id}/{hash}")
}

//! Object storage for artifacts and datasets: a folder on one machine, a bucket in the cloud. Keys begin with the
//! tenant.

mod stream;

use std::{path::Path, sync::Arc};

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream::BoxStream};
use object_store::{
    ObjectStore, ObjectStoreExt, PutPayload,
    aws::{AmazonS3, AmazonS3Builder},
    local::LocalFileSystem,
    memory::InMemory,
    path::Path as ObjectKey,
    prefix::PrefixStore,
    signer::Signer,
};
use sha2::{Digest, Sha256};

use crate::kernel::{
    error::{Error, Result},
    id::{SessionId, TenantId},
};

pub use self::stream::{Unwritten, Upload, Written};

/// The object store. It is cheap to clone.
#[derive(Clone, Debug)]
pub struct Files {
    store: Arc<dyn ObjectStore>,
    /// Signs URLs of the bucket, and the prefix of this product's keys there.
    signer: Option<(Arc<dyn Signer>, ObjectKey)>,
}

impl Files {
    /// Opens `memory:`, `s3://bucket`, `s3://bucket/prefix`, or a folder by its path, which is created. The region and
    /// the credentials of a bucket come from the usual AWS variables.
    pub fn open_store(place: &str) -> Result<Self> {
        if place == "memory:" {
            return Ok(Self::from_store(InMemory::new()));
        }
        if let Some(place) = place.strip_prefix("s3://") {
            let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
            let builder = AmazonS3Builder::from_env().with_bucket_name(bucket);
            return Ok(Self::of_bucket(builder.build().map_err(Error::internal)?, prefix));
        }
        std::fs::create_dir_all(Path::new(place)).map_err(Error::internal)?;
        Ok(Self::from_store(LocalFileSystem::new_with_prefix(place).map_err(Error::internal)?))
    }

    /// Wraps a store that is open already.
    pub fn from_store(store: impl ObjectStore) -> Self {
        Self { store: Arc::new(store), signer: None }
    }

    /// Opens a bucket below a prefix.
    pub fn of_bucket(bucket: AmazonS3, prefix: &str) -> Self {
        let signer: Arc<dyn Signer> = Arc::new(bucket.clone());
        Self { signer: Some((signer, ObjectKey::from(prefix))), ..Self::from_store(PrefixStore::new(bucket, prefix)) }
    }

    /// Stores content under its SHA-256 hash and returns the hash. Storing it again changes nothing.
    pub async fn put_content(
        &self,
        tenant_id: TenantId,
        session_id: SessionId,
        content: impl Into<Bytes> + Send,
    ) -> Result<String> {
        let content = content.into();
        let hash = hex::encode(Sha256::digest(&content));
        let key = ObjectKey::from(content_key(tenant_id, session_id, &hash));
        self.store.put(&key, PutPayload::from(content)).await.map_err(store_unavailable)?;
        Ok(hash)
    }

    pub async fn get(&self, tenant_id: TenantId, session_id: SessionId, hash: &str) -> Result<Bytes> {
        let found = self.store.get(&ObjectKey::from(content_key(tenant_id, session_id, hash))).await;
        found.map_err(store_unavailable)?.bytes().await.map_err(store_unavailable)
    }

    /// The size of stored content in bytes; `None` if there is none with this hash.
    pub async fn find_size(&self, tenant_id: TenantId, session_id: SessionId, hash: &str) -> Result<Option<u64>> {
        match self.store.head(&ObjectKey::from(content_key(tenant_id, session_id, hash))).await {
            Ok(found) => Ok(Some(found.size)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(store_unavailable(error)),
        }
    }

    /// Deletes every object of a tenant. Repeating it changes nothing.
    pub async fn remove_all(&self, tenant_id: TenantId) -> Result<()> {
        self.remove_below(&tenant_id.to_string(), None).await
    }

    /// Deletes every object of a session. Repeating it changes nothing.
    pub async fn remove_session(&self, tenant_id: TenantId, session_id: SessionId) -> Result<()> {
        self.remove_below(&format!("{tenant_id}/{session_id}"), None).await
    }

    async fn remove_objects(&self, found: BoxStream<'static, object_store::Result<ObjectKey>>) -> Result<()> {
        let removed = self.store.delete_stream(found).filter(|one| {
            // Another process may delete the same object at the same time.
            std::future::ready(!matches!(one, Err(object_store::Error::NotFound { .. })))
        });
        removed.try_for_each(|_| std::future::ready(Ok(()))).await.map_err(store_unavailable)
    }
}

fn store_unavailable(source: object_store::Error) -> Error {
    Error::unavailable("The file store", source)
}

/// The key of an artifact of a session, by its hash.
pub(crate) fn content_key(tenant_id: TenantId, session_id: SessionId, hash: &str) -> String {
    format!("{tenant_id}/{session_id}/{hash}")
}

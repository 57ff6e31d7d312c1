//! The contract of every file store: the same claim over memory, a folder, and S3 (`MiniStack`).

use harness::ministack::{REGION, ministack};
use object_store::aws::AmazonS3Builder;
use shared::{
    kernel::{
        error::Code,
        id::{SessionId, TenantId},
    },
    platform::object_store::Files,
};

async fn keeps_what_it_is_given(files: Files) {
    let (tenant, session) = (TenantId::new(), SessionId::new());
    for content in [b"\0 any bytes \xff".to_vec(), Vec::new()] {
        let hash = files.put_content(tenant, session, content.clone()).await.unwrap();
        assert_eq!(
            files.put_content(tenant, session, content.clone()).await.unwrap(),
            hash,
            "the same content, the same name"
        );
        assert_eq!(files.get(tenant, session, &hash).await.unwrap(), content);
        let another = files.get(TenantId::new(), session, &hash).await;
        assert_eq!(another.unwrap_err().code(), Code::DependencyUnavailable, "it is not another tenant's");
    }
}

#[tokio::test]
async fn the_memory_store_keeps_the_contract() {
    keeps_what_it_is_given(Files::open_store("memory:").unwrap()).await;
}

#[tokio::test]
async fn the_folder_store_keeps_the_contract() {
    let folder = std::env::temp_dir().join(format!("ioc-files-{}", SessionId::new()));
    keeps_what_it_is_given(Files::open_store(folder.to_str().unwrap()).unwrap()).await;
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn the_bucket_store_keeps_the_contract() {
    let bucket = ministack().bucket().await;
    let store = AmazonS3Builder::new()
        .with_bucket_name(bucket)
        .with_endpoint(&ministack().endpoint)
        .with_allow_http(true)
        .with_region(REGION)
        .with_access_key_id("test")
        .with_secret_access_key("test");
    keeps_what_it_is_given(Files::from_store(store.build().unwrap())).await;
}

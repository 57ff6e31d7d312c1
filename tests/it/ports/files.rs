//! What every file store promises: the same claim over memory, a folder, and S3 (`MiniStack`).

use harness::ministack::{REGION, ministack};
use object_store::aws::AmazonS3Builder;
use shared::{
    error::Code,
    files::Files,
    id::{SessionId, TenantId},
};

async fn keeps_what_it_is_given(files: Files) {
    let (tenant, session) = (TenantId::new(), SessionId::new());
    for content in [b"\0 any bytes \xff".to_vec(), Vec::new()] {
        let hash = files.put(tenant, session, content.clone()).await.unwrap();
        assert_eq!(files.put(tenant, session, content.clone()).await.unwrap(), hash, "the same content, the same name");
        assert_eq!(files.get(tenant, session, &hash).await.unwrap(), content);
        let another = files.get(TenantId::new(), session, &hash).await;
        assert_eq!(another.unwrap_err().code(), Code::DependencyUnavailable, "it is not another tenant's");
    }
}

#[tokio::test]
async fn memory_keeps_what_it_is_given() {
    keeps_what_it_is_given(Files::open("memory:").unwrap()).await;
}

#[tokio::test]
async fn a_folder_keeps_what_it_is_given() {
    let folder = std::env::temp_dir().join(format!("ioc-files-{}", SessionId::new()));
    keeps_what_it_is_given(Files::open(folder.to_str().unwrap()).unwrap()).await;
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn a_bucket_keeps_what_it_is_given() {
    let bucket = ministack().bucket().await;
    let store = AmazonS3Builder::new()
        .with_bucket_name(bucket)
        .with_endpoint(&ministack().endpoint)
        .with_allow_http(true)
        .with_region(REGION)
        .with_access_key_id("test")
        .with_secret_access_key("test");
    keeps_what_it_is_given(Files::of(store.build().unwrap())).await;
}

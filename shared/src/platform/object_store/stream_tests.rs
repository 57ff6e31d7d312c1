use object_store::aws::AmazonS3Builder;

use super::*;

async fn content(files: &Files, key: &str) -> Result<Vec<u8>> {
    files.read(key).await?.map_ok(|bytes| bytes.to_vec()).try_concat().await
}

/// A folder on this machine, removed at the end.
struct Folder(std::path::PathBuf);

impl Folder {
    fn new() -> Self {
        Self(std::env::temp_dir().join(format!("ioc-files-{}", crate::kernel::id::RequestId::new())))
    }

    fn files(&self) -> Files {
        Files::open_store(&self.0.display().to_string()).unwrap()
    }

    fn names(&self) -> Vec<String> {
        fn below(folder: &std::path::Path, found: &mut Vec<String>) {
            for entry in std::fs::read_dir(folder).into_iter().flatten() {
                let path = entry.unwrap().path();
                if path.is_dir() { below(&path, found) } else { found.push(path.display().to_string()) }
            }
        }
        let mut found = Vec::new();
        below(&self.0, &mut found);
        found
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[tokio::test]
async fn a_file_is_read_as_it_was_written_with_its_hash_whatever_its_size() {
    let folder = Folder::new();
    for files in [Files::open_store("memory:").unwrap(), folder.files()] {
        for pieces in [1, 100, 14_000] {
            let mut upload = files.start_upload(format!("tenant/file-{pieces}"));
            let piece = Bytes::from("0123456789abcdef".repeat(64));
            for _ in 0..pieces {
                upload.write(piece.clone()).await.unwrap();
            }
            let written = upload.finish_upload().await.unwrap();
            let read = content(&files, &format!("tenant/file-{pieces}")).await.unwrap();
            assert_eq!((read.len(), written.bytes), (pieces * 1024, read.len() as u64));
            assert_eq!(written.sha256, hex::encode(Sha256::digest(&read)));
        }
    }
}

#[tokio::test]
async fn an_unfinished_upload_is_invisible_and_leaves_nothing() {
    let folder = Folder::new();
    let files = folder.files();
    let large = Bytes::from(vec![b'x'; PART + 1]);
    for size in [Bytes::from_static(b"x"), large] {
        let mut upload = files.start_upload("tenant/a".to_owned());
        upload.write(size.clone()).await.unwrap();
        assert!(content(&files, "tenant/a").await.is_err());
        upload.abort_upload().await;
        let mut dropped = files.start_upload("tenant/b".to_owned());
        dropped.write(size).await.unwrap();
        drop(dropped);
    }
    while !folder.names().is_empty() {
        tokio::task::yield_now().await;
    }
    assert!(content(&files, "tenant/b").await.is_err());
}

#[tokio::test]
async fn removing_a_folder_spares_only_the_files_to_keep() {
    let files = Files::open_store("memory:").unwrap();
    for key in ["t/a/1/x", "t/a/2/x", "t/a/22/x", "t/ab/x"] {
        let mut upload = files.start_upload(key.to_owned());
        upload.write(Bytes::from_static(b"x")).await.unwrap();
        upload.finish_upload().await.unwrap();
    }
    for _ in 0..2 {
        files.remove_below("t/a", Some("t/a/2")).await.unwrap();
        assert!(content(&files, "t/a/1/x").await.is_err() && content(&files, "t/a/22/x").await.is_err());
        assert!(content(&files, "t/a/2/x").await.is_ok() && content(&files, "t/ab/x").await.is_ok());
    }
}

#[tokio::test]
async fn a_bucket_signs_the_place_of_a_file_with_its_prefix_and_a_folder_does_not() {
    let builder = AmazonS3Builder::new().with_region("eu-central-1").with_bucket_name("bucket");
    let bucket = builder.with_access_key_id("id").with_secret_access_key("secret").build().unwrap();
    let files = Files::of_bucket(bucket, "some/where");
    let url = files.signed_url("tenant/datasets/a.jsonl", Duration::from_mins(5)).await.unwrap().unwrap();
    assert!(url.contains("some/where/tenant/datasets/a.jsonl?") && url.contains("X-Amz-Signature="), "{url}");
    assert!(url.contains("X-Amz-Expires=300"), "{url}");
    let folder = Files::open_store("memory:").unwrap();
    assert_eq!(folder.signed_url("tenant/a", Duration::from_mins(5)).await.unwrap(), None);
}

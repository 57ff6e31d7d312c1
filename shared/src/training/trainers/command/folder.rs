//! The folder of an order: the input of the program, and its output.

use std::{
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use futures_util::TryStreamExt;
use serde_json::json;
use sha2::{Digest, Sha256};
use tokio::{fs, io::AsyncWriteExt};

use crate::{
    kernel::failure::{Category, Failure},
    platform::object_store::Files,
    training::trainers::{
        Order, TrainingFile,
        trouble::{of_files, provider_failure, transient_failure},
    },
};

/// `<folder>/<tenant>/<job>-<attempt>`
pub(super) fn order_folder(root: &Path, order: &Order) -> PathBuf {
    root.join(order.tenant_id.to_string()).join(format!("{}-{}", order.job_id, order.attempt))
}

/// Writes the input files of the program. Idempotent.
pub(super) async fn fill_folder(folder: &Path, files: &Files, order: &Order) -> Result<(), Failure> {
    // Texts of sessions must not be readable for other users of the machine.
    let output = folder.join("output");
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&output).map_err(|error| io_failure(&error))?;
    fetch_file(files, &order.training, &folder.join("training.jsonl")).await?;
    if let Some(file) = &order.held_out {
        fetch_file(files, file, &folder.join("held-out.jsonl")).await?;
    }
    let parameters = json!({
        "job_id": order.job_id,
        "base_model": order.base_model,
        "target_model_name": order.target_model_name,
        "parameters": order.parameters,
    });
    write(&folder.join("parameters.json"), parameters.to_string().as_bytes()).await.map_err(|error| io_failure(&error))
}

/// Copies a file of the dataset atomically.
async fn fetch_file(files: &Files, file: &TrainingFile, to: &Path) -> Result<(), Failure> {
    if fs::try_exists(to).await.map_err(|error| io_failure(&error))? {
        return Ok(());
    }
    let part = part_of(to);
    let mut content = files.read(&file.key).await.map_err(|error| of_files(&error))?;
    let (mut copy, mut hash) = (fs::File::create(&part).await.map_err(|error| io_failure(&error))?, Sha256::new());
    while let Some(chunk) = content.try_next().await.map_err(|error| of_files(&error))? {
        hash.update(&chunk);
        copy.write_all(&chunk).await.map_err(|error| io_failure(&error))?;
    }
    copy.sync_all().await.map_err(|error| io_failure(&error))?;
    if hex::encode(hash.finalize()) != file.sha256 {
        let message = "The dataset's file is not the one that was recorded.";
        return Err(provider_failure(Category::Internal, "DATASET_CHANGED", message));
    }
    fs::rename(&part, to).await.map_err(|error| io_failure(&error))
}

/// Writes to a temporary file that is renamed once complete. Its name is unique, so that concurrent submissions do not
/// share it.
fn part_of(to: &Path) -> PathBuf {
    static MADE: AtomicU64 = AtomicU64::new(0);
    to.with_extension(format!("{}-{}.part", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed)))
}

async fn write(to: &Path, content: &[u8]) -> io::Result<()> {
    let part = part_of(to);
    fs::write(&part, content).await?;
    fs::rename(&part, to).await
}

/// Removes the samples. Missing files are ignored.
pub(super) fn empty_folder(folder: &Path) -> io::Result<()> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if matches!(&*name, "training.jsonl" | "held-out.jsonl") || name.ends_with(".part") {
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
    }
    Ok(())
}

/// A failure of the disk, which may be full temporarily.
pub(super) fn io_failure(error: &io::Error) -> Failure {
    tracing::warn!(?error, "the folder of a training is not usable");
    transient_failure("TRAINER_FOLDER", format!("The trainer's folder cannot be used: {}.", error.kind()))
}

//! The folder of an order: what the program is given, and what it leaves.

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
    files::Files,
    session::outcome::{Category, Failure},
    trainer::{
        Order, TrainingFile,
        trouble::{failure, of_files, passing},
    },
};

/// `<folder>/<tenant>/<job>-<attempt>`
pub(super) fn of(root: &Path, order: &Order) -> PathBuf {
    root.join(order.tenant_id.to_string()).join(format!("{}-{}", order.job_id, order.attempt))
}

/// Puts everything into the folder that the program needs; doing it again changes nothing.
pub(super) async fn fill(folder: &Path, files: &Files, order: &Order) -> Result<(), Failure> {
    // Sessions' texts are for nobody else on this machine.
    let output = folder.join("output");
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&output).map_err(|error| trouble(&error))?;
    fetch(files, &order.training, &folder.join("training.jsonl")).await?;
    if let Some(file) = &order.held_out {
        fetch(files, file, &folder.join("held-out.jsonl")).await?;
    }
    let parameters = json!({
        "job_id": order.job_id,
        "base_model": order.base_model,
        "target_model_name": order.target_model_name,
        "parameters": order.parameters,
    });
    write(&folder.join("parameters.json"), parameters.to_string().as_bytes()).await.map_err(|error| trouble(&error))
}

/// Copies a dataset's file, whole or not at all.
async fn fetch(files: &Files, file: &TrainingFile, to: &Path) -> Result<(), Failure> {
    if fs::try_exists(to).await.map_err(|error| trouble(&error))? {
        return Ok(());
    }
    let part = part_of(to);
    let mut content = files.read(&file.key).await.map_err(|error| of_files(&error))?;
    let (mut copy, mut hash) = (fs::File::create(&part).await.map_err(|error| trouble(&error))?, Sha256::new());
    while let Some(chunk) = content.try_next().await.map_err(|error| of_files(&error))? {
        hash.update(&chunk);
        copy.write_all(&chunk).await.map_err(|error| trouble(&error))?;
    }
    copy.sync_all().await.map_err(|error| trouble(&error))?;
    if hex::encode(hash.finalize()) != file.sha256 {
        let message = "The dataset's file is not the one that was recorded.";
        return Err(failure(Category::Internal, "DATASET_CHANGED", message));
    }
    fs::rename(&part, to).await.map_err(|error| trouble(&error))
}

/// What becomes a file when it is whole. Nobody else writes to it, also not one who submits the same at the same time.
fn part_of(to: &Path) -> PathBuf {
    static MADE: AtomicU64 = AtomicU64::new(0);
    to.with_extension(format!("{}-{}.part", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed)))
}

async fn write(to: &Path, content: &[u8]) -> io::Result<()> {
    let part = part_of(to);
    fs::write(&part, content).await?;
    fs::rename(&part, to).await
}

/// Removes what was to be learnt from; what is gone already need not be.
pub(super) fn empty(folder: &Path) -> io::Result<()> {
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

/// The disk fails us: it may be full for now.
pub(super) fn trouble(error: &io::Error) -> Failure {
    tracing::warn!(?error, "the folder of a training cannot be used");
    passing("TRAINER_FOLDER", format!("The trainer's folder cannot be used: {}.", error.kind()))
}

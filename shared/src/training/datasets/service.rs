//! The use cases of datasets: create one for a training job, preview a recipe, and read.

use bytes::Bytes;
use futures_util::Stream;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    identity::{
        audit::{self, AuditEntry},
        auth::Caller,
    },
    kernel::{
        actor::Actor,
        error::{Code, Error, Result},
        failure::{Category, Failure},
        id::{DatasetId, SessionId, TenantId, TrainingJobId},
    },
    platform::postgres::Tx,
    training::services::TrainingServices,
    training::trainers::TrainingFile,
};

use super::{
    CurationOutcome, Dataset, DatasetSession, DatasetTally, Recipe, Split,
    curation::{CuratedSample, Curation},
    digest,
    output::{Output, OutputLocation},
    sample,
    source::{Bounds, Source},
    store::{self, OriginFilter},
    transcript::ChatMessage,
};

/// How often a curation restarts because of deleted sessions, before it records the deletion instead.
const TRIES: usize = 3;

/// The limits of a preview, which must answer quickly.
const PREVIEWED: Bounds = Bounds { sessions: 2_000, bytes: 24 << 20 };

/// How many samples a preview returns, and how many bytes of each message.
const SHOWN: usize = 3;
const LONGEST_SHOWN: usize = 2_000;

/// Creates or finds the dataset of one attempt of a job. Safe to call repeatedly, concurrently, and after a crash at
/// any point: one caller writes the row, and all return it.
pub async fn curate_dataset(
    services: &TrainingServices,
    tenant_id: TenantId,
    job_id: TrainingJobId,
    attempt: i32,
    recipe: &Recipe,
) -> Result<CurationOutcome> {
    for tried in 1..=TRIES {
        if let Some(made) = store::of_job(&services.db, tenant_id, job_id, attempt).await? {
            return Ok(CurationOutcome::Made(made));
        }
        let place = OutputLocation { tenant_id, job_id, attempt, dataset_id: DatasetId::new() };
        let outcome = write_and_record(services, &place, recipe, tried == TRIES).await;
        let kept = matches!(outcome, Ok(RecordOutcome::Done(_)));
        // Removes the files of an attempt that belong to no dataset. No worker may be creating one of it.
        let (folder, kept) =
            if kept { (place.of_attempt(), Some(place.folder_path())) } else { (place.folder_path(), None) };
        if let Err(error) = services.files.remove_below(&folder, kept.as_deref()).await {
            tracing::warn!(?error, folder, "files of an abandoned dataset were not removed");
        }
        match outcome? {
            RecordOutcome::Done(dataset) => return Ok(CurationOutcome::Made(*dataset)),
            RecordOutcome::Refused(failure) => return Ok(CurationOutcome::Refused(failure)),
            RecordOutcome::Again => {}
        }
    }
    let made = store::of_job(&services.db, tenant_id, job_id, attempt).await?;
    made.map(CurationOutcome::Made).ok_or_else(|| Error::internal("a dataset was neither created nor found"))
}

/// Removes the files of an attempt that belong to no dataset. Nobody may be making one of it any more.
pub(crate) async fn remove_unused_files(
    services: &TrainingServices,
    tenant_id: TenantId,
    job_id: TrainingJobId,
    attempt: i32,
) -> Result<()> {
    let made = store::of_job(&services.db, tenant_id, job_id, attempt).await?;
    let place = OutputLocation {
        tenant_id,
        job_id,
        attempt,
        dataset_id: made.as_ref().map_or_else(DatasetId::new, |made| made.id),
    };
    services.files.remove_below(&place.of_attempt(), Some(&place.folder_path())).await
}

enum RecordOutcome {
    Done(Box<Dataset>),
    Refused(Failure),
    /// Another caller created it, or sessions were deleted.
    Again,
}

async fn write_and_record(
    services: &TrainingServices,
    place: &OutputLocation,
    recipe: &Recipe,
    last: bool,
) -> Result<RecordOutcome> {
    if !has_consent(services, place.tenant_id).await? {
        return Ok(RecordOutcome::Refused(no_consent()));
    }
    let mut curation = Curation::new(recipe);
    let mut output = Output::new(&services.files, place);
    let origins = match write(services, place.tenant_id, &mut curation, &mut output).await {
        Ok(origins) => origins,
        Err(error) => {
            output.abort_output().await;
            return Err(error);
        }
    };
    let Some((training, held_out)) = output.finish_output().await? else {
        return Ok(RecordOutcome::Refused(no_samples(&curation.tally)));
    };
    if training.samples < recipe.min_samples.unsigned_abs() {
        return Ok(RecordOutcome::Refused(too_few(training.samples, recipe)));
    }
    let dataset = Dataset {
        id: place.dataset_id,
        job_id: place.job_id,
        attempt: place.attempt,
        recipe: recipe.clone(),
        sha256: digest(&training.sha256, held_out.as_ref().map(|file| file.sha256.as_str())),
        training,
        held_out,
        tally: curation.tally,
        deleted_sessions: 0,
        created_at: services.clock.now(),
    };
    record_dataset(services, place.tenant_id, dataset, &origins, last).await
}

async fn has_consent(services: &TrainingServices, tenant_id: TenantId) -> Result<bool> {
    let mut tx = services.db.tenant(tenant_id).await?;
    let has_consent = store::has_consent(&mut tx, tenant_id).await?;
    tx.commit().await?;
    Ok(has_consent)
}

/// Writes all samples and returns their origins.
async fn write(
    services: &TrainingServices,
    tenant_id: TenantId,
    curation: &mut Curation<'_>,
    output: &mut Output,
) -> Result<Vec<(SessionId, Split)>> {
    let mut source = Source::new(&services.db, tenant_id, Bounds::NONE);
    let mut origins = Vec::new();
    while let Some(samples) = source.next_sample(curation).await? {
        for sample in samples {
            origins.push((sample.candidate.id, sample.split));
            output.write(sample).await?;
        }
    }
    Ok(origins)
}

/// Inserts the row with its lineage. If a session was deleted meanwhile, the curation restarts without it; on the
/// `last` try, the lineage records the deletion instead.
async fn record_dataset(
    services: &TrainingServices,
    tenant_id: TenantId,
    mut dataset: Dataset,
    origins: &[(SessionId, Split)],
    last: bool,
) -> Result<RecordOutcome> {
    let mut tx = services.db.tenant(tenant_id).await?;
    // If one side was empty, all samples are on the other.
    let all_training = dataset.held_out.is_none();
    let side = |split| if all_training { Split::Training } else { split };
    let origins: Vec<_> = origins.iter().map(|(id, split)| (*id, side(*split))).collect();
    if !store::insert(&mut tx, tenant_id, &dataset).await? {
        return Ok(RecordOutcome::Again);
    }
    let gone = store::insert_origins(&mut tx, tenant_id, dataset.id, &origins, dataset.created_at).await?;
    if !store::has_consent(&mut tx, tenant_id).await? {
        return Ok(RecordOutcome::Refused(no_consent()));
    }
    if gone > 0 && !last {
        return Ok(RecordOutcome::Again);
    }
    dataset.deleted_sessions = i64::try_from(gone).unwrap_or(i64::MAX);
    commit_dataset(tx, &dataset).await?;
    Ok(RecordOutcome::Done(Box::new(dataset)))
}

async fn commit_dataset(mut tx: Tx, dataset: &Dataset) -> Result<()> {
    let details = serde_json::json!({
        "job_id": dataset.job_id,
        "attempt": dataset.attempt,
        "sha256": dataset.sha256,
        "samples": dataset.samples(),
        "recipe": dataset.recipe,
    });
    let by = Actor::system_part("curation");
    audit::record(&mut tx, AuditEntry::new(by, dataset.created_at, "dataset.create", dataset.id).with_after(details));
    tx.commit().await
}

fn no_consent() -> Failure {
    let message = "The tenant has not agreed that its sessions become training data.";
    with_remedy(Failure::new(Category::Policy, "NO_CONSENT", message), Code::NoConsent.remedy())
}

fn no_samples(tally: &DatasetTally) -> Failure {
    let why: Vec<_> = tally
        .left_out
        .iter()
        .map(|(why, count)| format!("{count} {}", serde_json::to_string(why).unwrap_or_default().trim_matches('"')))
        .collect();
    let why = if why.is_empty() { "there are none".to_owned() } else { why.join(", ") };
    let message = format!("None of {} completed sessions became a sample: {why}.", tally.looked_at);
    with_remedy(Failure::new(Category::User, "NO_SAMPLES", message), WIDEN)
}

fn too_few(samples: u64, recipe: &Recipe) -> Failure {
    let message = format!("There are {samples} samples to train with, and at least {} are needed.", recipe.min_samples);
    with_remedy(Failure::new(Category::User, "TOO_FEW_SAMPLES", message), WIDEN)
}

const WIDEN: &str = "Widen the recipe; POST /api/v1/fine-tuning/datasets/preview says what it leaves out and why.";

fn with_remedy(failure: Failure, remedy: &str) -> Failure {
    Failure { remedy: remedy.to_owned(), ..failure }
}

/// The dataset that a recipe would make.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DatasetPreview)]
pub struct Preview {
    /// Whether all matching sessions were examined. If not, the preview covers the newest ones only.
    pub complete: bool,
    #[serde(flatten)]
    pub tally: DatasetTally,
    /// The number of training samples.
    pub training_samples: u64,
    /// The number of held-out samples.
    pub held_out_samples: u64,
    /// The first samples, redacted and shortened.
    #[schema(value_type = Vec<Object>)]
    pub examples: Vec<serde_json::Value>,
}

/// Previews a recipe on the newest sessions, without writing.
pub async fn preview_recipe(app: &TrainingServices, caller: &Caller, recipe: &Recipe) -> Result<Preview> {
    let mut tx = app.db.tenant(caller.tenant_id).await?;
    let consents = store::has_consent(&mut tx, caller.tenant_id).await?;
    tx.commit().await?;
    if !consents {
        return Err(Error::new(Code::NoConsent, no_consent().message));
    }
    let mut curation = Curation::new(recipe);
    let mut source = Source::new(&app.db, caller.tenant_id, PREVIEWED);
    let (mut held_out, mut examples) = (0, Vec::new());
    while let Some(samples) = source.next_sample(&mut curation).await? {
        for sample in samples {
            held_out += u64::from(sample.split == Split::HeldOut);
            if examples.len() < SHOWN {
                examples.push(example_of(recipe, sample)?);
            }
        }
    }
    let complete = source.is_exhausted() || curation.is_full();
    let tally = curation.tally;
    // As in a curation: if one side is empty, all samples are for training.
    let held_out_samples = if held_out == tally.samples { 0 } else { held_out };
    let training_samples = tally.samples - held_out_samples;
    Ok(Preview { complete, tally, training_samples, held_out_samples, examples })
}

fn example_of(recipe: &Recipe, sample: CuratedSample) -> Result<serde_json::Value> {
    let short = |message: ChatMessage| ChatMessage { content: shorten_text(message.content), ..message };
    let messages: Vec<_> = sample.messages.into_iter().map(short).collect();
    Ok(serde_json::from_str(&sample::sample_line(recipe.format, &messages, &sample.candidate))?)
}

fn shorten_text(text: String) -> String {
    if text.len() <= LONGEST_SHOWN {
        return text;
    }
    let end = text.floor_char_boundary(LONGEST_SHOWN);
    format!("{} [{} more bytes]", &text[..end], text.len() - end)
}

/// A page of datasets, newest first; with `job_id`, of that job.
pub async fn list(
    services: &TrainingServices,
    caller: &Caller,
    job_id: Option<TrainingJobId>,
    before: Option<DatasetId>,
    most: i64,
) -> Result<Vec<Dataset>> {
    store::list(&services.db, caller.tenant_id, job_id, before, most).await
}

pub async fn get(services: &TrainingServices, caller: &Caller, id: DatasetId) -> Result<Dataset> {
    store::find_dataset(&services.db, caller.tenant_id, id).await
}

/// The sessions that a dataset is made of, a page at a time.
pub async fn list_sessions(
    services: &TrainingServices,
    caller: &Caller,
    id: DatasetId,
    filter: OriginFilter,
    most: i64,
) -> Result<Vec<DatasetSession>> {
    get(services, caller, id).await?;
    store::list_origins(&services.db, caller.tenant_id, id, filter, most).await
}

/// One file of a dataset. An empty one when nothing is held out.
pub async fn find_file(
    services: &TrainingServices,
    caller: &Caller,
    id: DatasetId,
    split: Split,
) -> Result<Option<TrainingFile>> {
    Ok(get(services, caller, id).await?.file(split).cloned())
}

/// The content of a file of a dataset.
pub async fn read_content(
    services: &TrainingServices,
    file: &TrainingFile,
) -> Result<impl Stream<Item = Result<Bytes>> + Send + 'static> {
    services.files.read(&file.key).await
}

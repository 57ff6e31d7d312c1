//! The use cases of datasets: made for a job of training, tried out, shown.

use bytes::Bytes;
use futures_util::Stream;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::App,
    audit::Entry,
    auth::{Actor, Caller},
    db::Tx,
    error::{Code, Error, Result},
    id::{DatasetId, SessionId, TenantId, TrainingJobId},
    session::outcome::{Category, Failure},
    trainer::TrainingFile,
};

use super::{
    Curated, Dataset, Origin, Recipe, Split, Tally,
    curation::{Curation, Sample},
    digest,
    output::{Output, Place},
    sample,
    source::{Bounds, Source},
    store::{self, OriginFilter},
    transcript::Message,
};

/// How often a dataset is begun anew because sessions of it were deleted meanwhile, before it says so instead.
const TRIES: usize = 3;

/// How much a preview looks at: it has to answer while somebody waits.
const PREVIEWED: Bounds = Bounds { sessions: 2_000, bytes: 24 << 20 };

/// How many samples a preview shows, and how much of each message, in bytes.
const SHOWN: usize = 3;
const LONGEST_SHOWN: usize = 2_000;

/// Makes the dataset of one attempt of a job, or finds it. It may be called twice, at once, and after a crash anywhere: one
/// of them writes the row, and all answer that.
pub async fn curate(
    app: &App,
    tenant_id: TenantId,
    job_id: TrainingJobId,
    attempt: i32,
    recipe: &Recipe,
) -> Result<Curated> {
    for tried in 1..=TRIES {
        if let Some(made) = store::of_job(&app.db, tenant_id, job_id, attempt).await? {
            return Ok(Curated::Made(made));
        }
        let place = Place { tenant_id, job_id, attempt, dataset_id: DatasetId::new() };
        let outcome = write_and_record(app, &place, recipe, tried == TRIES).await;
        let kept = matches!(outcome, Ok(Recorded::Done(_)));
        // Of other tries nothing is left either: whoever else is at it now finds the row, or the dataset of this try.
        let (folder, kept) = if kept { (place.of_attempt(), Some(place.folder())) } else { (place.folder(), None) };
        if let Err(error) = app.files.remove_below(&folder, kept.as_deref()).await {
            tracing::warn!(?error, folder, "files of a dataset that came to nothing are still there");
        }
        match outcome? {
            Recorded::Done(dataset) => return Ok(Curated::Made(*dataset)),
            Recorded::Refused(failure) => return Ok(Curated::Refused(failure)),
            Recorded::Again => {}
        }
    }
    let made = store::of_job(&app.db, tenant_id, job_id, attempt).await?;
    made.map(Curated::Made).ok_or_else(|| Error::internal("a dataset was neither made nor found"))
}

/// Removes the files of an attempt that belong to no dataset. Nobody may be making one of it any more.
pub(crate) async fn tidy(app: &App, tenant_id: TenantId, job_id: TrainingJobId, attempt: i32) -> Result<()> {
    let made = store::of_job(&app.db, tenant_id, job_id, attempt).await?;
    let place =
        Place { tenant_id, job_id, attempt, dataset_id: made.as_ref().map_or_else(DatasetId::new, |made| made.id) };
    app.files.remove_below(&place.of_attempt(), Some(&place.folder())).await
}

enum Recorded {
    Done(Box<Dataset>),
    Refused(Failure),
    /// Somebody else made it, or sessions of it are gone.
    Again,
}

async fn write_and_record(app: &App, place: &Place, recipe: &Recipe, last: bool) -> Result<Recorded> {
    let mut tx = app.db.tenant(place.tenant_id).await?;
    let consents = store::consents(&mut tx, place.tenant_id).await?;
    tx.commit().await?;
    if !consents {
        return Ok(Recorded::Refused(no_consent()));
    }
    let mut curation = Curation::new(recipe);
    let mut output = Output::new(&app.files, place);
    let origins = match write(app, place.tenant_id, &mut curation, &mut output).await {
        Ok(origins) => origins,
        Err(error) => {
            output.abort().await;
            return Err(error);
        }
    };
    let Some((training, held_out)) = output.finish().await? else {
        return Ok(Recorded::Refused(no_samples(&curation.tally)));
    };
    if training.samples < recipe.min_samples.unsigned_abs() {
        return Ok(Recorded::Refused(too_few(training.samples, recipe)));
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
        created_at: app.clock.now(),
    };
    record(app, place.tenant_id, dataset, &origins, last).await
}

/// All samples, written as they come; where each is from.
async fn write(
    app: &App,
    tenant_id: TenantId,
    curation: &mut Curation<'_>,
    output: &mut Output,
) -> Result<Vec<(SessionId, Split)>> {
    let mut source = Source::new(&app.db, tenant_id, Bounds::NONE);
    let mut origins = Vec::new();
    while let Some(samples) = source.next(curation).await? {
        for sample in samples {
            origins.push((sample.candidate.id, sample.split));
            output.write(sample).await?;
        }
    }
    Ok(origins)
}

/// Writes the row with its lineage. A session that was deleted meanwhile is not to be in it, so it is begun anew without; the
/// `last` time it is told instead, by the lineage.
async fn record(
    app: &App,
    tenant_id: TenantId,
    mut dataset: Dataset,
    origins: &[(SessionId, Split)],
    last: bool,
) -> Result<Recorded> {
    let mut tx = app.db.tenant(tenant_id).await?;
    // A side that was turned around for want of the other is what all of it is.
    let all_training = dataset.held_out.is_none();
    let side = |split| if all_training { Split::Training } else { split };
    let origins: Vec<_> = origins.iter().map(|(id, split)| (*id, side(*split))).collect();
    if !store::insert(&mut tx, tenant_id, &dataset).await? {
        return Ok(Recorded::Again);
    }
    let gone = store::insert_origins(&mut tx, tenant_id, dataset.id, &origins, dataset.created_at).await?;
    if !store::consents(&mut tx, tenant_id).await? {
        return Ok(Recorded::Refused(no_consent()));
    }
    if gone > 0 && !last {
        return Ok(Recorded::Again);
    }
    dataset.deleted_sessions = i64::try_from(gone).unwrap_or(i64::MAX);
    commit(tx, &dataset).await?;
    Ok(Recorded::Done(Box::new(dataset)))
}

async fn commit(mut tx: Tx, dataset: &Dataset) -> Result<()> {
    let told = serde_json::json!({
        "job_id": dataset.job_id,
        "attempt": dataset.attempt,
        "sha256": dataset.sha256,
        "samples": dataset.samples(),
        "recipe": dataset.recipe,
    });
    let by = Actor::system("curation");
    tx.audit(Entry::new(by, dataset.created_at, "dataset.create", dataset.id).after(told));
    tx.commit().await
}

fn no_consent() -> Failure {
    let message = "The tenant has not agreed that its sessions become training data.";
    remedied(Failure::new(Category::Policy, "NO_CONSENT", message), Code::NoConsent.remedy())
}

fn no_samples(tally: &Tally) -> Failure {
    let why: Vec<_> = tally
        .left_out
        .iter()
        .map(|(why, count)| format!("{count} {}", serde_json::to_string(why).unwrap_or_default().trim_matches('"')))
        .collect();
    let why = if why.is_empty() { "there are none".to_owned() } else { why.join(", ") };
    let message = format!("None of {} completed sessions became a sample: {why}.", tally.looked_at);
    remedied(Failure::new(Category::User, "NO_SAMPLES", message), WIDEN)
}

fn too_few(samples: u64, recipe: &Recipe) -> Failure {
    let message = format!("There are {samples} samples to train with, and at least {} are needed.", recipe.min_samples);
    remedied(Failure::new(Category::User, "TOO_FEW_SAMPLES", message), WIDEN)
}

const WIDEN: &str = "Widen the recipe; POST /api/v1/fine-tuning/datasets/preview says what it leaves out and why.";

fn remedied(failure: Failure, remedy: &str) -> Failure {
    Failure { remedy: remedy.to_owned(), ..failure }
}

/// What a recipe would give.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DatasetPreview)]
pub struct Preview {
    /// Whether all completed sessions were looked at, or as many as the recipe's limit asks for. Otherwise it is about the
    /// newest ones alone.
    pub complete: bool,
    #[serde(flatten)]
    pub tally: Tally,
    pub training_samples: u64,
    pub held_out_samples: u64,
    /// The first samples, redacted; of long messages the beginning.
    #[schema(value_type = Vec<Object>)]
    pub examples: Vec<serde_json::Value>,
}

/// Tries a recipe out on the newest sessions, and writes nothing.
pub async fn preview(app: &App, caller: &Caller, recipe: &Recipe) -> Result<Preview> {
    let mut tx = app.db.tenant(caller.tenant_id).await?;
    let consents = store::consents(&mut tx, caller.tenant_id).await?;
    tx.commit().await?;
    if !consents {
        return Err(Error::new(Code::NoConsent, no_consent().message));
    }
    let mut curation = Curation::new(recipe);
    let mut source = Source::new(&app.db, caller.tenant_id, PREVIEWED);
    let (mut held_out, mut examples) = (0, Vec::new());
    while let Some(samples) = source.next(&mut curation).await? {
        for sample in samples {
            held_out += u64::from(sample.split == Split::HeldOut);
            if examples.len() < SHOWN {
                examples.push(example(recipe, sample)?);
            }
        }
    }
    let complete = source.is_exhausted() || curation.is_full();
    let tally = curation.tally;
    // As when it is written: where one side would be empty, all is for training.
    let held_out_samples = if held_out == tally.samples { 0 } else { held_out };
    let training_samples = tally.samples - held_out_samples;
    Ok(Preview { complete, tally, training_samples, held_out_samples, examples })
}

fn example(recipe: &Recipe, sample: Sample) -> Result<serde_json::Value> {
    let short = |message: Message| Message { content: beginning(message.content), ..message };
    let messages: Vec<_> = sample.messages.into_iter().map(short).collect();
    Ok(serde_json::from_str(&sample::line(recipe.format, &messages, &sample.candidate))?)
}

fn beginning(text: String) -> String {
    if text.len() <= LONGEST_SHOWN {
        return text;
    }
    let end = text.floor_char_boundary(LONGEST_SHOWN);
    format!("{} [{} more bytes]", &text[..end], text.len() - end)
}

/// A page of datasets, newest first; with `job_id`, of that job.
pub async fn list(
    app: &App,
    caller: &Caller,
    job_id: Option<TrainingJobId>,
    before: Option<DatasetId>,
    most: i64,
) -> Result<Vec<Dataset>> {
    store::list(&app.db, caller.tenant_id, job_id, before, most).await
}

pub async fn get(app: &App, caller: &Caller, id: DatasetId) -> Result<Dataset> {
    store::find(&app.db, caller.tenant_id, id).await
}

/// The sessions that a dataset is made of, a page at a time.
pub async fn sessions(
    app: &App,
    caller: &Caller,
    id: DatasetId,
    filter: OriginFilter,
    most: i64,
) -> Result<Vec<Origin>> {
    get(app, caller, id).await?;
    store::origins(&app.db, caller.tenant_id, id, filter, most).await
}

/// One file of a dataset. An empty one when nothing is held out.
pub async fn file(app: &App, caller: &Caller, id: DatasetId, split: Split) -> Result<Option<TrainingFile>> {
    Ok(get(app, caller, id).await?.file(split).cloned())
}

/// What stands in a file of a dataset.
pub async fn content(app: &App, file: &TrainingFile) -> Result<impl Stream<Item = Result<Bytes>> + Send + 'static> {
    app.files.read(&file.key).await
}

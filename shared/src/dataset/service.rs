//! Stand-in until `dataset` is merged.
use super::{Curated, Dataset, Recipe};
use crate::{app::App, error::Result, id::{DatasetId, TenantId, TrainingJobId}, session::outcome::{Category, Failure}, trainer::TrainingFile};
use sha2::{Digest, Sha256};
pub async fn curate(app: &App, tenant_id: TenantId, job_id: TrainingJobId, _attempt: i32, _recipe: &Recipe) -> Result<Curated> {
    let rows = app.db.read(tenant_id, "select initial_prompt from sessions where tenant_id = $1 and status = 'completed' order by id", &[&tenant_id]).await?;
    if rows.is_empty() { return Ok(Curated::Refused(Failure::new(Category::User, "NO_SAMPLES", "No session became a sample."))); }
    let mut text = String::new();
    for row in &rows { let p: String = row.try_get("initial_prompt")?; text += &serde_json::json!({"messages": [{"role": "user", "content": p}, {"role": "assistant", "content": "Done."}]}).to_string(); text.push('\n'); }
    let sha256 = hex::encode(Sha256::digest(&text));
    let file = |name: &str| TrainingFile { key: format!("{tenant_id}/datasets/{sha256}-{name}.jsonl"), sha256: sha256.clone(), bytes: text.len() as u64, samples: rows.len() as u64 };
    Ok(Curated::Made(Dataset { id: DatasetId(job_id.0), job_id, sha256: sha256.clone(), training: file("training"), held_out: Some(file("held-out")) }))
}

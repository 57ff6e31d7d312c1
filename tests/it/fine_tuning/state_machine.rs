//! One table of transitions of training jobs, four places: the code, the database, the docs, the `OpenAPI` document.

use std::collections::BTreeMap;

use harness::{TestApp, openapi};
use serde_json::json;
use shared::{identity::auth::Role, training::jobs::status::TrainingStatus};

use crate::state_machine::written;

#[test]
fn the_training_state_table_in_the_docs_is_that_of_the_code() {
    let text = std::fs::read_to_string(harness::child_process::root().join("docs/fine-tuning.md")).unwrap();
    let next = |status: TrainingStatus| status.next().iter().map(|to| to.name().to_owned()).collect();
    let table: BTreeMap<_, Vec<String>> =
        TrainingStatus::ALL.iter().map(|status| (status.name().to_owned(), next(*status))).collect();
    assert_eq!(written(&text, "## The seven states"), table);
}

#[test]
fn the_openapi_document_lists_the_training_states() {
    let states: Vec<_> = TrainingStatus::ALL.iter().map(|status| status.name()).collect();
    assert_eq!(openapi::document()["components"]["schemas"]["TrainingStatus"]["enum"], json!(states));
}

#[tokio::test]
async fn the_database_allows_only_the_training_transitions_of_the_table() {
    let world = TestApp::full().await;
    let (lead, owner) = (world.caller(Role::Lead), world.superuser().await);
    let id = lead.new_training(json!({})).await;
    for from in TrainingStatus::ALL {
        let over = from.is_over();
        let error = if from == TrainingStatus::Failed { "'{}'" } else { "null" };
        let version = if from == TrainingStatus::Completed { "'1.0.0'" } else { "null" };
        let version_id = if from == TrainingStatus::Completed { "id" } else { "null" };
        owner
            .run(&format!(
                "begin; alter table training_jobs disable trigger training_transition;
                 update training_jobs set status = '{}', ended_at = {}, error = {error}, model_version = {version},
                     model_version_id = {version_id}, dataset = '{{}}', submitted_at = now(), trainer_state = '{{}}',
                     trained = '{{}}', next_step_at = now() where id = '{id}';
                 alter table training_jobs enable trigger training_transition; commit",
                from.name(),
                if over { "now()" } else { "null" },
            ))
            .await;
        for to in TrainingStatus::ALL {
            let sql = format!("select training_transition_allowed('{}', '{}')::int::bigint", from.name(), to.name());
            assert_eq!(owner.number(&sql).await == 1, from.may_go(to), "{} to {}", from.name(), to.name());
            if from != to && !from.may_go(to) {
                let sql = format!("update training_jobs set status = '{}' where id = '{id}'", to.name());
                let refused = owner.refusal(&sql).await;
                assert_eq!(refused.as_deref(), Some("training_transition"), "{} to {}", from.name(), to.name());
            }
        }
    }
}

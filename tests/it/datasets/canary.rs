//! Secrets and personal data of many kinds, in everything that can be said in a session: none of it is in a sample.

use serde_json::json;
use shared::{identity::auth::Role, training::datasets::Recipe};

use super::{DATASETS, with_samples};

/// Put together here so that no scanner takes this file for a leak.
fn canaries() -> Vec<String> {
    let hex = |n: usize| "0a1b2c3d4e5f6789".repeat(8)[..n].to_owned();
    let mixed = |n: usize| "cN4rY5aB3dE5gH7jK9mN1pQ2".repeat(8)[..n].to_owned();
    let mut canaries = vec![
        format!("ioc_prod_{}_{}", hex(32), hex(64)),
        format!("sk-ant-api03-{}", mixed(60)),
        format!("ghp_{}", mixed(36)),
        format!("glpat-{}", mixed(20)),
        format!("AIza{}", mixed(35)),
        format!("npm_{}", mixed(36)),
        format!("hf_{}", mixed(34)),
        format!("eyJ{}.eyJ{}.{}", mixed(20), mixed(30), mixed(43)),
        format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----", mixed(64)),
    ];
    let plain = [
        "AKIACANARYCANARY1234",
        "ada.lovelace@mail.example.org",
        "DE89 3704 0044 0532 0130 00",
        "4111 1111 1111 1111",
        "536-90-4399",
        "+49 30 123456789",
        "(415) 555-2671",
        "203.0.113.77",
        "2001:db8:85a3::8a2e:370:7334",
    ];
    canaries.extend(plain.map(str::to_owned));
    canaries
}

#[tokio::test]
async fn no_canary_escapes_from_prompts_messages_tools_questions_or_results() {
    let (world, owner, _) = with_samples(0).await;
    let (caller, lead) = (world.caller(Role::Member), world.caller(Role::Lead));
    let canaries = canaries();
    let all = canaries.join(" and ");
    let prompt = format!("Use {all}");
    let id = caller.answered(&owner, json!({"initial_prompt": prompt}), &format!("I use {all}")).await;
    for (kind, payload) in [
        (
            "session.tool",
            json!({"tool": "bash", "state": "completed", "input": {"command": all, "deep": [{&canaries[10]: all}]}, "output": all}),
        ),
        ("session.question", json!({"kind": "input", "text": format!("May I use {all}?")})),
        ("session.message", json!({"role": "user", "text": format!("Yes, {all}")})),
        ("session.message", json!({"role": "assistant", "text": format!("Used {all}")})),
    ] {
        owner.record(&id, kind, &payload).await;
    }
    let silent = caller.new_session(json!({"initial_prompt": "Explain it."})).await;
    owner.place(&silent, "completed").await;
    let result = json!({"result": {"found": all}}).to_string();
    owner.run(&format!("update sessions set outcome = '{result}' where id = '{silent}'")).await;
    let dataset = world.dataset(&Recipe { system_prompt: Some(format!("Never say {all}")), ..Recipe::default() }).await;
    assert_eq!(dataset.samples(), 2);
    let mut reported = lead.post(&format!("{DATASETS}/preview"), json!({})).await.expect(200).to_string();
    for split in ["training", "held_out"] {
        let content = lead.get(&format!("{DATASETS}/{}/content?split={split}", dataset.id)).await;
        reported += std::str::from_utf8(&content.bytes).unwrap();
    }
    for canary in &canaries {
        for form in [canary.clone(), canary.replace('\n', "\\n"), canary.replace('\n', "\\\\n")] {
            assert!(!reported.contains(&form), "{form} in {reported}");
        }
    }
    for kind in ["ioc", "private_key", "email", "iban", "payment_card", "national_id", "phone", "ip_address"] {
        assert!(dataset.tally.redactions[kind] >= 7, "{kind}: {:?}", dataset.tally.redactions);
    }
}

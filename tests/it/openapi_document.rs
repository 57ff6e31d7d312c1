//! What the OpenAPI document promises to its readers: descriptions everywhere, and schemas that say what is sent.

use harness::openapi::{document, operations};
use serde_json::{Map, Value, json};

/// The longest part of a description that counts as a sentence.
fn is_sentence(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.ends_with('.') && text.starts_with(|first: char| !first.is_lowercase()))
}

/// All schemas of the document with a place for each: those of components, and those inside of them.
fn schemas() -> Vec<(String, Map<String, Value>)> {
    let mut found = Vec::new();
    for (name, schema) in document()["components"]["schemas"].as_object().unwrap() {
        collect(name, schema, &mut found);
    }
    found
}

fn collect(place: &str, schema: &Value, found: &mut Vec<(String, Map<String, Value>)>) {
    let Some(map) = schema.as_object() else { return };
    found.push((place.to_owned(), map.clone()));
    for (name, property) in map.get("properties").and_then(Value::as_object).into_iter().flatten() {
        collect(&format!("{place}.{name}"), property, found);
    }
    for key in ["oneOf", "allOf", "anyOf"] {
        for one in map.get(key).and_then(Value::as_array).into_iter().flatten() {
            collect(&format!("{place} {key}"), one, found);
        }
    }
    for key in ["items", "additionalProperties"] {
        map.get(key).into_iter().for_each(|inner| collect(&format!("{place}[]"), inner, found));
    }
}

#[test]
fn every_operation_has_a_summary_and_a_description() {
    for operation in operations() {
        let what = format!("{} {}", operation.method, operation.path);
        let summary = operation.described["summary"].as_str().unwrap_or_default();
        assert!(!summary.is_empty() && !summary.ends_with('.') && summary.len() < 60, "{what}: {summary}");
        assert!(is_sentence(&operation.described["description"]), "{what}");
        for (status, response) in operation.described["responses"].as_object().unwrap() {
            assert!(response["$ref"].is_string() || is_sentence(&response["description"]), "{what} {status}");
        }
    }
}

#[test]
fn every_parameter_has_a_description() {
    for operation in operations() {
        for parameter in operation.described["parameters"].as_array().into_iter().flatten() {
            assert!(is_sentence(&parameter["description"]), "{} {}: {parameter}", operation.method, operation.path);
        }
    }
}

#[test]
fn every_schema_and_every_field_has_a_description() {
    for (name, schema) in document()["components"]["schemas"].as_object().unwrap() {
        assert!(is_sentence(&schema["description"]), "{name}: {}", schema["description"]);
    }
    for (place, schema) in schemas() {
        for (name, field) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
            assert!(is_sentence(&field["description"]), "{place}.{name}: {field}");
        }
    }
}

#[test]
fn every_object_lists_its_fields_or_allows_any() {
    for (place, schema) in schemas() {
        let kinds = schema.get("type").cloned().unwrap_or_default();
        let is_object = kinds == "object" || kinds.as_array().is_some_and(|all| all.contains(&json!("object")));
        let says = ["properties", "additionalProperties", "allOf", "oneOf"].iter().any(|key| schema.contains_key(*key));
        assert!(!is_object || says, "{place}: {schema:?}");
    }
}

#[test]
fn the_items_of_every_page_are_references() {
    let document = document();
    let pages = document["components"]["schemas"].as_object().unwrap().iter();
    let pages: Vec<_> = pages.filter(|(_, schema)| schema["properties"]["next_cursor"].is_object()).collect();
    assert!(pages.len() > 10, "{}", pages.len());
    for (name, schema) in pages {
        assert!(schema["properties"]["items"]["items"]["$ref"].is_string(), "{name}");
    }
}

#[test]
fn every_download_is_binary() {
    let downloads = ["/api/v1/sessions/{id}/artifacts/{artifact_id}"];
    for path in downloads {
        let response = &document()["paths"][path]["get"]["responses"]["200"]["content"];
        let content = response.as_object().unwrap().values().next().unwrap();
        assert_eq!((&content["schema"]["type"], &content["schema"]["format"]), (&json!("string"), &json!("binary")));
    }
}

#[test]
fn the_types_of_events_are_discriminated_unions() {
    let document = document();
    for union in ["Event", "TrainingEvent", "TopicEvent", "StreamFrame"] {
        let schema = &document["components"]["schemas"][union];
        assert_eq!(schema["discriminator"]["propertyName"], "type", "{union}");
        let mapping = schema["discriminator"]["mapping"].as_object().unwrap();
        assert_eq!(schema["oneOf"].as_array().unwrap().len(), mapping.len(), "{union}");
        for (kind, member) in mapping {
            let member = document.pointer(member.as_str().unwrap().trim_start_matches('#')).unwrap();
            assert_eq!(member["properties"]["type"]["enum"], json!([kind]), "{union}");
            assert!(member["properties"]["payload"]["$ref"].is_string(), "{union} {kind}");
        }
    }
}

#[test]
fn idempotency_key_is_a_parameter_of_exactly_the_operations_that_take_it() {
    for operation in operations() {
        let parameters = operation.described["parameters"].as_array().into_iter().flatten();
        let documented = parameters.filter(|one| one["name"] == "Idempotency-Key").count() == 1;
        let changes =
            !operation.reads() && !operation.is_open() && !operation.is_for_agents() && !operation.is_for_runners();
        assert_eq!(documented, changes && !operation.speaks_a2a(), "{} {}", operation.method, operation.path);
    }
}

#[test]
fn no_operation_requires_the_tenant_that_follows_from_the_credential() {
    let mut named = 0;
    for operation in operations() {
        for parameter in operation.described["parameters"].as_array().into_iter().flatten() {
            if parameter["name"] == "X-Tenant-ID" {
                assert_eq!(parameter["required"], false, "{} {}", operation.method, operation.path);
                named += 1;
            }
        }
    }
    assert!(named > 50, "{named}");
}

#[test]
fn only_operations_with_a_body_document_errors_of_bodies() {
    for operation in operations().iter().filter(|one| one.is_open() || one.reads()) {
        let has_body = operation.described["requestBody"].is_object();
        for status in ["413", "415"] {
            let documented = operation.described["responses"][status].is_object();
            assert!(has_body || !documented, "{} {} {status}", operation.method, operation.path);
        }
    }
}

/// The example of the README, which the page shows first.
#[test]
fn the_document_begins_with_the_first_call_of_the_readme() {
    let readme = std::fs::read_to_string(harness::child_process::root().join("README.md")).unwrap();
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let call = readme
        .lines()
        .skip_while(|line| !line.trim_start().starts_with("curl -sS"))
        .take_while(|line| !line.is_empty());
    let call = words(&call.collect::<Vec<_>>().join(" "));
    assert!(call.contains("/api/v1/sessions"), "{call}");
    assert!(words(document()["info"]["description"].as_str().unwrap()).contains(&call), "{call}");
}

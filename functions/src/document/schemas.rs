//! The form of schemas: free-form objects are open, and generic lists refer to their items.
//!
//! Optional members are read by pointer: indexing a mutable value would insert them as null.

use serde_json::{Map, Value, json};

/// The prefixes of generic schemas, which are followed by the name of their item.
const GENERIC: [&str; 2] = ["Items_", "LogPage_"];

/// Completes all schemas of a document.
pub(super) fn complete(document: &mut Value) {
    if let Some(schemas) = document["components"]["schemas"].as_object_mut() {
        // Only their payloads are used, which the unions of events refer to.
        schemas.retain(|name, _| !name.ends_with("EventPayload"));
        describe_nullable_references(schemas);
        schemas.values_mut().for_each(describe_tags);
    }
    refer_to_items(&mut document["components"]["schemas"]);
    open_free_form(document);
}

/// Replaces the inlined items of generic lists by references.
fn refer_to_items(schemas: &mut Value) {
    for (name, schema) in schemas.as_object_mut().into_iter().flatten() {
        let item = GENERIC.iter().find_map(|prefix| name.strip_prefix(prefix));
        if let (Some(item), Some(items)) = (item, schema.pointer_mut("/properties/items/items")) {
            *items = json!({"$ref": format!("#/components/schemas/{item}")});
        }
    }
}

/// Writes `additionalProperties: true` at every object that lists no properties.
fn open_free_form(value: &mut Value) {
    match value {
        Value::Object(map) => {
            let is_object = map.get("type").is_some_and(|kind| {
                kind == "object" || kind.as_array().is_some_and(|kinds| kinds.contains(&json!("object")))
            });
            let lists = ["properties", "additionalProperties", "allOf", "oneOf", "propertyNames"];
            if is_object && !lists.iter().any(|key| map.contains_key(*key)) {
                map.insert("additionalProperties".to_owned(), true.into());
            }
            // The schema of any JSON value says the same at greater length.
            if map.get("additionalProperties").is_some_and(|schema| schema == &json!({})) {
                map.insert("additionalProperties".to_owned(), true.into());
            }
            map.values_mut().for_each(open_free_form);
        }
        Value::Array(values) => values.iter_mut().for_each(open_free_form),
        _ => {}
    }
}

/// Moves the description of a nullable reference from the reference to the property.
fn describe_nullable_references(schemas: &mut Map<String, Value>) {
    for schema in schemas.values_mut() {
        describe_nullable_properties(schema);
        let parts = schema.pointer_mut("/allOf").and_then(Value::as_array_mut);
        parts.into_iter().flatten().for_each(describe_nullable_properties);
    }
}

fn describe_nullable_properties(schema: &mut Value) {
    for property in
        schema.pointer_mut("/properties").and_then(Value::as_object_mut).into_iter().flat_map(Map::values_mut)
    {
        let described = property.pointer_mut("/oneOf/0").and_then(Value::as_object_mut);
        if let Some(description) = described.and_then(|reference| reference.remove("description")) {
            property["description"] = description;
        }
    }
}

/// Describes the properties that distinguish the variants of a union, which have no field in the code.
fn describe_tags(schema: &mut Value) {
    for variant in schema.pointer_mut("/oneOf").and_then(Value::as_array_mut).into_iter().flatten() {
        for property in
            variant.pointer_mut("/properties").and_then(Value::as_object_mut).into_iter().flat_map(Map::values_mut)
        {
            let is_tag = property["enum"].as_array().is_some_and(|values| values.len() == 1);
            if is_tag && property.get("description").is_none() {
                property["description"] = "The variant of the object.".into();
            }
        }
    }
}

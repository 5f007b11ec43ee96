//! The published schemas (`docs/schemas`), held against what tracer writes.
//!
//! A consumer must bear new fields, so the schemas are open. Here they are closed first: a field that none describes
//! fails, as does one that is missing or has another shape.

use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use jsonschema::{Registry, Validator};
use serde_json::Value;

/// Lines of a file that are looked at one by one; of a longer one, every 16th after these.
const EACH: usize = 20_000;

macro_rules! schema {
    ($name:literal) => {
        ($name, include_str!(concat!("../../docs/schemas/", $name, ".schema.json")))
    };
}

/// Each shape that is published.
const SCHEMAS: [(&str, &str); 8] = [
    schema!("summary"),
    schema!("processes"),
    schema!("proc_trace"),
    schema!("events"),
    schema!("anomalies"),
    schema!("sessions"),
    schema!("recover"),
    schema!("enrollment"),
];

/// What the others refer to.
const COMMON: &str = include_str!("../../docs/schemas/common.schema.json");

/// Asserts that `value` has the published shape `name`.
///
/// # Panics
/// If it has not, with every difference.
#[track_caller]
pub fn assert_shape(name: &str, value: &Value) {
    let validator = validator(name);
    if !validator.is_valid(value) {
        let errors: Vec<String> =
            validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect();
        panic!("not what docs/schemas/{name}.schema.json says:\n{}\nin {value:#}", errors.join("\n"));
    }
}

/// Asserts that every value of a list has that shape.
#[track_caller]
pub fn assert_shapes(name: &str, values: &[Value]) {
    let (each, rest) = values.split_at(values.len().min(EACH));
    each.iter().chain(rest.iter().step_by(16)).for_each(|value| assert_shape(name, value));
}

/// Asserts that a file of a session, the index or a sidecar has the shape that its name calls for.
///
/// # Panics
/// If it has not, or no schema is known for it.
#[track_caller]
pub fn assert_file(path: &Path) {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap();
    let text = fs::read_to_string(path).unwrap();
    let line = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    match name.split_once('.').unwrap() {
        (name, "jsonl") => assert_shapes(name, &text.lines().map(line).collect::<Vec<_>>()),
        (name, "json") if name.starts_with("tracer_enrollment_") => assert_shape("enrollment", &line(&text)),
        (name, "json") => assert_shape(name, &line(&text)),
        _ => panic!("{} has no schema", path.display()),
    }
}

fn validator(name: &str) -> &'static Validator {
    static VALIDATORS: OnceLock<Vec<(&str, Validator)>> = OnceLock::new();
    let validators = VALIDATORS.get_or_init(|| {
        let registry = Registry::new().add("json-schema:///common.schema.json", closed(COMMON)).unwrap();
        let registry = registry.prepare().unwrap();
        let build = |text| jsonschema::options().with_registry(&registry).build(&closed(text)).unwrap();
        SCHEMAS.into_iter().map(|(name, text)| (name, build(text))).collect()
    });
    let found = validators.iter().find(|(known, _)| *known == name);
    &found.unwrap_or_else(|| panic!("no schema {name}")).1
}

/// The schema, with no room for fields that it does not name.
fn closed(text: &str) -> Value {
    let mut schema = serde_json::from_str(text).unwrap();
    close(&mut schema);
    schema
}

fn close(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(close),
        Value::Object(object) => {
            object.values_mut().for_each(close);
            if object.get("type").is_some_and(|kind| kind == "object") && object.contains_key("properties") {
                object.insert("additionalProperties".to_owned(), Value::Bool(false));
            }
        }
        _ => {}
    }
}

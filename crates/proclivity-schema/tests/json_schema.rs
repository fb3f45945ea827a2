//! The documented JSON Schema is the one that the types have.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use proclivity_schema::{Catalog, Log};

/// `UPDATE=1 cargo test -p proclivity-schema --test json_schema` writes the files anew.
#[test]
fn the_documented_json_schema_is_current() {
    for (name, schema) in
        [("catalog", schemars::schema_for!(Catalog)), ("log", schemars::schema_for!(Log))]
    {
        let json = serde_json::to_string_pretty(&schema).unwrap() + "\n";
        let path =
            Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("json-schema/{name}-v1.json"));
        if std::env::var_os("UPDATE").is_some() {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &json).unwrap();
        }
        // As values: another crate's features decide about the order of fields.
        let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        let documented = std::fs::read_to_string(&path).unwrap();
        assert_eq!(value(&documented), value(&json), "{}", path.display());
    }
}

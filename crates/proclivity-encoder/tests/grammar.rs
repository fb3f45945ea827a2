//! Texts held to a JSON schema, a regular expression or a grammar.
#![cfg(feature = "grammar")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use proclivity_encoder::{
    ComputeDevice, Constraint, Decoder, EncoderError, Finish, GenerateConfig, Generated,
};
use serde_json::{Value, json};

const PROMPTS: [&str; 3] =
    ["The viewer watched", "用户", "A customer viewed the tent, the tent and the"];

fn device() -> ComputeDevice {
    "flex".parse().unwrap()
}

fn load(name: &str) -> Decoder {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tiny-decoders");
    Decoder::load(&fixtures.join(name), &device()).unwrap()
}

/// A text of a schema in which everything has a limit, so that it ends.
fn schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "title": { "type": "string", "maxLength": 12 },
            "stars": { "type": "integer", "minimum": 1, "maximum": 5 },
            "genres": {
                "type": "array", "minItems": 1, "maxItems": 2,
                "items": { "enum": ["noir", "科幻", "a \"quoted\" genre"] }
            }
        },
        "required": ["title", "stars", "genres"],
        "additionalProperties": false
    })
}

fn assert_film(text: &str) {
    let film: Value = serde_json::from_str(text).unwrap();
    let film = film.as_object().unwrap();
    assert_eq!(film.len(), 3, "{text}");
    assert!(film["title"].as_str().unwrap().chars().count() <= 12, "{text}");
    assert!((1..=5).contains(&film["stars"].as_i64().unwrap()), "{text}");
    let genres = film["genres"].as_array().unwrap();
    assert!((1..=2).contains(&genres.len()), "{text}");
    for genre in genres {
        assert!(
            ["noir", "科幻", "a \"quoted\" genre"].contains(&genre.as_str().unwrap()),
            "{text}"
        );
    }
}

/// At temperature 0 and above, alone and together.
fn assert_all(model: &Decoder, constraint: &Constraint, assert: impl Fn(&str)) {
    for (temperature, seed) in [(0.0, 0), (1.0, 1), (3.0, 2), (3.0, 3)] {
        let config = GenerateConfig {
            temperature,
            seed,
            max_tokens: 200,
            constraint: Some(constraint.clone()),
            ..Default::default()
        };
        let together = model.generate_batch(&PROMPTS, &config, &mut |_, _| {}).unwrap();
        for (prompt, together) in PROMPTS.iter().zip(&together) {
            let mut streamed = String::new();
            let alone =
                model.generate(prompt, &config, &mut |text| streamed.push_str(text)).unwrap();
            assert_eq!(alone, *together);
            let Generated { text, finish, .. } = alone;
            assert_eq!(text, streamed);
            assert_eq!(finish, Finish::End, "{text}");
            assert(&text);
        }
    }
}

fn is_date(text: &str) {
    let parts: Vec<&str> = text.split('-').collect();
    let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
    assert!(text.is_ascii() && (lengths == [4, 2] || lengths == [4, 2, 2]), "{text}");
    assert!(parts.iter().all(|part| part.bytes().all(|byte| byte.is_ascii_digit())), "{text}");
}

#[test]
fn json_is_what_its_schema_allows() {
    for name in ["llama", "llama3", "qwen3"] {
        assert_all(&load(name), &Constraint::JsonSchema(schema()), assert_film);
    }
}

#[test]
fn a_text_matches_its_regular_expression_whole() {
    let date = Constraint::Regex(r"[0-9]{4}-[0-9]{2}(-[0-9]{2})?".to_owned());
    assert_all(&load("qwen2"), &date, is_date);
    let characters = Constraint::Regex("[胶卷用户🏕]{3,5}".to_owned());
    assert_all(&load("llama"), &characters, |text| {
        assert!((3..=5).contains(&text.chars().count()), "{text}");
        assert!(text.chars().all(|c| "胶卷用户🏕".contains(c)), "{text}");
    });
    let nothing = Constraint::Regex(String::new());
    assert_all(&load("llama"), &nothing, |text| assert_eq!(text, ""));
}

#[test]
fn a_text_is_a_sentence_of_its_grammar() {
    let grammar = r#"
        start: "sum" "(" number ("," number)~1..3 ")"
        number: /[1-9][0-9]{0,2}/
    "#;
    assert_all(&load("llama3"), &Constraint::Lark(grammar.to_owned()), |text| {
        let inside = text.strip_prefix("sum(").and_then(|rest| rest.strip_suffix(')')).unwrap();
        let numbers: Vec<u32> = inside.split(',').map(|part| part.parse().unwrap()).collect();
        assert!((2..=4).contains(&numbers.len()) && numbers.iter().all(|n| (1..1000).contains(n)));
    });
}

#[test]
fn a_grammar_of_strings_draws_what_the_strings_alone_do() {
    let model = load("llama");
    for seed in 0..40 {
        let draw = |constraint| {
            let config = GenerateConfig {
                temperature: 1.5,
                seed,
                max_tokens: 8,
                constraint: Some(constraint),
                ..Default::default()
            };
            model.generate("The viewer", &config, &mut |_| {}).unwrap().text
        };
        // One token each: the trie of the strings and the grammar allow the same tokens.
        let only = draw(Constraint::Only(vec!["!".into(), "a".into(), "x".into()]));
        assert_eq!(draw(Constraint::Regex("[!ax]".to_owned())), only);
    }
}

#[test]
fn a_text_that_is_too_short_to_be_whole_says_so() {
    let config = GenerateConfig {
        max_tokens: 3,
        constraint: Some(Constraint::JsonSchema(schema())),
        ..Default::default()
    };
    let written = load("llama").generate("The", &config, &mut |_| {}).unwrap();
    assert_eq!((written.finish, written.tokens.len()), (Finish::Length, 3));
    // Whole at its last token.
    let config = GenerateConfig {
        max_tokens: 1,
        constraint: Some(Constraint::Regex("a+".to_owned())),
        ..config
    };
    let written = load("llama").generate("The", &config, &mut |_| {}).unwrap();
    assert_eq!((written.finish, written.text.as_str()), (Finish::End, "a"));
}

#[test]
fn constraints_that_are_none_are_refused() {
    let model = load("llama");
    let refused = |constraint| {
        let config = GenerateConfig { constraint: Some(constraint), ..Default::default() };
        model.generate("The", &config, &mut |_| {}).unwrap_err()
    };
    for constraint in [
        Constraint::Regex("[a-".to_owned()),
        Constraint::Regex("(".to_owned()),
        Constraint::Lark("start: missing".to_owned()),
        Constraint::Lark("%%%".to_owned()),
        Constraint::Lark(String::new()),
        Constraint::JsonSchema(json!({ "type": "nonsense" })),
        Constraint::JsonSchema(json!({ "$ref": "#/$defs/none" })),
        Constraint::JsonSchema(json!([1, 2])),
        Constraint::JsonSchema(json!({ "type": "integer", "minimum": 2, "maximum": 1 })),
    ] {
        let error = refused(constraint.clone());
        assert!(matches!(error, EncoderError::Constraint { .. }), "{constraint:?}: {error}");
    }
    assert!(matches!(
        refused(Constraint::Only(Vec::new())),
        EncoderError::InvalidConfig { field: "constraint.only", .. }
    ));
}

#[test]
fn a_constraint_is_read_back_as_it_was_written() {
    for constraint in [
        Constraint::Only(vec!["a".to_owned()]),
        Constraint::JsonSchema(schema()),
        Constraint::Regex("a+".to_owned()),
    ] {
        let config = GenerateConfig { constraint: Some(constraint), ..Default::default() };
        let text = serde_json::to_string(&config).unwrap();
        assert_eq!(serde_json::from_str::<GenerateConfig>(&text).unwrap(), config);
    }
}

#[test]
#[ignore = "needs models/SmolLM2-135M-Instruct"]
fn smollm2_writes_what_it_is_held_to() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let model = Decoder::load(&root.join("../../models/SmolLM2-135M-Instruct"), &device()).unwrap();
    assert_all(&model, &Constraint::JsonSchema(schema()), assert_film);
    let date = Constraint::Regex(r"[0-9]{4}-[0-9]{2}(-[0-9]{2})?".to_owned());
    assert_all(&model, &date, is_date);
}

//! A decoder's directory: `config.json`, a NUL, the weights.
#![no_main]

use std::fs;

use libfuzzer_sys::fuzz_target;
use proclivity_encoder::{Decoder, GenerateConfig};

fuzz_target!(|bytes: &[u8]| {
    let mut parts = bytes.splitn(2, |&byte| byte == 0);
    let (Some(config), Some(weights)) = (parts.next(), parts.next()) else { return };
    let directory = tempfile::tempdir().expect("a directory");
    for (name, bytes) in [
        ("config.json", config),
        ("model.safetensors", weights),
        ("tokenizer.json", include_bytes!("tokenizer.json")),
    ] {
        fs::write(directory.path().join(name), bytes).expect("a file");
    }
    let device = "flex".parse().expect("a device");
    if let Ok(decoder) = Decoder::load(directory.path(), &device) {
        if let Ok(scores) = decoder.score("a b", &[" c", ""]) {
            assert_eq!(scores.len(), 2);
        }
        let config = GenerateConfig { max_tokens: 2, ..GenerateConfig::default() };
        let _ = decoder.generate("c", &config, &mut |_| {});
    }
});

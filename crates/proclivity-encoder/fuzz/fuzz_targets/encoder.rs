//! An encoder's directory: `config.json`, a NUL, `modules.json` or nothing, a NUL, the weights.
#![no_main]

use std::fs;

use libfuzzer_sys::fuzz_target;
use proclivity_encoder::{BertEncoder, TextEncoder};

fuzz_target!(|bytes: &[u8]| {
    let mut parts = bytes.splitn(3, |&byte| byte == 0);
    let (Some(config), Some(modules), Some(weights)) = (parts.next(), parts.next(), parts.next())
    else {
        return;
    };
    let directory = tempfile::tempdir().expect("a directory");
    let write = |name: &str, bytes: &[u8]| {
        fs::write(directory.path().join(name), bytes).expect("a file");
    };
    write("config.json", config);
    if !modules.is_empty() {
        write("modules.json", modules);
    }
    write("model.safetensors", weights);
    write("tokenizer.json", include_bytes!("tokenizer.json"));
    fs::create_dir(directory.path().join("1_Pooling")).expect("a directory");
    write("1_Pooling/config.json", b"{\"pooling_mode_max_tokens\": true}");
    let device = "flex".parse().expect("a device");
    if let Ok(encoder) = BertEncoder::load(directory.path(), &device) {
        // Weights that are finite may still give what isn't: an error, then.
        if let Ok(embeddings) = encoder.embed(&["a b c", "", "c a a b ? c c c c"], &mut |_| {}) {
            assert_eq!(embeddings.dim(), (3, encoder.embedding_dim()));
        }
    }
});

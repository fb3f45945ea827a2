//! A decoder's GGUF file.
#![no_main]

use std::fs;

use libfuzzer_sys::fuzz_target;
use proclivity_encoder::Decoder;

fuzz_target!(|bytes: &[u8]| {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("model.gguf");
    fs::write(&path, bytes).expect("a file");
    let device = "flex".parse().expect("a device");
    if let Ok(decoder) = Decoder::load(&path, &device) {
        if let Ok(scores) = decoder.score("a b", &[" c", ""]) {
            assert_eq!(scores.len(), 2);
        }
    }
});

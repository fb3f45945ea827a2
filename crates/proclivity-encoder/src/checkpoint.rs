//! Files of a checkpoint directory: JSON and tokenizers; its weights are in `weights`.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokenizers::Tokenizer;

use crate::EncoderError;

pub(crate) fn read(path: &Path) -> Result<Vec<u8>, EncoderError> {
    fs::read(path).map_err(|source| EncoderError::Io { path: path.to_owned(), source })
}

/// The bytes of a file, or nothing where there is none.
pub(crate) fn read_optional(path: &Path) -> Result<Option<Vec<u8>>, EncoderError> {
    if path.exists() { read(path).map(Some) } else { Ok(None) }
}

/// Writes a file beside its place and then renames it, so that a reader never sees half of it.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), EncoderError> {
    let io = |source| EncoderError::Io { path: path.to_owned(), source };
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory).map_err(io)?;
    }
    let temporary: PathBuf = path.with_extension(format!("{}.tmp", std::process::id()));
    let written = fs::File::create(&temporary).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.and_then(|()| fs::rename(&temporary, path)).map_err(|source| {
        // Best effort: the error that matters is the one returned.
        let _ = fs::remove_file(&temporary);
        io(source)
    })
}

pub(crate) fn parse_json<T: DeserializeOwned>(
    path: &Path,
    bytes: &[u8],
) -> Result<T, EncoderError> {
    serde_json::from_slice(bytes)
        .map_err(|source| EncoderError::Json { path: path.to_owned(), source })
}

/// A `config.json` of one of these families; another family's is refused before what it lacks.
pub(crate) fn parse_config<T: DeserializeOwned>(
    path: &Path,
    bytes: &[u8],
    families: &[&str],
    expected: &'static str,
) -> Result<T, EncoderError> {
    #[derive(Deserialize)]
    struct Family {
        model_type: String,
    }
    let Family { model_type } = parse_json(path, bytes)?;
    if !families.contains(&model_type.as_str()) {
        return Err(EncoderError::Unsupported {
            path: path.to_owned(),
            field: "model_type",
            value: model_type,
            expected,
        });
    }
    parse_json(path, bytes)
}

/// A tokenizer all of whose ids, those that it puts around a text included, have a row in an embedding
/// table; it neither pads nor truncates.
pub(crate) fn parse_tokenizer(
    path: &Path,
    bytes: &[u8],
    rows: usize,
) -> Result<Tokenizer, EncoderError> {
    let invalid = |source| EncoderError::Tokenizer { path: path.to_owned(), source };
    let mut tokenizer = Tokenizer::from_bytes(bytes).map_err(invalid)?;
    tokenizer.with_padding(None).with_truncation(None).map_err(invalid)?;
    // Where a text can't be tokenized, that is an error later.
    let around = tokenizer.encode_fast("a", true).ok();
    let around = around.iter().flat_map(|encoding| encoding.get_ids().to_vec());
    let largest_id = tokenizer.get_vocab(true).into_values().chain(around).max().unwrap_or(0);
    if largest_id as usize >= rows {
        return Err(EncoderError::Vocabulary { path: path.to_owned(), largest_id, rows });
    }
    Ok(tokenizer)
}

//! Files of a checkpoint directory: JSON and tokenizers; its weights are in `weights`.

use std::fs;
use std::path::Path;

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

pub(crate) fn parse_json<T: DeserializeOwned>(
    path: &Path,
    bytes: &[u8],
) -> Result<T, EncoderError> {
    serde_json::from_slice(bytes)
        .map_err(|source| EncoderError::Json { path: path.to_owned(), source })
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

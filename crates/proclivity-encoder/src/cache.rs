//! Embeddings kept on disk under a hash of all they depend on.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use ndarray::Array2;
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};

use crate::checkpoint::write_whole;
use crate::{EncoderError, TextEncoder};

/// Embeds texts, or reads their embeddings back where the same encoder has embedded the same texts
/// before.
///
/// The file is named by a hash of the encoder's [fingerprint](TextEncoder::fingerprint) (weights,
/// tokenizer, settings) and of all texts. It holds that hash as well: a file that is damaged,
/// truncated or another's is made anew. It is written beside its place and then renamed, so that a
/// reader never sees half of it.
///
/// # Shapes
/// `[texts.len(), embedding_dim]`
///
/// # Errors
/// As for [`TextEncoder::embed`], and [`EncoderError::Io`] when the cache can't be written.
pub fn embed_cached(
    encoder: &impl TextEncoder,
    texts: &[&str],
    directory: &Path,
    progress: &mut dyn FnMut(usize),
) -> Result<Array2<f32>, EncoderError> {
    let key = key(encoder.fingerprint(), texts);
    let path = directory.join(format!("{key}.safetensors"));
    let shape = (texts.len(), encoder.embedding_dim());
    if let Some(embeddings) = fs::read(&path).ok().and_then(|bytes| decode(&bytes, &key, shape)) {
        progress(texts.len());
        return Ok(embeddings);
    }
    let embeddings = encoder.embed(texts, progress)?;
    let bytes = encode(&embeddings, &key)
        .map_err(|source| EncoderError::Safetensors { path: path.clone(), source })?;
    write_whole(&path, &bytes)?;
    Ok(embeddings)
}

fn key(fingerprint: &str, texts: &[&str]) -> String {
    let mut hash = blake3::Hasher::new_derive_key("proclivity embeddings 1");
    for text in std::iter::once(&fingerprint).chain(texts) {
        hash.update(&(text.len() as u64).to_le_bytes());
        hash.update(text.as_bytes());
    }
    hash.finalize().to_hex().to_string()
}

/// What proves that the bytes are whole and belong to the key.
fn seal(key: &str, bytes: &[u8]) -> String {
    format!("{key} {}", blake3::hash(bytes).to_hex())
}

fn encode(embeddings: &Array2<f32>, key: &str) -> Result<Vec<u8>, safetensors::SafeTensorError> {
    let bytes: Vec<u8> = embeddings.iter().flat_map(|x| x.to_le_bytes()).collect();
    let tensor = TensorView::new(Dtype::F32, embeddings.shape().to_vec(), &bytes)?;
    // One entry: with more, their order would differ from file to file.
    let metadata = HashMap::from([("seal".to_owned(), seal(key, &bytes))]);
    safetensors::serialize([("embeddings", tensor)], Some(metadata))
}

fn decode(bytes: &[u8], key: &str, (rows, columns): (usize, usize)) -> Option<Array2<f32>> {
    let (_, header) = SafeTensors::read_metadata(bytes).ok()?;
    let metadata = header.metadata().as_ref()?;
    let file = SafeTensors::deserialize(bytes).ok()?;
    let tensor = file.tensor("embeddings").ok()?;
    let sound = metadata.get("seal") == Some(&seal(key, tensor.data()))
        && tensor.dtype() == Dtype::F32
        && tensor.shape() == [rows, columns];
    let floats =
        tensor.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
    if sound { Array2::from_shape_vec((rows, columns), floats.collect()).ok() } else { None }
}

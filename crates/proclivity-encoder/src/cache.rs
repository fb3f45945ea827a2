//! Embeddings and scores kept on disk under a hash of all they depend on.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use ndarray::{Array2, ArrayView1};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};

use crate::checkpoint::write_whole;
use crate::{EncoderError, LanguageModel, TextEncoder};

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
    let key = key("proclivity embeddings 1", encoder.fingerprint(), texts);
    let shape = (texts.len(), encoder.embedding_dim());
    if let Some(embeddings) = cached(directory, &key, "embeddings", shape) {
        progress(texts.len());
        return Ok(embeddings);
    }
    keep(directory, &key, "embeddings", encoder.embed(texts, progress)?)
}

/// Continuations that are scored between two words of progress.
const CONTINUATIONS: usize = 128;

/// log P of each continuation behind each prompt, in nats, or what was kept of it.
///
/// There is a file for each prompt, as [`embed_cached`]'s, named by a hash of the model's
/// fingerprint, the prompt and all continuations: a run that was stopped goes on behind the last
/// prompt that it finished, and one more prompt costs its own row. `progress` is told how many
/// scores there are.
///
/// # Shapes
/// `[prompts.len(), continuations.len()]`
///
/// # Errors
/// As for [`LanguageModel::log_probs`], and [`EncoderError::Io`] when the cache can't be written.
pub fn score_cached(
    model: &(impl LanguageModel + TextEncoder),
    prompts: &[&str],
    continuations: &[&str],
    directory: &Path,
    progress: &mut dyn FnMut(usize),
) -> Result<Array2<f32>, EncoderError> {
    let mut scores = Array2::zeros((prompts.len(), continuations.len()));
    let mut done = 0;
    for (prompt, mut row) in prompts.iter().zip(scores.rows_mut()) {
        let texts: Vec<&str> = std::iter::once(prompt).chain(continuations).copied().collect();
        let key = key("proclivity scores 1", model.fingerprint(), &texts);
        let shape = (1, continuations.len());
        if let Some(kept) = cached(directory, &key, "scores", shape) {
            row.assign(&kept.row(0));
            done += continuations.len();
        } else {
            let mut log_probs = Vec::with_capacity(continuations.len());
            for some in continuations.chunks(CONTINUATIONS) {
                let more = model.log_probs(prompt, some)?;
                log_probs.extend(more.into_iter().map(|log_prob| log_prob as f32));
                done += some.len();
                progress(done);
            }
            row.assign(&ArrayView1::from(&log_probs));
            keep(directory, &key, "scores", row.to_owned().insert_axis(ndarray::Axis(0)))?;
        }
        progress(done);
    }
    Ok(scores)
}

fn cached(directory: &Path, key: &str, name: &str, shape: (usize, usize)) -> Option<Array2<f32>> {
    let bytes = fs::read(directory.join(format!("{key}.safetensors"))).ok()?;
    decode(&bytes, key, name, shape)
}

fn keep(
    directory: &Path,
    key: &str,
    name: &str,
    values: Array2<f32>,
) -> Result<Array2<f32>, EncoderError> {
    let path = directory.join(format!("{key}.safetensors"));
    let bytes = encode(&values, key, name)
        .map_err(|source| EncoderError::Safetensors { path: path.clone(), source })?;
    write_whole(&path, &bytes)?;
    Ok(values)
}

fn key(context: &str, fingerprint: &str, texts: &[&str]) -> String {
    let mut hash = blake3::Hasher::new_derive_key(context);
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

fn encode(
    values: &Array2<f32>,
    key: &str,
    name: &str,
) -> Result<Vec<u8>, safetensors::SafeTensorError> {
    let bytes: Vec<u8> = values.iter().flat_map(|x| x.to_le_bytes()).collect();
    let tensor = TensorView::new(Dtype::F32, values.shape().to_vec(), &bytes)?;
    // One entry: with more, their order would differ from file to file.
    let metadata = HashMap::from([("seal".to_owned(), seal(key, &bytes))]);
    safetensors::serialize([(name, tensor)], Some(metadata))
}

fn decode(
    bytes: &[u8],
    key: &str,
    name: &str,
    (rows, columns): (usize, usize),
) -> Option<Array2<f32>> {
    let (_, header) = SafeTensors::read_metadata(bytes).ok()?;
    let metadata = header.metadata().as_ref()?;
    let file = SafeTensors::deserialize(bytes).ok()?;
    let tensor = file.tensor(name).ok()?;
    let sound = metadata.get("seal") == Some(&seal(key, tensor.data()))
        && tensor.dtype() == Dtype::F32
        && tensor.shape() == [rows, columns];
    let floats =
        tensor.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
    if sound { Array2::from_shape_vec((rows, columns), floats.collect()).ok() } else { None }
}

//! GGUF files, as llama.cpp writes them: their tensors under the names that a checkpoint has.

mod metadata;
mod tokenizer;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use burn::tensor::TensorData;
use candle_core::Device;
use candle_core::quantized::gguf_file::Content;

use crate::EncoderError;
use crate::weights::{WeightFile, check_finite, check_shape};

/// Tensors of a block, `blk.N.` in the file and `model.layers.N.` in a checkpoint.
const OF_BLOCK: [(&str, &str); 11] = [
    ("attn_norm", "input_layernorm"),
    ("attn_q", "self_attn.q_proj"),
    ("attn_k", "self_attn.k_proj"),
    ("attn_v", "self_attn.v_proj"),
    ("attn_q_norm", "self_attn.q_norm"),
    ("attn_k_norm", "self_attn.k_norm"),
    ("attn_output", "self_attn.o_proj"),
    ("ffn_norm", "post_attention_layernorm"),
    ("ffn_gate", "mlp.gate_proj"),
    ("ffn_up", "mlp.up_proj"),
    ("ffn_down", "mlp.down_proj"),
];
const EMBEDDINGS: &str = "token_embd.weight";
/// What llama.cpp divides the rotary frequencies by, where it isn't 1.
const ROTARY_FACTORS: &str = "rope_freqs.weight";

pub(crate) struct GgufFile {
    path: PathBuf,
    content: Content,
    reader: RefCell<CheckedReader>,
    /// The model's name of each tensor and the file's.
    names: BTreeMap<String, String>,
    /// Heads of queries and of keys, where their rows lie as llama.cpp turns them.
    turned: Option<[usize; 2]>,
}

impl GgufFile {
    pub(crate) fn open(path: &Path) -> Result<Self, EncoderError> {
        let file = File::open(path)
            .map_err(|source| EncoderError::Io { path: path.to_owned(), source })?;
        let mut reader = CheckedReader { file: BufReader::new(file), state: Reading::Anything };
        let content = Content::read(&mut reader).map_err(|source| EncoderError::Gguf {
            path: path.to_owned(),
            source: source.into(),
        })?;
        let names = content.tensor_infos.keys();
        let names =
            names.map(|name| (model_name(name).unwrap_or_else(|| name.clone()), name.clone()));
        let mut file = Self {
            path: path.to_owned(),
            names: names.collect(),
            content,
            reader: RefCell::new(reader),
            turned: None,
        };
        file.turned = file.turned_heads()?;
        Ok(file)
    }

    fn shape(&self, tensor: &str) -> Option<&[usize]> {
        self.content.tensor_infos.get(tensor).map(|info| info.shape.dims())
    }

    fn stored_name(&self, name: &str) -> Result<&str, EncoderError> {
        self.names.get(name).map(String::as_str).ok_or_else(|| EncoderError::MissingTensor {
            path: self.path.clone(),
            tensor: name.to_owned(),
        })
    }

    /// A tensor by the file's name.
    fn values(&self, tensor: &str) -> Result<Vec<f32>, EncoderError> {
        let mut reader = self.reader.borrow_mut();
        let read = self
            .content
            .tensor(&mut *reader, tensor, &Device::Cpu)
            .and_then(|tensor| tensor.dequantize(&Device::Cpu)?.flatten_all()?.to_vec1::<f32>());
        read.map_err(|source| EncoderError::Gguf { path: self.path.clone(), source: source.into() })
    }
}

impl WeightFile for GgufFile {
    fn path(&self) -> &Path {
        &self.path
    }

    fn names(&self) -> Vec<String> {
        self.names.keys().filter(|&name| name != ROTARY_FACTORS).cloned().collect()
    }

    fn contains(&self, name: &str) -> bool {
        self.names.contains_key(name)
    }

    fn check(&self, name: &str, shape: &[usize]) -> Result<(), EncoderError> {
        let stored = self.stored_name(name)?;
        check_shape(&self.path, stored, shape, self.shape(stored).unwrap_or_default())
    }

    fn read(&self, name: &str, shape: &[usize]) -> Result<TensorData, EncoderError> {
        self.check(name, shape)?;
        let stored = self.stored_name(name)?;
        let values = self.values(stored)?;
        check_finite(&self.path, stored, &values)?;
        let heads = self.turned.and_then(|[queries, keys]| {
            let of = |projection: &str| name.contains(projection);
            if of("self_attn.q_proj.") {
                Some(queries)
            } else {
                of("self_attn.k_proj.").then_some(keys)
            }
        });
        let columns = shape.get(1).copied().unwrap_or(1);
        let values = match heads {
            Some(heads) => turn_back(&values, heads, columns),
            None => values,
        };
        Ok(TensorData::new(values, shape.to_vec()))
    }
}

fn model_name(stored: &str) -> Option<String> {
    let (tensor, kind) = stored.rsplit_once('.')?;
    let name = match tensor {
        "token_embd" => "model.embed_tokens".to_owned(),
        "output_norm" => "model.norm".to_owned(),
        "output" => "lm_head".to_owned(),
        _ => {
            let (block, part) = tensor.strip_prefix("blk.")?.split_once('.')?;
            let (_, part) = OF_BLOCK.iter().find(|(stored, _)| *stored == part)?;
            format!("model.layers.{block}.{part}")
        }
    };
    Some(format!("{name}.{kind}"))
}

/// llama.cpp turns neighbouring rows of a head against one another, where checkpoints turn its first
/// half against its second.
fn turn_back(values: &[f32], heads: usize, columns: usize) -> Vec<f32> {
    let mut out = Vec::with_capacity(values.len());
    for head in values.chunks_exact((values.len() / heads).max(1)) {
        for half in 0..2 {
            head.chunks_exact(columns).skip(half).step_by(2).for_each(|row| out.extend(row));
        }
    }
    out
}

/// A reader that refuses an alignment of 0, by which candle 0.11 would divide.
struct CheckedReader {
    file: BufReader<File>,
    state: Reading,
}

enum Reading {
    Anything,
    /// The key of the alignment was read.
    AlignmentType,
    AlignmentValue,
}

impl Read for CheckedReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read(buffer)
    }

    fn read_exact(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        self.file.read_exact(buffer)?;
        self.state = match self.state {
            Reading::AlignmentType => Reading::AlignmentValue,
            Reading::AlignmentValue if buffer.iter().all(|&byte| byte == 0) => {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "general.alignment is 0"));
            }
            // A key may end with zeros, which candle takes off.
            _ if buffer.strip_prefix(b"general.alignment").is_some_and(only_zeros) => {
                Reading::AlignmentType
            }
            _ => Reading::Anything,
        };
        Ok(())
    }
}

fn only_zeros(bytes: &[u8]) -> bool {
    bytes.iter().all(|&byte| byte == 0)
}

impl Seek for CheckedReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }

    fn stream_position(&mut self) -> io::Result<u64> {
        self.file.stream_position()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_a_head_go_back_to_halves() {
        let rows: Vec<f32> = (0..16).map(|x| x as f32).collect();
        let expected = [0., 1., 4., 5., 2., 3., 6., 7., 8., 9., 12., 13., 10., 11., 14., 15.];
        assert_eq!(turn_back(&rows, 2, 2), expected);
    }
}

//! The files of a decoder's checkpoint: those of a directory, or the one that llama.cpp makes of them.

use std::path::{Path, PathBuf};

use tokenizers::Tokenizer;

use super::config::{DecoderConfig, GenerationFile};
use crate::EncoderError;
use crate::checkpoint::{parse_json, parse_tokenizer, read, read_optional};
use crate::weights::WeightFiles;

/// All that a decoder is made of.
pub(super) struct Checkpoint {
    pub(super) config: DecoderConfig,
    pub(super) config_path: PathBuf,
    pub(super) config_bytes: Vec<u8>,
    tokenizer_path: PathBuf,
    pub(super) tokenizer_bytes: Vec<u8>,
    generation: GenerationFile,
    pub(super) weights: WeightFiles,
}

impl Checkpoint {
    /// Of a directory, or a file that ends in `.gguf`.
    pub(super) fn open(path: &Path) -> Result<Self, EncoderError> {
        let is_gguf =
            path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("gguf"));
        let checkpoint = if is_gguf && !path.is_dir() {
            Self::of_gguf(path)?
        } else {
            Self::of_directory(path)?
        };
        checkpoint.config.validate(&checkpoint.config_path)?;
        Ok(checkpoint)
    }

    pub(super) fn tokenizer(&self) -> Result<Tokenizer, EncoderError> {
        parse_tokenizer(&self.tokenizer_path, &self.tokenizer_bytes, self.config.vocab_size)
    }

    /// The tokens that end a text, and the one that stands before an empty prompt.
    pub(super) fn special_tokens(&self) -> (Vec<u32>, Option<u32>) {
        self.config.special_tokens(self.generation.clone())
    }

    fn of_directory(directory: &Path) -> Result<Self, EncoderError> {
        let config_path = directory.join("config.json");
        let config_bytes = read(&config_path)?;
        let config = DecoderConfig::parse(&config_path, &config_bytes)?;
        let tokenizer_path = directory.join("tokenizer.json");
        let tokenizer_bytes = read(&tokenizer_path)?;
        let generation_path = directory.join("generation_config.json");
        let generation = match read_optional(&generation_path)? {
            Some(bytes) => parse_json(&generation_path, &bytes)?,
            None => GenerationFile::default(),
        };
        let weights = WeightFiles::open(directory)?;
        Ok(Self {
            config,
            config_path,
            config_bytes,
            tokenizer_path,
            tokenizer_bytes,
            generation,
            weights,
        })
    }

    #[cfg(feature = "gguf")]
    fn of_gguf(path: &Path) -> Result<Self, EncoderError> {
        let file = crate::gguf::GgufFile::open(path)?;
        let config_bytes = file.config()?.to_string().into_bytes();
        let mut config = DecoderConfig::parse(path, &config_bytes)?;
        config.rotary_factors = file.rotary_factors()?;
        let beside = path.with_file_name("tokenizer.json");
        let (tokenizer_path, tokenizer_bytes) = match file.tokenizer()? {
            Some(bytes) => (path.to_owned(), bytes),
            None => match read_optional(&beside)? {
                Some(bytes) => (beside, bytes),
                None => {
                    return Err(EncoderError::Unsupported {
                        path: path.to_owned(),
                        field: "tokenizer.ggml.pre",
                        value: file.tokenizer_kind(),
                        expected: "gpt-2, smollm, qwen2 or llama-bpe of gpt2, or a tokenizer.json beside the file",
                    });
                }
            },
        };
        Ok(Self {
            config,
            config_path: path.to_owned(),
            config_bytes,
            tokenizer_path,
            tokenizer_bytes,
            generation: GenerationFile::default(),
            weights: WeightFiles::of(file),
        })
    }

    #[cfg(not(feature = "gguf"))]
    fn of_gguf(_: &Path) -> Result<Self, EncoderError> {
        Err(EncoderError::FeatureNotCompiled { what: "a GGUF file", feature: "gguf" })
    }
}

//! A loaded checkpoint whose network can be trained.

use std::path::{Path, PathBuf};

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::Tensor;

use super::lora::{self, LoraConfig};
use super::parameters::{Names, State};
use crate::EncoderError;

/// A network, where it comes from and what its parameters are called there.
#[derive(Debug, Clone)]
pub(super) struct Checkpoint<M> {
    pub(super) directory: PathBuf,
    /// Where the weights lie.
    pub(super) transformer: PathBuf,
    /// Without autodiff.
    pub(super) network: M,
    pub(super) names: Names,
    pub(super) lora: Option<LoraConfig>,
}

impl<M: Module> Checkpoint<M> {
    pub(super) fn attach(mut self, config: &LoraConfig) -> Result<Self, EncoderError> {
        self.check_plain()?;
        self.network = config.attach(self.network, &self.names)?;
        self.lora = Some(config.clone());
        Ok(self)
    }

    pub(super) fn load_adapters(mut self, directory: &Path) -> Result<Self, EncoderError> {
        self.check_plain()?;
        let (network, config) = lora::load(directory, self.network, &self.names)?;
        (self.network, self.lora) = (network, Some(config));
        Ok(self)
    }

    fn check_plain(&self) -> Result<(), EncoderError> {
        if self.lora.is_some() { Err(EncoderError::SecondAdapter) } else { Ok(()) }
    }

    pub(super) fn save_adapters(&self, directory: &Path) -> Result<(), EncoderError> {
        let config = self.lora.as_ref().ok_or(EncoderError::NoAdapter)?;
        lora::save(directory, config, &self.network, &self.names, &self.directory)
    }

    /// Adapters merged.
    pub(super) fn state(&self) -> State {
        self.names.state(&self.network)
    }

    pub(super) fn save(&self, directory: &Path) -> Result<(), EncoderError> {
        super::save::save(&self.directory, &self.transformer, &self.state(), directory)
    }

    /// Of the weights as they are, and of which of them are trained.
    pub(super) fn hash(&self) -> blake3::Hasher {
        struct Trained<'a>(&'a mut blake3::Hasher);
        impl ModuleVisitor for Trained<'_> {
            fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
                self.0.update(&[u8::from(param.base().is_require_grad())]);
            }
        }
        let mut hash = blake3::Hasher::new_derive_key("proclivity fine-tuning 1");
        for (name, values) in self.state() {
            hash.update(&(name.len() as u64).to_le_bytes());
            hash.update(name.as_bytes());
            hash.update(values.as_bytes());
        }
        hash.update(format!("{:?}", self.lora).as_bytes());
        self.network.clone().train().visit(&mut Trained(&mut hash));
        hash
    }
}

//! A next-item model as a directory: settings and weights.

use std::path::Path;

use ndarray::Array2;
use serde::{Deserialize, Serialize};

use super::network::Network;
use super::{NextItemConfig, NextItemModel};
use crate::checkpoint::{parse_json, read, write_whole};
use crate::parameters::{filled, named};
use crate::weights::{WeightFiles, safetensors};
use crate::{ComputeDevice, EncoderError};

const CONFIG: &str = "config.json";
const WEIGHTS: &str = "model.safetensors";
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Settings {
    model_type: String,
    version: u32,
    items: usize,
    model: NextItemConfig,
}

impl NextItemModel {
    const TYPE: &str = "proclivity-next-item";

    /// Writes `config.json` and `model.safetensors` into a directory, which is created where it
    /// isn't there.
    ///
    /// # Errors
    /// When a file can't be written.
    pub fn save(&self, directory: &Path) -> Result<(), EncoderError> {
        let path = directory.join(CONFIG);
        let settings = Settings {
            model_type: Self::TYPE.to_owned(),
            version: VERSION,
            items: self.items,
            model: self.config.clone(),
        };
        let settings = serde_json::to_vec_pretty(&settings)
            .map_err(|source| EncoderError::Json { path: path.clone(), source })?;
        write_whole(&path, &settings)?;
        let path = directory.join(WEIGHTS);
        let weights = safetensors(named(&self.network, ""), None, &path)?;
        write_whole(&path, &weights)
    }

    /// Reads a directory that [`save`](Self::save) wrote.
    ///
    /// # Errors
    /// When a file is missing, damaged, of another version or doesn't fit the other.
    pub fn load(directory: &Path, device: &ComputeDevice) -> Result<Self, EncoderError> {
        /// As many as a 32-bit index tells apart on every backend.
        const MOST_ITEMS: usize = i32::MAX as usize;
        let path = directory.join(CONFIG);
        let Settings { model_type, version, items, model: config } =
            parse_json(&path, &read(&path)?)?;
        let unsupported = |field, value, expected| {
            Err(EncoderError::Unsupported { path: path.clone(), field, value, expected })
        };
        if model_type != Self::TYPE {
            return unsupported("model_type", model_type, Self::TYPE);
        }
        if version != VERSION {
            return unsupported("version", version.to_string(), "1");
        }
        if !(1..=MOST_ITEMS).contains(&items) {
            return unsupported("items", items.to_string(), "1 to 2147483647");
        }
        config.validate()?;
        let files = WeightFiles::open(directory)?;
        // The file's own item vectors: a false number of items allocates nothing.
        files.check("items", &[items, config.width])?;
        let empty = Array2::zeros((items, config.width));
        let plain = device.burn().clone().inner();
        let network = Network::new(&config, empty.view(), &vec![0.0; items], 0, &plain);
        let network = filled(network, "", &files, false)?;
        files.finish(|_| false)?;
        Ok(Self::assemble(config, network, items, device))
    }
}

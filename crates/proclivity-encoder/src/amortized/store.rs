//! A network as one safetensors file.

use std::collections::HashMap;
use std::path::Path;

use burn::module::Param;
use burn::tensor::{Tensor, TensorData};
use ndarray::Array2;
use serde::{Deserialize, Serialize};

use super::DirichletNetwork;
use super::network::{Layer, Network};
use crate::checkpoint::write_whole;
use crate::weights::{WeightFiles, safetensors};
use crate::{ComputeDevice, EncoderError};

/// The key of the metadata.
const SHAPE: &str = "dirichlet_network";
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Shape {
    version: u32,
    kinds: usize,
    features: usize,
    width: usize,
    components: usize,
    interests: usize,
}

impl DirichletNetwork {
    /// Writes the network and its event vectors into a safetensors file, whole or not at all.
    ///
    /// # Errors
    /// When the file can't be written.
    pub fn save(&self, path: &Path) -> Result<(), EncoderError> {
        let (kinds, features) = self.event_vectors.dim();
        let Network { event, deeper, set, output, components } = &self.network;
        let (components, interests) = (*components, self.network.interests());
        let width = output.weight.dims()[0];
        let shape = Shape { version: VERSION, kinds, features, width, components, interests };
        let shape = serde_json::to_string(&shape)
            .map_err(|source| EncoderError::Json { path: path.to_owned(), source })?;
        let vectors = self.event_vectors.iter().copied().collect();
        let vectors = TensorData::new::<f32, _>(vectors, [kinds, features]);
        let mut tensors = vec![("event_vectors".to_owned(), vectors)];
        for (name, layer) in
            [("event", event), ("deeper", deeper), ("set", set), ("output", output)]
        {
            tensors.push((format!("{name}.weight"), layer.weight.val().into_data()));
            tensors.push((format!("{name}.bias"), layer.bias.val().into_data()));
        }
        let metadata = HashMap::from([(SHAPE.to_owned(), shape)]);
        write_whole(path, &safetensors(tensors, Some(metadata), path)?)
    }

    /// Reads a file that [`save`](Self::save) wrote.
    ///
    /// # Errors
    /// When the file is missing, damaged, or no Dirichlet network.
    pub fn load(path: &Path, device: &ComputeDevice) -> Result<Self, EncoderError> {
        let files = WeightFiles::open_file(path.to_owned())?;
        let shape: Shape = serde_json::from_str(files.metadata(SHAPE).unwrap_or_default())
            .map_err(|source| EncoderError::Json { path: path.to_owned(), source })?;
        let Shape { version, kinds, features, width, components, interests } = shape;
        if version != VERSION {
            return Err(EncoderError::Unsupported {
                path: path.to_owned(),
                field: "version",
                value: version.to_string(),
                expected: "1",
            });
        }
        if components == 0 || interests == 0 {
            return Err(EncoderError::Unsupported {
                path: path.to_owned(),
                field: "components and interests",
                value: format!("{components} and {interests}"),
                expected: "at least one of each",
            });
        }
        let burn = device.burn().clone().inner();
        let layer = |name: &str, from: usize, to: usize| {
            let weight: Tensor<2> = files.take(&format!("{name}.weight"), [from, to], &burn)?;
            let bias: Tensor<1> = files.take(&format!("{name}.bias"), [to], &burn)?;
            Ok::<_, EncoderError>(Layer {
                weight: Param::from_tensor(weight),
                bias: Param::from_tensor(bias),
            })
        };
        let network = Network {
            event: layer("event", features, width)?,
            deeper: layer("deeper", width, width)?,
            set: layer("set", width + 1, width)?,
            output: layer("output", width, components * (1 + interests))?,
            components,
        };
        let vectors = files.take_data("event_vectors", &[kinds, features])?;
        let vectors = vectors.try_into_vec_as::<f32>().unwrap_or_default();
        let event_vectors = Array2::from_shape_vec((kinds, features), vectors).unwrap_or_default();
        files.finish(|_| false)?;
        Ok(Self { network, event_vectors })
    }
}

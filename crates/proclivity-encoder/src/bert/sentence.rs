//! The files that sentence-transformers puts beside a checkpoint: modules, pooling, dense layers,
//! prompts, limits.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use burn::tensor::{Tensor, TensorData};
use ndarray::{Array1, Array2, ArrayView2};
use serde::Deserialize;

use super::activation::Activation;
use super::pooling::Pooling;
use crate::EncoderError;
use crate::checkpoint::{parse_json, read, read_optional};
use crate::weights::WeightFiles;

/// A member of `modules.json`.
#[derive(Debug, Clone, Deserialize)]
struct Module {
    #[serde(rename = "type")]
    class: String,
    path: String,
}

/// `modules.json`: what a text goes through, in order.
#[derive(Debug)]
pub(crate) struct Modules {
    path: PathBuf,
    directory: PathBuf,
    /// `None`: there is no such file.
    modules: Option<Vec<Module>>,
}

/// What follows pooling.
#[derive(Debug, Clone)]
pub(super) enum Layer {
    Dense(Dense),
    Normalize,
}

/// A fully connected layer.
#[derive(Debug, Clone)]
pub(super) struct Dense {
    /// `[from, to]`
    weight: Array2<f32>,
    /// `[to]`
    bias: Option<Array1<f32>>,
    activation: Activation,
}

#[derive(Deserialize)]
struct DenseConfig {
    in_features: usize,
    out_features: usize,
    #[serde(default = "yes")]
    bias: bool,
    activation_function: String,
}

fn yes() -> bool {
    true
}

impl Modules {
    /// Reads the file, if there is one, and checks that it names modules that are known in an order
    /// that makes sense.
    pub(crate) fn read(directory: &Path) -> Result<Self, EncoderError> {
        let path = directory.join("modules.json");
        let modules = match read_optional(&path)? {
            Some(bytes) => Some(parse_json::<Vec<Module>>(&path, &bytes)?),
            None => None,
        };
        for (place, module) in modules.iter().flatten().enumerate() {
            let fits = match module.kind() {
                Some("Transformer") => place == 0,
                Some("Pooling") => place == 1,
                Some("Dense" | "Normalize") => place > 1,
                _ => false,
            };
            let refuse = |field, value: &String, expected| {
                Err(EncoderError::Unsupported {
                    path: path.clone(),
                    field,
                    value: value.clone(),
                    expected,
                })
            };
            if !fits {
                let expected = "Transformer, Pooling and then any of Dense and Normalize, of sentence_transformers.models";
                return refuse("type", &module.class, expected);
            }
            let inside = |part| matches!(part, Component::Normal(_) | Component::CurDir);
            if !Path::new(&module.path).components().all(inside) {
                return refuse("path", &module.path, "a path inside the model's directory");
            }
        }
        if let Some(modules) = &modules
            && modules.len() < 2
        {
            return Err(EncoderError::Unsupported {
                path,
                field: "modules",
                value: modules.len().to_string(),
                expected: "at least Transformer and Pooling",
            });
        }
        Ok(Self { path, directory: directory.to_owned(), modules })
    }

    /// Where the modules' files lie, below the directory.
    #[cfg(feature = "hub")]
    pub(crate) fn paths(&self) -> impl Iterator<Item = &str> {
        self.modules.iter().flatten().map(|module| module.path.as_str())
    }

    fn at(&self, place: usize) -> Option<PathBuf> {
        let module = self.modules.as_ref()?.get(place)?;
        Some(self.directory.join(&module.path))
    }

    /// Where the transformer's files lie.
    pub(super) fn transformer(&self) -> PathBuf {
        self.at(0).unwrap_or_else(|| self.directory.clone())
    }

    /// The pooling of tokens of `width` numbers: the mean, where no file says otherwise.
    pub(super) fn pooling(&self, width: usize) -> Result<Pooling, EncoderError> {
        let named = self.at(1).map(|directory| directory.join("config.json"));
        if let Some(path) = named {
            return Pooling::parse(&path, &read(&path)?, width);
        }
        let path = self.directory.join("1_Pooling").join("config.json");
        match read_optional(&path)? {
            Some(bytes) => Pooling::parse(&path, &bytes, width),
            None => Ok(Pooling::default()),
        }
    }

    /// What follows pooling, and how many numbers come out in the end.
    pub(super) fn layers(
        &self,
        mut dim: usize,
        hash: &mut blake3::Hasher,
    ) -> Result<(Vec<Layer>, usize), EncoderError> {
        let mut layers = Vec::new();
        for module in self.modules.iter().flatten().skip(2) {
            let layer = match module.kind() {
                Some("Dense") => {
                    let dense = Dense::load(&self.directory.join(&module.path), dim, hash)?;
                    dim = dense.weight.ncols();
                    hash.update(format!("Dense {:?} ", dense.activation).as_bytes());
                    Layer::Dense(dense)
                }
                _ => {
                    hash.update(b"Normalize ");
                    Layer::Normalize
                }
            };
            layers.push(layer);
        }
        if dim == 0 {
            return Err(EncoderError::Unsupported {
                path: self.path.clone(),
                field: "out_features",
                value: "0".to_owned(),
                expected: "a number from 1",
            });
        }
        Ok((layers, dim))
    }
}

impl Module {
    fn kind(&self) -> Option<&str> {
        self.class.strip_prefix("sentence_transformers.models.")?.rsplit('.').next()
    }
}

impl Dense {
    fn load(directory: &Path, dim: usize, hash: &mut blake3::Hasher) -> Result<Self, EncoderError> {
        let path = directory.join("config.json");
        let config: DenseConfig = parse_json(&path, &read(&path)?)?;
        let (from, to) = (config.in_features, config.out_features);
        let refuse = |field, value, expected| {
            Err(EncoderError::Unsupported { path: path.clone(), field, value, expected })
        };
        if from != dim {
            return refuse("in_features", from.to_string(), "as many as the module before gives");
        }
        let Some(activation) = Activation::of_class(&config.activation_function) else {
            return refuse("activation_function", config.activation_function, Activation::CLASSES);
        };
        let weights = WeightFiles::open(directory)?;
        weights.hash(hash)?;
        let values = |name, shape: &[usize]| {
            let data = weights.take_data(name, shape)?;
            Ok::<_, EncoderError>(data.try_into_vec::<f32>().unwrap_or_default())
        };
        // PyTorch keeps [to, from]; `take_data` has checked the shape.
        let weight = Array2::from_shape_vec((to, from), values("linear.weight", &[to, from])?);
        let weight = weight.unwrap_or_default().reversed_axes();
        let bias = config.bias.then(|| values("linear.bias", &[to])).transpose()?;
        weights.finish(|_| false)?;
        Ok(Self { weight, bias: bias.map(Array1::from_vec), activation })
    }
}

impl Layer {
    /// # Shapes
    /// `[texts, from]` → `[texts, to]`
    pub(super) fn forward(&self, vectors: &ArrayView2<'_, f32>) -> Array2<f32> {
        match self {
            Self::Dense(Dense { weight, bias, activation }) => {
                let mut out = Array2::zeros((vectors.nrows(), weight.ncols()));
                // A text at a time, so that none depends on how many there are.
                for (vector, mut out) in vectors.rows().into_iter().zip(out.rows_mut()) {
                    out.assign(&vector.dot(weight));
                    if let Some(bias) = bias {
                        out += bias;
                    }
                    if let Some(values) = out.as_slice_mut() {
                        activation.apply(values);
                    }
                }
                out
            }
            Self::Normalize => {
                let mut out = vectors.to_owned();
                for mut vector in out.rows_mut() {
                    // PyTorch's bound: a vector of zeros stays one.
                    let norm = vector.dot(&vector).sqrt().max(1e-12);
                    vector /= norm;
                }
                out
            }
        }
    }
}

impl Layer {
    /// The same with gradients of the vectors; the layer's own weights are constants.
    ///
    /// # Shapes
    /// `[texts, from]` → `[texts, to]`
    pub(super) fn forward_tensor(&self, vectors: Tensor<2>) -> Tensor<2> {
        let device = vectors.device().inner();
        match self {
            Self::Dense(Dense { weight, bias, activation }) => {
                let shape = [weight.nrows(), weight.ncols()];
                let values: Vec<f32> = weight.iter().copied().collect();
                let weight = Tensor::<2>::from_data(TensorData::new(values, shape), &device);
                let mut out = vectors.matmul(weight);
                if let Some(bias) = bias {
                    let bias = TensorData::new(bias.to_vec(), [1, shape[1]]);
                    out = out + Tensor::<2>::from_data(bias, &device);
                }
                activation.forward(out)
            }
            Self::Normalize => unit(vectors),
        }
    }
}

/// Each row divided by its length.
///
/// # Shapes
/// `[texts, width]` → the same
pub(super) fn unit(vectors: Tensor<2>) -> Tensor<2> {
    let squares = (vectors.clone() * vectors.clone()).sum_dim(1);
    vectors * squares.clamp_min(1e-24).sqrt().recip()
}

/// `sentence_bert_config.json`.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct SentenceConfig {
    pub(super) max_seq_length: Option<usize>,
    #[serde(default)]
    pub(super) do_lower_case: bool,
}

/// `tokenizer_config.json`.
#[derive(Debug, Default, Deserialize)]
struct TokenizerConfig {
    /// Where nobody knows, 10³⁰.
    model_max_length: Option<f64>,
}

/// `config_sentence_transformers.json`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Prompts {
    pub(super) prompts: BTreeMap<String, String>,
    pub(super) default_prompt_name: Option<String>,
}

impl SentenceConfig {
    /// `max_seq_length` may stand in `tokenizer_config.json` instead.
    pub(super) fn read(directory: &Path) -> Result<Self, EncoderError> {
        let mut config: Self = optional_json(&directory.join("sentence_bert_config.json"))?;
        if config.max_seq_length.is_none() {
            let path = directory.join("tokenizer_config.json");
            let tokenizer: TokenizerConfig = optional_json(&path)?;
            // A float beyond the largest integer becomes that integer.
            config.max_seq_length = tokenizer.model_max_length.map(|length| length as usize);
        }
        Ok(config)
    }
}

impl Prompts {
    pub(super) fn read(directory: &Path) -> Result<(PathBuf, Self), EncoderError> {
        let path = directory.join("config_sentence_transformers.json");
        let prompts = optional_json(&path)?;
        Ok((path, prompts))
    }
}

fn optional_json<T: serde::de::DeserializeOwned + Default>(path: &Path) -> Result<T, EncoderError> {
    match read_optional(path)? {
        Some(bytes) => parse_json(path, &bytes),
        None => Ok(T::default()),
    }
}

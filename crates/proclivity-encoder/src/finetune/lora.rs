//! Low-rank adapters (LoRA) on linear layers, in the files that PEFT reads and writes.

use std::path::Path;

use burn::module::{Lora, Module, ModuleMapper, ModuleVisitor, Param, ParamGroup};
use burn::tensor::{Tensor, TensorData};
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution as _, StandardNormal};
use serde::{Deserialize, Serialize};

use super::parameters::{Name, Names, State, parameter_id};
use crate::EncoderError;
use crate::checkpoint::{parse_json, read, write_whole};
use crate::weights::{WeightFiles, safetensors};

/// Low-rank adapters: a layer's weights stay as they are, and alpha / rank · A · B is added to them.
///
/// | field | default | purpose | range |
/// |---|---|---|---|
/// | `rank` | 8 | columns of A and rows of B | 1 to 4096 |
/// | `alpha` | 16 | what the product is scaled by, times the rank | over 0 |
/// | `targets` | none, which means all | linear layers of the blocks by the end of their names, such as `query` or `q_proj` | |
/// | `seed` | 0 | of A; B begins at 0 | any |
///
/// # Source
/// Hu et al. 2022, LoRA: Low-Rank Adaptation of Large Language Models.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "the table documents the fields")]
pub struct LoraConfig {
    pub rank: usize,
    pub alpha: f64,
    pub targets: Vec<String>,
    pub seed: u64,
}

impl Default for LoraConfig {
    fn default() -> Self {
        Self { rank: 8, alpha: 16.0, targets: Vec::new(), seed: 0 }
    }
}

/// `adapter_config.json`
#[derive(Serialize, Deserialize)]
struct AdapterConfig {
    peft_type: String,
    r: usize,
    lora_alpha: f64,
    target_modules: Vec<String>,
    #[serde(default)]
    bias: Option<String>,
    #[serde(default)]
    fan_in_fan_out: bool,
    #[serde(default)]
    lora_dropout: f64,
    #[serde(default)]
    base_model_name_or_path: Option<String>,
}

const CONFIG: &str = "adapter_config.json";
const WEIGHTS: &str = "adapter_model.safetensors";
/// What PEFT puts before the name of a layer.
const PREFIX: &str = "base_model.model.";

impl LoraConfig {
    fn validate(&self) -> Result<(), EncoderError> {
        let invalid =
            |field, value, expected| Err(EncoderError::InvalidConfig { field, value, expected });
        if !(1..=4096).contains(&self.rank) {
            return invalid("rank", self.rank as f64, "1 to 4096");
        }
        if !(self.alpha > 0.0 && self.alpha.is_finite()) {
            return invalid("alpha", self.alpha, "over 0");
        }
        Ok(())
    }

    /// Whether an adapter goes to this tensor.
    fn chooses(&self, name: &Name) -> bool {
        let Some(layer) = name.tensor.strip_suffix(".weight").filter(|_| name.linear) else {
            return false;
        };
        let in_blocks = layer.contains("layer.") || layer.contains("layers.");
        let ends = |target: &String| {
            layer.strip_suffix(target.as_str()).is_some_and(|before| before.ends_with('.'))
        };
        if self.targets.is_empty() { in_blocks } else { self.targets.iter().any(ends) }
    }

    /// Adapters on the chosen layers of a module; everything else is frozen.
    pub(super) fn attach<M: Module>(&self, module: M, names: &Names) -> Result<M, EncoderError> {
        self.validate()?;
        for target in &self.targets {
            let alone = Self { targets: vec![target.clone()], ..self.clone() };
            if !names.iter().any(|(_, name)| alone.chooses(name)) {
                return Err(EncoderError::UnknownLayer { target: target.clone() });
            }
        }
        let chosen = names.iter().filter(|(_, name)| self.chooses(name)).map(|(id, _)| id);
        let group = ParamGroup::from_ids(chosen.collect());
        let lora = Lora::new(self.rank, self.alpha).set_param_group(group);
        // The generator of the device isn't ours: every A is made anew.
        let deviation = 1.0 / self.rank as f64;
        let fill = |name: &Name, factor, shape: [usize; 2]| match factor {
            Factor::B => Some(vec![0.0; shape[0] * shape[1]]),
            Factor::A => {
                let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
                rng.set_stream(parameter_id(&name.tensor).val());
                let draws = (0..shape[0] * shape[1]).map(|_| {
                    let z: f64 = StandardNormal.sample(&mut rng);
                    (z * deviation) as f32
                });
                Some(draws.collect())
            }
        };
        Ok(module.apply_lora(lora).map(&mut Fill::new(names, fill)))
    }
}

/// One of the two matrices of an adapter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Factor {
    /// `[from, rank]`
    A,
    /// `[rank, to]`
    B,
}

impl Factor {
    /// What a module calls it.
    fn of_path(path: &[String]) -> Option<Self> {
        match path {
            [.., adapter, factor] if adapter == "lora" => match factor.as_str() {
                "a" => Some(Self::A),
                "b" => Some(Self::B),
                _ => None,
            },
            _ => None,
        }
    }

    /// What PEFT calls it.
    fn tensor(self, name: &Name) -> String {
        let layer = name.tensor.strip_suffix(".weight").unwrap_or(&name.tensor);
        let factor = if self == Self::A { "lora_A" } else { "lora_B" };
        format!("{PREFIX}{layer}.{factor}.weight")
    }
}

/// Puts values into the factors of all adapters, under ids that are the same in every run.
struct Fill<'a, F> {
    names: &'a Names,
    values: F,
    path: Vec<String>,
    /// The layer whose adapter comes next.
    layer: Option<&'a Name>,
}

impl<'a, F> Fill<'a, F> {
    fn new(names: &'a Names, values: F) -> Self {
        Self { names, values, path: Vec::new(), layer: None }
    }
}

impl<F: FnMut(&Name, Factor, [usize; 2]) -> Option<Vec<f32>>> ModuleMapper for Fill<'_, F> {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(factor) = Factor::of_path(&self.path) else {
            self.layer = self.names.get(param.id);
            return param;
        };
        let Some(layer) = self.layer else { return param };
        let (shape, device) = (param.dims(), param.device());
        let Some(values) = (self.values)(layer, factor, [shape[0], shape[D - 1]]) else {
            return param;
        };
        let values = Tensor::from_data(TensorData::new(values, shape), &device);
        Param::initialized(parameter_id(&factor.tensor(layer)), values).set_require_grad(true)
    }
}

/// Writes the adapters of a module as PEFT does.
pub(super) fn save<M: Module>(
    directory: &Path,
    config: &LoraConfig,
    module: &M,
    names: &Names,
    base: &Path,
) -> Result<(), EncoderError> {
    struct Collect<'a> {
        names: &'a Names,
        path: Vec<String>,
        layer: Option<&'a Name>,
        state: State,
    }
    impl ModuleVisitor for Collect<'_> {
        fn enter_module(&mut self, name: &str, _: &str) {
            self.path.push(name.to_owned());
        }

        fn exit_module(&mut self, _: &str, _: &str) {
            self.path.pop();
        }

        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            match (Factor::of_path(&self.path), self.layer) {
                (Some(factor), Some(layer)) => {
                    let values = param.val().inner().transpose().into_data().convert::<f32>();
                    self.state.insert(factor.tensor(layer), values);
                }
                _ => self.layer = self.names.get(param.id),
            }
        }
    }
    let mut collect = Collect { names, path: Vec::new(), layer: None, state: State::new() };
    module.visit(&mut collect);
    let adapted = names.iter().filter(|(_, name)| config.chooses(name));
    let mut targets: Vec<String> = if config.targets.is_empty() {
        let layers = adapted.filter_map(|(_, name)| name.tensor.strip_suffix(".weight"));
        layers.filter_map(|layer| Some(suffix(layer)?.to_owned())).collect()
    } else {
        config.targets.clone()
    };
    targets.sort_unstable();
    targets.dedup();
    let written = AdapterConfig {
        peft_type: "LORA".to_owned(),
        r: config.rank,
        lora_alpha: config.alpha,
        target_modules: targets,
        bias: Some("none".to_owned()),
        fan_in_fan_out: false,
        lora_dropout: 0.0,
        base_model_name_or_path: Some(base.display().to_string()),
    };
    let path = directory.join(CONFIG);
    let json = serde_json::to_vec_pretty(&written)
        .map_err(|source| EncoderError::Json { path: path.clone(), source })?;
    write_whole(&path, &json)?;
    let path = directory.join(WEIGHTS);
    let metadata = [("format".to_owned(), "pt".to_owned())].into();
    let tensors = collect.state.into_iter().collect();
    write_whole(&path, &safetensors(tensors, Some(metadata), &path)?)
}

/// A layer's name behind the number of its block.
fn suffix(layer: &str) -> Option<&str> {
    let block = layer.find(|c: char| c.is_ascii_digit())?;
    layer[block..].split_once('.').map(|(_, part)| part)
}

/// Adapters that [`save`] or PEFT wrote, on a module that has none yet.
pub(super) fn load<M: Module>(
    directory: &Path,
    module: M,
    names: &Names,
) -> Result<(M, LoraConfig), EncoderError> {
    let path = directory.join(CONFIG);
    let file: AdapterConfig = parse_json(&path, &read(&path)?)?;
    let refuse = |field, value: String, expected| {
        Err(EncoderError::Unsupported { path: path.clone(), field, value, expected })
    };
    if file.peft_type != "LORA" {
        return refuse("peft_type", file.peft_type, "LORA");
    }
    if file.fan_in_fan_out {
        return refuse("fan_in_fan_out", "true".to_owned(), "false");
    }
    if let Some(bias) = file.bias.filter(|bias| bias != "none") {
        return refuse("bias", bias, "none");
    }
    let config = LoraConfig {
        rank: file.r,
        alpha: file.lora_alpha,
        targets: file.target_modules,
        seed: LoraConfig::default().seed,
    };
    let module = config.attach(module, names)?;
    let files = WeightFiles::open_file(directory.join(WEIGHTS))?;
    let mut failure = None;
    let fill = |name: &Name, factor: Factor, [rows, columns]: [usize; 2]| {
        let read = files.take_data(&factor.tensor(name), &[columns, rows]).map(|data| {
            let values = data.try_into_vec::<f32>().unwrap_or_default();
            (0..rows * columns).map(|at| values[at % columns * rows + at / columns]).collect()
        });
        read.map_err(|error| failure.get_or_insert(error)).ok()
    };
    let module = module.map(&mut Fill::new(names, fill));
    if let Some(error) = failure {
        return Err(error);
    }
    files.finish(|_| false)?;
    Ok((module, config))
}

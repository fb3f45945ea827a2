//! How the vectors of a text's tokens become one, as a sentence-transformers pooling module says.

use std::path::Path;

use burn::tensor::{Tensor, TensorData};
use serde::Deserialize;

use crate::EncoderError;
use crate::checkpoint::parse_json;

/// A pooling module's `config.json`.
#[derive(Debug, Deserialize)]
struct PoolingConfig {
    word_embedding_dimension: Option<usize>,
    #[serde(default)]
    pooling_mode_cls_token: bool,
    #[serde(default)]
    pooling_mode_max_tokens: bool,
    #[serde(default = "yes")]
    pooling_mode_mean_tokens: bool,
    #[serde(default)]
    pooling_mode_mean_sqrt_len_tokens: bool,
    #[serde(default)]
    pooling_mode_weightedmean_tokens: bool,
    #[serde(default)]
    pooling_mode_lasttoken: bool,
    #[serde(default = "yes")]
    include_prompt: bool,
}

fn yes() -> bool {
    true
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// The vector of the first token.
    Cls,
    /// The largest number of all tokens, one by one.
    Max,
    Mean,
    /// The sum over the square root of how many there are.
    MeanSqrtLength,
    /// The mean weighted by the token's position from 1.
    WeightedMean,
    Last,
}

/// Modes, whose vectors stand one after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pooling {
    modes: Vec<Mode>,
    /// Whether a prompt's tokens count like the text's.
    pub(super) include_prompt: bool,
}

impl Default for Pooling {
    fn default() -> Self {
        Self { modes: vec![Mode::Mean], include_prompt: true }
    }
}

impl Pooling {
    /// For tokens of `width` numbers.
    pub(super) fn parse(path: &Path, bytes: &[u8], width: usize) -> Result<Self, EncoderError> {
        let config: PoolingConfig = parse_json(path, bytes)?;
        if let Some(got) = config.word_embedding_dimension.filter(|got| *got != width) {
            return Err(EncoderError::Unsupported {
                path: path.to_owned(),
                field: "word_embedding_dimension",
                value: got.to_string(),
                expected: "the model's hidden_size",
            });
        }
        let modes: Vec<Mode> = [
            (config.pooling_mode_cls_token, Mode::Cls),
            (config.pooling_mode_max_tokens, Mode::Max),
            (config.pooling_mode_mean_tokens, Mode::Mean),
            (config.pooling_mode_mean_sqrt_len_tokens, Mode::MeanSqrtLength),
            (config.pooling_mode_weightedmean_tokens, Mode::WeightedMean),
            (config.pooling_mode_lasttoken, Mode::Last),
        ]
        .into_iter()
        .filter_map(|(chosen, mode)| chosen.then_some(mode))
        .collect();
        if modes.is_empty() {
            return Err(EncoderError::Unsupported {
                path: path.to_owned(),
                field: "pooling_mode",
                value: "none".to_owned(),
                expected: "at least one mode that is true",
            });
        }
        Ok(Self { modes, include_prompt: config.include_prompt })
    }

    /// Numbers of a text's vector for tokens of `width` numbers.
    pub(super) fn dim(&self, width: usize) -> usize {
        self.modes.len() * width
    }

    /// One text on the host; the first `skip` tokens, fewer than all, are a prompt that doesn't
    /// count.
    ///
    /// # Shapes
    /// `[length, width]` → `[modes · width]`
    pub(super) fn pool(&self, text: &[f32], width: usize, skip: usize, pooled: &mut Vec<f32>) {
        let length = text.len() / width;
        let counted = &text[skip * width..];
        for mode in &self.modes {
            match mode {
                Mode::Cls => pooled.extend(&text[..width]),
                Mode::Last => pooled.extend(&text[text.len() - width..]),
                Mode::Max => {
                    let mut most = counted[..width].to_vec();
                    for token in counted.chunks_exact(width) {
                        for (most, x) in most.iter_mut().zip(token) {
                            // NaN isn't lost.
                            *most = if *x > *most || x.is_nan() { *x } else { *most };
                        }
                    }
                    pooled.extend(most);
                }
                Mode::Mean | Mode::MeanSqrtLength | Mode::WeightedMean => {
                    let mut sum = vec![0.0; width];
                    let weights = mode.weights(skip, length);
                    for (token, weight) in counted.chunks_exact(width).zip(weights) {
                        sum.iter_mut().zip(token).for_each(|(sum, x)| *sum += weight * x);
                    }
                    let divisor = mode.divisor(skip, length);
                    pooled.extend(sum.iter().map(|sum| sum / divisor));
                }
            }
        }
    }

    /// Texts of the same length, on any device.
    ///
    /// # Shapes
    /// `[texts, length, width]` → `[texts, modes · width]`
    pub(super) fn forward(&self, hidden: &Tensor<3>, skip: usize) -> Tensor<2> {
        let [_, length, _] = hidden.dims();
        let counted = hidden.clone().narrow(1, skip, length - skip);
        let pooled = self.modes.iter().map(|mode| match mode {
            Mode::Cls => hidden.clone().narrow(1, 0, 1).squeeze_dim(1),
            Mode::Last => hidden.clone().narrow(1, length - 1, 1).squeeze_dim(1),
            Mode::Max => counted.clone().max_dim(1).squeeze_dim(1),
            Mode::Mean | Mode::MeanSqrtLength | Mode::WeightedMean => {
                let weights: Vec<f32> = mode.weights(skip, length).collect();
                let weights = TensorData::new(weights, [1, length - skip, 1]);
                let weights = Tensor::<3>::from_data(weights, &hidden.device());
                let sum: Tensor<2> = (counted.clone() * weights).sum_dim(1).squeeze_dim(1);
                sum / mode.divisor(skip, length)
            }
        });
        Tensor::cat(pooled.collect(), 1)
    }

    /// Texts padded to the longest, with gradients.
    ///
    /// # Shapes
    /// `[texts, longest, width]` → `[texts, modes · width]`
    pub(super) fn forward_padded(
        &self,
        hidden: &Tensor<3>,
        lengths: &[usize],
        skip: usize,
    ) -> Tensor<2> {
        let [texts, longest, _] = hidden.dims();
        let device = hidden.device().inner();
        let skip_of = |length: usize| skip.min(length - 1);
        let pooled = self.modes.iter().map(|mode| {
            if *mode == Mode::Max {
                let counted = lengths.iter().flat_map(|&length| {
                    let counts = skip_of(length)..length;
                    (0..longest).map(move |at| if counts.contains(&at) { 0.0 } else { -1e30_f32 })
                });
                let values = TensorData::new(counted.collect::<Vec<_>>(), [texts, longest, 1]);
                let hide = Tensor::<3>::from_data(values, &device);
                return (hidden.clone() + hide).max_dim(1).squeeze_dim(1);
            }
            let mut shares = vec![0.0; texts * longest];
            for (row, &length) in shares.chunks_exact_mut(longest).zip(lengths) {
                match mode {
                    Mode::Cls => row[0] = 1.0,
                    Mode::Last => row[length - 1] = 1.0,
                    _ => {
                        let skip = skip_of(length);
                        let divisor = mode.divisor(skip, length);
                        let weights = mode.weights(skip, length);
                        row[skip..].iter_mut().zip(weights).for_each(|(to, x)| *to = x / divisor);
                    }
                }
            }
            let shares = TensorData::new(shares, [texts, 1, longest]);
            Tensor::<3>::from_data(shares, &device).matmul(hidden.clone()).squeeze_dim(1)
        });
        Tensor::cat(pooled.collect(), 1)
    }
}

impl Mode {
    /// Of the tokens from `skip` on.
    fn weights(self, skip: usize, length: usize) -> impl Iterator<Item = f32> {
        (skip..length).map(move |at| if self == Self::WeightedMean { (at + 1) as f32 } else { 1.0 })
    }

    fn divisor(self, skip: usize, length: usize) -> f32 {
        let sum: f32 = self.weights(skip, length).sum();
        if self == Self::MeanSqrtLength { sum.sqrt() } else { sum }
    }
}

//! The contrastive loss of a batch: each history against the texts that may follow it.

use burn::tensor::{Device, Tensor, TensorData, activation};

/// A history, as weights of texts, and the text that follows it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Pair {
    /// Places of texts in the batch, and their weights.
    pub(super) history: Vec<(usize, f32)>,
    pub(super) target: usize,
    /// Places that are no negatives: those of the same sequence, the target aside.
    pub(super) related: Vec<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct InfoNce {
    pub(super) temperature: f64,
    /// Also the target against the histories.
    pub(super) symmetric: bool,
}

/// Hides what is no negative.
const HIDDEN: f32 = -1e30;

impl InfoNce {
    /// The sum of the pairs' losses, and its gradients by embeddings of unit length.
    ///
    /// # Shapes
    /// embeddings: `[texts, width]`, row by row → the same
    ///
    /// # Formula
    /// q = Σ w e / |Σ w e| over the history; −ln exp(q · e(target) / T) / Σ exp(q · e / T) over the
    /// batch's texts but those of the same sequence. Symmetric: the mean of this and of
    /// −ln exp(q · e(target) / T) / Σ exp(q′ · e(target) / T) over the histories q′ of the batch but
    /// those whose sequence has the target.
    ///
    /// # Source
    /// van den Oord et al. 2018, Representation Learning with Contrastive Predictive Coding.
    pub(super) fn loss_gradient(
        self,
        embeddings: &[f32],
        width: usize,
        pairs: &[Pair],
        device: &Device,
    ) -> (f64, Vec<f32>) {
        let texts = embeddings.len() / width.max(1);
        let data = TensorData::new(embeddings.to_vec(), [texts, width]);
        let embedded = Tensor::<2>::from_data(data, &device.clone().autodiff()).require_grad();
        let loss = self.loss(embedded.clone(), pairs);
        let sum = loss.clone().into_data().try_into_vec_as::<f32>().unwrap_or_default();
        let gradient = embedded.grad(&loss.backward()).map(|gradient| gradient.into_data());
        let gradient = gradient.and_then(|data| data.try_into_vec_as::<f32>().ok());
        let sum = sum.first().map_or(f64::NAN, |&sum| f64::from(sum));
        (sum, gradient.unwrap_or_else(|| vec![f32::NAN; embeddings.len()]))
    }

    /// The sum of the pairs' losses alone.
    pub(super) fn loss(self, embedded: Tensor<2>, pairs: &[Pair]) -> Tensor<1> {
        let texts = embedded.dims()[0];
        let device = embedded.device().inner();
        let count = pairs.len();
        let matrix = |values: Vec<f32>, columns| {
            Tensor::<2>::from_data(TensorData::new(values, [count, columns]), &device)
        };
        let mut weights = vec![0.0; count * texts];
        let mut targets = vec![0.0; count * texts];
        let mut hidden = vec![0.0; count * texts];
        for (row, pair) in pairs.iter().enumerate() {
            let at = |place: usize| row * texts + place;
            for &(place, weight) in &pair.history {
                weights[at(place)] += weight;
            }
            targets[at(pair.target)] = 1.0;
            for &place in &pair.related {
                hidden[at(place)] = HIDDEN;
            }
        }
        // Histories that have the target, or that it follows too, are no negatives of it.
        let mut hidden_histories = vec![0.0; count * count];
        for (row, pair) in pairs.iter().enumerate() {
            for (column, other) in pairs.iter().enumerate().filter(|(column, _)| *column != row) {
                let known = hidden[column * texts + pair.target] < 0.0;
                if known || other.target == pair.target {
                    hidden_histories[row * count + column] = HIDDEN;
                }
            }
        }
        let targets = matrix(targets, texts);
        let queries = matrix(weights, texts).matmul(embedded.clone());
        let lengths = (queries.clone() * queries.clone()).sum_dim(1).clamp_min(1e-24).sqrt();
        let queries = queries * lengths.recip().mul_scalar(1.0 / self.temperature);
        let scores = queries.clone().matmul(embedded.clone().transpose()) + matrix(hidden, texts);
        let forward = (activation::log_softmax(scores, 1) * targets.clone()).sum();
        if !self.symmetric {
            return -forward;
        }
        let of_targets = targets.matmul(embedded).matmul(queries.transpose());
        let of_targets = of_targets + matrix(hidden_histories, count);
        let same: Vec<f32> =
            (0..count * count).map(|at| f32::from(u8::from(at % (count + 1) == 0))).collect();
        let backward = (activation::log_softmax(of_targets, 1) * matrix(same, count)).sum();
        (forward + backward).mul_scalar(-0.5)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn embeddings() -> (Vec<f32>, usize) {
        let width = 5;
        let raw: Vec<f32> =
            (0..6 * width).map(|at| ((at * 7919 + 13) % 101) as f32 - 50.0).collect();
        let unit = raw.chunks(width).flat_map(|row| {
            let norm = row.iter().map(|x| x * x).sum::<f32>().sqrt();
            row.iter().map(move |x| x / norm)
        });
        (unit.collect(), width)
    }

    fn pairs() -> Vec<Pair> {
        let pair = |history: &[(usize, f32)], target, related: &[usize]| Pair {
            history: history.to_vec(),
            target,
            related: related.to_vec(),
        };
        vec![
            pair(&[(0, 1.0)], 1, &[0, 2]),
            pair(&[(0, 0.5), (1, 1.0)], 2, &[0, 1]),
            pair(&[(3, 1.0)], 4, &[3]),
            // The same target behind another history.
            pair(&[(5, 1.0)], 4, &[5]),
        ]
    }

    fn loss(embeddings: &[f32], width: usize, pairs: &[Pair], symmetric: bool) -> f64 {
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let rows: Vec<Vec<f64>> = embeddings
            .chunks(width)
            .map(|row| row.iter().map(|&x| f64::from(x)).collect())
            .collect();
        let queries: Vec<Vec<f64>> = pairs
            .iter()
            .map(|pair| {
                let mut sum = vec![0.0; width];
                for &(place, weight) in &pair.history {
                    sum.iter_mut().zip(&rows[place]).for_each(|(s, x)| *s += f64::from(weight) * x);
                }
                let norm = dot(&sum, &sum).sqrt();
                sum.iter().map(|x| x / norm).collect()
            })
            .collect();
        let mut total = 0.0;
        for (at, pair) in pairs.iter().enumerate() {
            let score = |query: &Vec<f64>, place: usize| (dot(query, &rows[place]) / 0.1).exp();
            let right = score(&queries[at], pair.target);
            let others = (0..rows.len()).filter(|place| !pair.related.contains(place));
            let forward =
                -(right / others.map(|place| score(&queries[at], place)).sum::<f64>()).ln();
            let rivals = pairs.iter().zip(&queries).enumerate().filter(|(other, (rival, _))| {
                *other == at
                    || !(rival.related.contains(&pair.target) || rival.target == pair.target)
            });
            let rivals: f64 = rivals.map(|(_, (_, query))| score(query, pair.target)).sum();
            let backward = -(right / rivals).ln();
            total += if symmetric { (forward + backward) / 2.0 } else { forward };
        }
        total
    }

    #[test]
    fn the_loss_is_the_formula_s_and_the_gradient_its_difference_quotient() {
        let (embeddings, width) = embeddings();
        let device = "flex".parse::<crate::ComputeDevice>().unwrap();
        for symmetric in [false, true] {
            let task = InfoNce { temperature: 0.1, symmetric };
            let (sum, gradient) = task.loss_gradient(&embeddings, width, &pairs(), device.burn());
            let expected = loss(&embeddings, width, &pairs(), symmetric);
            assert!((sum - expected).abs() < 1e-4, "{sum} for {expected}");
            for at in 0..embeddings.len() {
                let moved = |by: f32| {
                    let mut moved = embeddings.clone();
                    moved[at] += by;
                    loss(&moved, width, &pairs(), symmetric)
                };
                let slope = (moved(1e-3) - moved(-1e-3)) / 2e-3;
                let error = (slope - f64::from(gradient[at])).abs();
                assert!(error < 2e-3 * (1.0 + slope.abs()), "{at}: {} for {slope}", gradient[at]);
            }
        }
    }
}

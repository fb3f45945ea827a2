//! From final hidden states to losses on the host, some rows at a time: memory stays bounded, and
//! gradients come with the losses.

use rand_chacha::ChaCha8Rng;

use super::config::{Combine, NextItemLoss};
use super::host::{HostNetwork, add};
use super::negatives::Negatives;
use super::product::{add_product, product, rows, rows_mut};
use crate::causal::loss_gradient;
use crate::vectorized::exp;

/// Positions whose scores are in memory at once, and which share negatives.
pub(super) const ROWS: usize = 128;

pub(super) struct Head<'a> {
    pub(super) network: &'a HostNetwork,
    pub(super) interests: usize,
    pub(super) combine: Combine,
}

impl Head<'_> {
    /// The output vectors of hidden states, the interests of a position side by side.
    fn vectors(&self, hidden: &[f32]) -> Vec<f32> {
        let (width, all) = (self.network.width, self.interests * self.network.width);
        if self.interests == 1 {
            return hidden.to_vec();
        }
        let mut vectors = vec![0.0; hidden.len() * self.interests];
        let projection = rows(&self.network.interests, all);
        product(rows_mut(&mut vectors, all), rows(hidden, width), projection);
        vectors
    }

    /// The scores of all items for each hidden state, before normalisation.
    pub(super) fn logits(&self, hidden: &[f32]) -> Vec<f32> {
        let (width, items) = (self.network.width, self.network.bias.len());
        let vectors = self.vectors(hidden);
        let mut logits = vec![0.0; vectors.len() / width * items];
        let table = rows(&self.network.items, width).transpose();
        product(rows_mut(&mut logits, items), rows(&vectors, width), table);
        let mut logits = self.combined(&mut logits, items).unwrap_or(logits);
        logits.chunks_exact_mut(items).for_each(|row| add(row, &self.network.bias));
        logits
    }

    /// The gradient with respect to hidden states and the sum of losses; adds the gradients with
    /// respect to weights.
    pub(super) fn gradient(
        &self,
        hidden: &[f32],
        targets: &[u32],
        negatives: &Negatives,
        rng: &mut ChaCha8Rng,
        into: &mut HostNetwork,
    ) -> (Vec<f32>, f64) {
        let (width, all) = (self.network.width, self.interests * self.network.width);
        let vectors = self.vectors(hidden);
        let mut gradient = vec![0.0; vectors.len()];
        let (mut loss, mut logits) = (0.0, Vec::new());
        let chunks = vectors.chunks(ROWS * all).zip(gradient.chunks_mut(ROWS * all));
        for ((vectors, gradient), targets) in chunks.zip(targets.chunks(ROWS)) {
            loss += match negatives.loss {
                NextItemLoss::Softmax => {
                    self.softmax(vectors, targets, &mut logits, gradient, into)
                }
                _ => self.sampled(vectors, targets, (negatives, rng), gradient, into),
            };
        }
        if self.interests == 1 {
            return (gradient, loss);
        }
        let out = rows(&gradient, all);
        let projection = rows(&self.network.interests, all).transpose();
        add_product(rows_mut(&mut into.interests, all), rows(hidden, width).transpose(), out);
        let mut of_hidden = vec![0.0; hidden.len()];
        product(rows_mut(&mut of_hidden, width), out, projection);
        (of_hidden, loss)
    }

    fn softmax(
        &self,
        vectors: &[f32],
        targets: &[u32],
        logits: &mut Vec<f32>,
        gradient: &mut [f32],
        into: &mut HostNetwork,
    ) -> f64 {
        let (width, items) = (self.network.width, self.network.bias.len());
        let table = rows(&self.network.items, width);
        let vectors = rows(vectors, width);
        logits.resize(vectors.nrows() * items, 0.0);
        product(rows_mut(logits, items), vectors, table.transpose());
        let mut combined = self.combined(logits, items);
        let scores = combined.as_mut().unwrap_or(logits);
        let (loss, bias_gradient) = loss_gradient(scores, &self.network.bias, targets, 1.0);
        add(&mut into.bias, &bias_gradient);
        self.spread(logits, combined.as_deref(), items);
        let logits = rows(logits, items);
        product(rows_mut(gradient, width), logits, table);
        add_product(rows_mut(&mut into.items, width), logits.transpose(), vectors);
        loss
    }

    fn sampled(
        &self,
        vectors: &[f32],
        targets: &[u32],
        (negatives, rng): (&Negatives, &mut ChaCha8Rng),
        gradient: &mut [f32],
        into: &mut HostNetwork,
    ) -> f64 {
        let (width, interests) = (self.network.width, self.interests);
        let item = |item: u32| &self.network.items[item as usize * width..][..width];
        let drawn = negatives.draw(rng);
        let count = drawn.len();
        let table: Vec<f32> = drawn.iter().flat_map(|&negative| item(negative)).copied().collect();
        let mut logits = vec![0.0; vectors.len() / width * count];
        product(
            rows_mut(&mut logits, count),
            rows(vectors, width),
            rows(&table, width).transpose(),
        );
        let of_vector = vectors.chunks_exact(width).enumerate();
        let mut own: Vec<f32> =
            of_vector.map(|(row, vector)| dot(vector, item(targets[row / interests]))).collect();

        let mut combined = self.combined(&mut logits, count);
        let mut combined_own = self.combined(&mut own, 1);
        let scores = combined.as_mut().unwrap_or(&mut logits);
        let own_scores = combined_own.as_mut().unwrap_or(&mut own);
        let mut loss = 0.0;
        let mut bias_gradient = vec![0.0; count];
        for ((scores, own), &target) in scores.chunks_exact_mut(count).zip(own_scores).zip(targets)
        {
            for (score, &negative) in scores.iter_mut().zip(&drawn) {
                *score += self.network.bias[negative as usize] - negatives.log_expected(negative);
                if negative == target {
                    *score = f32::NEG_INFINITY;
                }
            }
            *own += self.network.bias[target as usize];
            loss += match negatives.loss {
                NextItemLoss::Gbce { .. } => binary(scores, own, negatives.beta()),
                _ => softmax_with(scores, own),
            };
            add(&mut bias_gradient, scores);
            into.bias[target as usize] += *own;
        }
        for (&negative, gradient) in drawn.iter().zip(bias_gradient) {
            into.bias[negative as usize] += gradient;
        }
        self.spread(&mut logits, combined.as_deref(), count);
        self.spread(&mut own, combined_own.as_deref(), 1);

        product(rows_mut(gradient, width), rows(&logits, count), rows(&table, width));
        let mut of_table = vec![0.0; table.len()];
        let logits = rows(&logits, count).transpose();
        product(rows_mut(&mut of_table, width), logits, rows(vectors, width));
        for (&negative, gradient) in drawn.iter().zip(of_table.chunks_exact(width)) {
            add(&mut into.items[negative as usize * width..][..width], gradient);
        }
        let places = vectors.chunks_exact(width).zip(gradient.chunks_exact_mut(width)).zip(own);
        for (row, ((vector, gradient), own)) in places.enumerate() {
            let target = targets[row / interests];
            let of_target = &mut into.items[target as usize * width..][..width];
            of_target.iter_mut().zip(vector).for_each(|(into, x)| *into += own * x);
            gradient.iter_mut().zip(item(target)).for_each(|(into, x)| *into += own * x);
        }
        loss
    }

    /// The scores of positions from those of their interests, which become the interests' shares in
    /// them: their derivatives. Nothing with one interest.
    fn combined(&self, scores: &mut [f32], columns: usize) -> Option<Vec<f32>> {
        if self.interests == 1 {
            return None;
        }
        let mut combined = Vec::with_capacity(scores.len() / self.interests);
        for scores in scores.chunks_exact_mut(self.interests * columns) {
            for column in 0..columns {
                let of = |interest| interest * columns + column;
                let most = (0..self.interests).map(|interest| scores[of(interest)]);
                let most = most.fold(f32::NEG_INFINITY, f32::max);
                let mut sum = 0.0;
                for interest in 0..self.interests {
                    let score = &mut scores[of(interest)];
                    *score = match self.combine {
                        // Of equal ones the first.
                        Combine::Max if *score == most && sum == 0.0 => 1.0,
                        Combine::Max => 0.0,
                        Combine::LogSumExp => exp(*score - most),
                    };
                    sum += *score;
                }
                (0..self.interests).for_each(|interest| scores[of(interest)] /= sum);
                combined.push(most + sum.ln());
            }
        }
        Some(combined)
    }

    /// Multiplies the shares of interests by the gradients of positions.
    fn spread(&self, shares: &mut [f32], gradients: Option<&[f32]>, columns: usize) {
        let Some(gradients) = gradients else { return };
        let shares = shares.chunks_exact_mut(self.interests * columns);
        for (shares, gradients) in shares.zip(gradients.chunks_exact(columns)) {
            for shares in shares.chunks_exact_mut(columns) {
                shares.iter_mut().zip(gradients).for_each(|(share, gradient)| *share *= gradient);
            }
        }
    }
}

/// −log of the target's softmax; scores become gradients.
fn softmax_with(scores: &mut [f32], own: &mut f32) -> f64 {
    let most = scores.iter().copied().fold(*own, f32::max);
    let score = *own - most;
    let mut sum = 0.0_f64;
    for score in &mut *scores {
        *score = if *score == f32::NEG_INFINITY { 0.0 } else { exp(*score - most) };
        sum += f64::from(*score);
    }
    *own = exp(score);
    sum += f64::from(*own);
    let factor = (1.0 / sum) as f32;
    scores.iter_mut().for_each(|score| *score *= factor);
    *own = *own * factor - 1.0;
    sum.ln() - f64::from(score)
}

/// −β ln σ(target) − Σ ln(1 − σ(negative)); scores become gradients.
fn binary(scores: &mut [f32], own: &mut f32, beta: f32) -> f64 {
    /// ln(1 + exp x) and σ(x).
    fn soft_plus(x: f32) -> (f32, f32) {
        let below = exp(-x.abs());
        let share = if x >= 0.0 { 1.0 } else { below } / (1.0 + below);
        (x.max(0.0) + below.ln_1p(), share)
    }
    let mut loss = 0.0;
    for score in scores {
        if *score == f32::NEG_INFINITY {
            *score = 0.0;
            continue;
        }
        let (part, share) = soft_plus(*score);
        loss += f64::from(part);
        *score = share;
    }
    let (part, share) = soft_plus(-*own);
    *own = -beta * share;
    loss + f64::from(beta * part)
}

fn dot(left: &[f32], right: &[f32]) -> f32 {
    left.iter().zip(right).map(|(left, right)| left * right).sum()
}

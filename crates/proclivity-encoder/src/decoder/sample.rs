//! From logits to a token.

use std::cmp::Ordering;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::GenerateConfig;
use crate::EncoderError;

/// Picks the next token among those allowed, all where that is `None`.
pub(super) fn pick(
    logits: &mut [f32],
    read: &[u32],
    allowed: Option<&[u32]>,
    config: &GenerateConfig,
    rng: &mut ChaCha8Rng,
) -> Result<u32, EncoderError> {
    if logits.is_empty() || logits.iter().any(|logit| !logit.is_finite()) {
        return Err(EncoderError::NonFiniteLogits);
    }
    penalize(logits, read, config.repetition_penalty as f32);
    let candidate = |id: u32| (id, logits.get(id as usize).copied().unwrap_or(f32::NEG_INFINITY));
    let mut candidates: Vec<(u32, f32)> = match allowed {
        Some(allowed) => allowed.iter().copied().map(candidate).collect(),
        None => (0..).zip(logits.iter().copied()).collect(),
    };
    // By falling logit, the smaller number first among equals.
    let order =
        |a: &(u32, f32), b: &(u32, f32)| -> Ordering { b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)) };
    let best = candidates.iter().copied().min_by(order).unwrap_or((0, 0.0));
    if config.temperature == 0.0 {
        return Ok(best.0);
    }
    if let Some(top_k) = config.top_k
        && top_k < candidates.len()
    {
        candidates.select_nth_unstable_by(top_k, order);
        candidates.truncate(top_k);
    }
    candidates.sort_unstable_by(order);
    let weight = |logit: f32| (f64::from(logit - best.1) / config.temperature).exp();
    let mut weights: Vec<f64> = candidates.iter().map(|&(_, logit)| weight(logit)).collect();
    let total: f64 = weights.iter().sum();
    let mut sum = 0.0;
    let kept = weights.iter().take_while(|&&weight| {
        let kept = sum < config.top_p * total;
        sum += weight;
        kept
    });
    let kept = kept.count().max(1);
    weights.truncate(kept);
    let mut left = rng.random::<f64>() * weights.iter().sum::<f64>();
    let picked = weights.iter().position(|weight| {
        left -= weight;
        left < 0.0
    });
    Ok(candidates[picked.unwrap_or(kept - 1)].0)
}

/// Divides the positive logits of tokens read before and multiplies the negative ones.
///
/// # Source
/// Keskar et al. 2019, CTRL, section 4.1; the treatment of negative logits is transformers'.
fn penalize(logits: &mut [f32], read: &[u32], penalty: f32) {
    if penalty == 1.0 {
        return;
    }
    let mut tokens = read.to_vec();
    tokens.sort_unstable();
    tokens.dedup();
    for token in tokens {
        if let Some(logit) = logits.get_mut(token as usize) {
            *logit = if *logit > 0.0 { *logit / penalty } else { *logit * penalty };
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    fn counts(config: &GenerateConfig, allowed: Option<&[u32]>) -> Vec<usize> {
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let mut counts = vec![0; 4];
        for _ in 0..20_000 {
            // Probabilities 0.5, 0.25, 0.15, 0.1.
            let mut logits = [0.25_f32, 0.5, 0.1, 0.15].map(f32::ln);
            let token = pick(&mut logits, &[], allowed, config, &mut rng).unwrap();
            counts[token as usize] += 1;
        }
        counts
    }

    fn assert_near(counts: &[usize], shares: [f64; 4]) {
        for (&count, share) in counts.iter().zip(shares) {
            assert!((count as f64 / 20_000.0 - share).abs() < 0.02, "{counts:?}");
        }
    }

    #[test]
    fn tokens_come_as_often_as_temperature_top_k_and_top_p_say() {
        let plain = GenerateConfig { temperature: 1.0, ..GenerateConfig::default() };
        assert_near(&counts(&plain, None), [0.25, 0.5, 0.1, 0.15]);
        let half = GenerateConfig { temperature: 0.5, ..plain.clone() };
        let squares: f64 = [0.25_f64, 0.5, 0.1, 0.15].iter().map(|p| p * p).sum();
        assert_near(
            &counts(&half, None),
            [0.0625, 0.25, 0.01, 0.0225].map(|square| square / squares),
        );
        let top_k = GenerateConfig { top_k: Some(2), ..plain.clone() };
        assert_near(&counts(&top_k, None), [1.0 / 3.0, 2.0 / 3.0, 0.0, 0.0]);
        let top_p = GenerateConfig { top_p: 0.8, ..plain.clone() };
        assert_near(&counts(&top_p, None), [0.25 / 0.9, 0.5 / 0.9, 0.0, 0.15 / 0.9]);
        assert_near(&counts(&plain, Some(&[0, 2])), [0.25 / 0.35, 0.0, 0.1 / 0.35, 0.0]);
    }

    #[test]
    fn a_repetition_makes_a_token_less_likely_whatever_its_sign() {
        let mut logits = [2.0, -2.0, 1.0];
        penalize(&mut logits, &[0, 1, 1], 2.0);
        assert_eq!(logits, [1.0, -4.0, 1.0]);
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        let greedy = GenerateConfig::default();
        assert!(pick(&mut [f32::NAN, 0.0], &[], None, &greedy, &mut rng).is_err());
        assert_eq!(pick(&mut [1.0, 1.0], &[], None, &greedy, &mut rng).unwrap(), 0);
    }
}

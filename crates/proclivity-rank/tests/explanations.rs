//! Explanations against closed forms, their axioms, and refits without the event.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use ndarray::{Array2, array};
use proclivity_posterior::{
    Belief, Chosen, Dirichlet, InterestLikelihood, InterestModel, Kernel, Labelled, LogLinearPool,
    NextStepConfig, Predictive, Rates, Sequence, Sites, Transitions,
};
use proclivity_rank::{
    RankError, attribute_log_prob, aumann_shapley, counterfactual_ranks, rank_of,
};
use proptest::prelude::*;

const ITEMS: usize = 6;

fn sources() -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec(-4.0..4.0_f64, 3 * ITEMS)
}

proptest! {
    #[test]
    fn contributions_keep_the_axioms(
        rows in sources(), base in prop::collection::vec(-5.0..5.0_f64, ITEMS),
        constant in -9.0..9.0_f64, item in 0..ITEMS as u32,
    ) {
        let rows = Array2::from_shape_vec((3, ITEMS), rows).unwrap();
        // The first twice, and one that says nothing.
        let mut all = Array2::from_elem((5, ITEMS), constant);
        all.slice_mut(ndarray::s![..3, ..]).assign(&rows);
        all.row_mut(3).assign(&rows.row(0));
        let split = attribute_log_prob(&base, all.view(), item).unwrap();
        let total: f64 = split.contributions.iter().sum();
        prop_assert!((total - (split.after - split.before)).abs() < 1e-8);
        prop_assert!(split.completeness_error < 1e-8);
        prop_assert_eq!(split.contributions[0], split.contributions[3]);
        prop_assert_eq!(split.contributions[4], 0.0);

        let largest = base.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let mass: f64 = base.iter().map(|logit| (logit - largest).exp()).sum();
        prop_assert!((split.before - (base[item as usize] - largest - mass.ln())).abs() < 1e-12);

        // Two equal sources get together what their sum gets alone.
        let mut merged = rows.clone();
        merged.row_mut(0).mapv_inplace(|value| 2.0 * value);
        let merged = attribute_log_prob(&base, merged.view(), item).unwrap();
        let both = split.contributions[0] + split.contributions[3];
        prop_assert!((merged.contributions[0] - both).abs() < 1e-8);
    }

    /// With every source a shift of one logit, before and after are arbitrary softmaxes.
    #[test]
    fn sharp_softmaxes_are_integrated_in_parts(scale in 1.0..200.0_f64, item in 0..3_u32) {
        let rows = array![[1.0, -1.0, 0.3], [0.2, 0.9, -1.0]] * scale;
        let split = attribute_log_prob(&[0.0; 3], rows.view(), item).unwrap();
        prop_assert!(split.completeness_error < 1e-7 * scale, "{:?}", split);
    }
}

/// log E[θₖ] as labelled events come in: ∫ has a closed form, which quadrature has to meet.
#[test]
fn evidence_of_a_conjugate_belief_splits_as_its_closed_form() {
    let prior = [1.5, 2.0, 0.5];
    let labels = [0, 2, 2, 0, 1, 0];
    let family = Rates::from(&Dirichlet::new(prior.to_vec()).unwrap());
    let (start, events) = (prior.iter().sum::<f64>(), labels.len() as f64);
    for (k, before) in prior.into_iter().enumerate() {
        let split = aumann_shapley(labels.len(), |weights, gradient| {
            let mut belief = Belief::new(&family);
            for (&interest, &weight) in labels.iter().zip(weights) {
                belief.update_weighted(&family, &Labelled { interest }, weight).unwrap();
            }
            let rates = belief.posterior(&family).unwrap();
            let (own, all) = (rates.concentration()[k], rates.concentration().iter().sum::<f64>());
            for (slope, &label) in gradient.iter_mut().zip(&labels) {
                *slope = f64::from(u8::from(label as usize == k)) / own - 1.0 / all;
            }
            rates.shares()[k].ln()
        })
        .unwrap();
        let own = labels.iter().filter(|&&label| label as usize == k).count() as f64;
        for (&label, got) in labels.iter().zip(&split.contributions) {
            let mut expected = -((start + events) / start).ln() / events;
            if label as usize == k {
                expected += ((before + own) / before).ln() / own;
            }
            // Counts are kept in steps of 2⁻¹⁶, and so are weights on the way.
            assert!((got - expected).abs() < 1e-6, "{label}: {got} for {expected}");
        }
        let share = (before + own) / (start + events);
        assert!((split.after - share.ln()).abs() < 1e-12 && split.completeness_error < 1e-6);
    }
}

#[test]
fn members_of_a_pool_split_its_log_probability() {
    let members = array![[-1.0, -2.0, -3.0, -0.5], [0.3, 0.9, 0.1, 0.0], [4.0, 2.0, 1.0, 3.0]];
    let pool = LogLinearPool::new(vec![1.0, 2.0, -0.1]).unwrap();
    let mut scores = [0.0; 4];
    pool.scores(members.view(), &mut scores).unwrap();
    let weighted =
        &members * &ndarray::ArrayView1::from(pool.weights()).insert_axis(ndarray::Axis(1));
    // Item 3 is left out.
    let base = [0.0, 0.0, 0.0, f64::NEG_INFINITY];
    let split = attribute_log_prob(&base, weighted.view(), 1).unwrap();
    let mass: f64 = scores[..3].iter().map(|score| score.exp()).sum();
    assert!((split.after - (scores[1] - mass.ln())).abs() < 1e-12);
    assert!((split.before - (1.0_f64 / 3.0).ln()).abs() < 1e-12);

    // The plain integral, by its definition.
    let steps = 20_000;
    for (member, got) in split.contributions.iter().enumerate() {
        let mut expected = 0.0;
        for step in 0..steps {
            let s = (f64::from(step) + 0.5) / f64::from(steps);
            let odds: Vec<f64> = scores[..3].iter().map(|score| (s * score).exp()).collect();
            let total: f64 = odds.iter().sum();
            let mean: f64 = (0..3).map(|y| odds[y] / total * weighted[[member, y]]).sum();
            expected += (weighted[[member, 1]] - mean) / f64::from(steps);
        }
        assert!((got - expected).abs() < 1e-8, "{member}: {got} for {expected}");
    }
}

#[test]
fn what_quadrature_misses_is_said() {
    let kink = |weights: &[f64], gradient: &mut [f64]| {
        let rest = weights[0] - 0.3137;
        gradient[0] = if rest > 0.0 { 1.0 } else { 0.0 };
        rest.max(0.0)
    };
    let split = aumann_shapley(1, kink).unwrap();
    assert!(split.completeness_error > 1e-9 && split.completeness_error < 1e-2, "{split:?}");
    let nothing = aumann_shapley(0, |_, _| 2.0).unwrap();
    assert_eq!((nothing.before, nothing.after, nothing.completeness_error), (2.0, 2.0, 0.0));
}

#[test]
fn what_has_no_finite_difference_is_refused() {
    let row = array![[1.0, 2.0]];
    let impossible = attribute_log_prob(&[f64::NEG_INFINITY, 0.0], row.view(), 0);
    assert!(matches!(impossible, Err(RankError::NotFinite { what: "value without sources", .. })));
    let run = |base: &[f64], item| attribute_log_prob(base, row.view(), item);
    assert!(matches!(run(&[0.0], 0), Err(RankError::Length { expected: 1, got: 2, .. })));
    assert_eq!(run(&[0.0, 0.0], 2), Err(RankError::UnknownItem { item: 2, items: 2 }));
    assert!(matches!(run(&[0.0, f64::NAN], 0), Err(RankError::InvalidScore { item: 1, .. })));
    let bad = array![[1.0, f64::INFINITY]];
    let result = attribute_log_prob(&[0.0, 0.0], bad.view(), 0);
    assert!(matches!(result, Err(RankError::NotFinite { position: 1, .. })));
    let result = aumann_shapley(1, |_, gradient| {
        gradient[0] = f64::NAN;
        0.0
    });
    assert!(matches!(result, Err(RankError::NotFinite { what: "gradient", .. })));
}

const TRAINED: [&[u32]; 4] = [&[0, 1, 3, 4], &[2, 3, 1, 5], &[4, 0, 2, 5], &[5, 1, 0]];
const HISTORY: [u32; 4] = [2, 0, 3, 0];

fn transitions() -> Transitions {
    let embeddings =
        array![[1.0_f32, 0.0], [0.96, 0.28], [0.8, 0.6], [0.6, 0.8], [0.28, 0.96], [0.0, 1.0]];
    let kernel = Kernel::nearest(embeddings.view(), 3, 6.0).unwrap();
    let config = NextStepConfig { prior_strength: 2.0, slow_share: 0.3, ..Default::default() };
    Transitions::new(config, ITEMS, Some(kernel)).unwrap()
}

fn unseen(item: u32) -> bool {
    !HISTORY.contains(&item)
}

/// Rank and log probability among what wasn't seen, from the predictive's own numbers.
fn standing(model: &impl Predictive, history: &[u32], item: u32) -> (usize, f64) {
    let mut log_probs = vec![0.0; model.item_count()];
    model.log_probs(history, &mut log_probs);
    let unseen = (0..model.item_count() as u32).filter(|&item| unseen(item));
    let mass: f64 = unseen.map(|item| log_probs[item as usize].exp()).sum();
    let rank = rank_of(&log_probs, item, crate::unseen);
    (rank, log_probs[item as usize] - mass.ln())
}

fn without(position: usize) -> Vec<u32> {
    let mut history = HISTORY.to_vec();
    history.remove(position);
    history
}

/// Next-step, fitted on others and on this history: a predictive that refits leaves the event out
/// of the counts, too.
struct Refit {
    family: Transitions,
    others: Belief<Transitions>,
}

impl Predictive for Refit {
    fn item_count(&self) -> usize {
        ITEMS
    }

    fn log_probs(&self, history: &[u32], out: &mut [f64]) {
        let mut belief = self.others.clone();
        belief.update(&self.family, &Sequence(history)).unwrap();
        belief.posterior(&self.family).unwrap().log_probs(history, out);
    }
}

#[test]
fn counterfactuals_are_refits_without_the_event() {
    let family = transitions();
    let mut others = Belief::new(&family);
    for sequence in TRAINED {
        others.update(&family, &Sequence(sequence)).unwrap();
    }
    let mut own = others.clone();
    own.update(&family, &Sequence(&HISTORY)).unwrap();
    let fitted = own.posterior(&family).unwrap();
    let refit = Refit { family: family.clone(), others };

    let mut moved = 0;
    for item in [1, 4, 5] {
        let asked = counterfactual_ranks(&fitted, &HISTORY, item, 0..4, unseen).unwrap();
        let refitted = counterfactual_ranks(&refit, &HISTORY, item, 0..4, unseen).unwrap();
        for (position, (asked, refitted)) in asked.iter().zip(&refitted).enumerate() {
            let rest = without(position);
            assert_eq!((asked.position, refitted.position), (position, position));
            let (rank, log_prob) = standing(&fitted, &rest, item);
            assert!(asked.rank == rank && (asked.log_prob - log_prob).abs() < 1e-12);

            // Taken back from the counts and seen again without the event.
            let mut belief = own.clone();
            belief.retract(&family, &Sequence(&HISTORY)).unwrap();
            belief.update(&family, &Sequence(&rest)).unwrap();
            let (rank, log_prob) = standing(&belief.posterior(&family).unwrap(), &rest, item);
            assert!(refitted.rank == rank && (refitted.log_prob - log_prob).abs() < 1e-12);
            moved += usize::from((asked.log_prob - refitted.log_prob).abs() > 1e-6);
        }
    }
    assert!(moved > 6, "leaving an event out of the counts, too, is another question");
}

#[test]
fn a_belief_that_takes_the_event_back_agrees() {
    let phi = array![[8.0, 6.0, 2.0, 1.0, 1.0, 1.0], [1.0, 1.0, 2.0, 4.0, 7.0, 8.0]];
    let phi = InterestLikelihood::from_weights(phi.view()).unwrap();
    let prior = Dirichlet::from_mean(&[0.5, 0.5], 2.0).unwrap();
    let model = InterestModel::new(prior, phi).unwrap();
    let mut sites = Sites::new(&model);
    for (id, item) in (0..).zip(HISTORY) {
        sites.absorb(&model, id, Chosen { item, weight: 1.0 }).unwrap();
    }
    let asked = counterfactual_ranks(&model, &HISTORY, 4, [2, 0], unseen).unwrap();
    for answer in &asked {
        let mut retracted = sites.clone();
        retracted.retract(&model, answer.position as u64).unwrap();
        let mut log_probs = vec![0.0; ITEMS];
        retracted.posterior(&model).unwrap().log_probs(model.likelihood(), &mut log_probs);
        assert_eq!(answer.rank, rank_of(&log_probs, 4, unseen));
        let mass: f64 = [1, 4, 5].map(|item: usize| log_probs[item].exp()).iter().sum();
        assert!((answer.log_prob - (log_probs[4] - mass.ln())).abs() < 1e-12);
    }
    assert_eq!([asked[0].position, asked[1].position], [2, 0]);
    // Item 3 is the only event that speaks for item 4.
    let (_, as_it_is) = standing(&model, &HISTORY, 4);
    assert!(asked[0].log_prob < as_it_is - 0.05, "{asked:?}, {as_it_is}");
}

#[test]
fn questions_about_nothing_are_refused() {
    let family = transitions();
    let model = Belief::new(&family).posterior(&family).unwrap();
    let run = |history: &[u32], item, position| {
        counterfactual_ranks(&model, history, item, [position], |_| true)
    };
    assert_eq!(run(&[0], 9, 0), Err(RankError::UnknownItem { item: 9, items: ITEMS }));
    assert_eq!(run(&[9], 0, 0), Err(RankError::UnknownItem { item: 9, items: ITEMS }));
    assert_eq!(run(&[0], 0, 1), Err(RankError::UnknownPosition { position: 1, events: 1 }));
    // The item itself is always a candidate, and the only one here.
    let alone = counterfactual_ranks(&model, &[0], 3, [0], |_| false).unwrap();
    assert!(alone[0].rank == 1 && alone[0].log_prob.abs() < 1e-12);
}

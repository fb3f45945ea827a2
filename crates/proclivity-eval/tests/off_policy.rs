//! Off-policy estimates against enumeration of everything that could have been logged, and against
//! the known truth of simulated users.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use ndarray::Array2;
use proclivity_eval::{
    EvalError, Interaction, LoggedItem, OffPolicyConfig, OffPolicyEstimate, Predicted, RankingLog,
};
use proclivity_posterior::Dirichlet;
use proclivity_rank::{PlackettLuce, PropensityConfig, TieBreak, thompson_list};
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// One ranking that may be logged, and how probably it is.
struct Outcome {
    probability: f64,
    items: Vec<LoggedItem>,
    predicted: Vec<Predicted>,
}

type Estimator = fn(&OffPolicyConfig, &RankingLog, &[Predicted]) -> OffPolicyEstimate;

const IPS: Estimator = |config, log, _| config.ips(log).unwrap();
const DOUBLY_ROBUST: Estimator =
    |config, log, predicted| config.doubly_robust(log, predicted).unwrap();

/// Mean and variance of an estimate, and mean of its squared standard error, over all logs of two
/// rankings.
fn moments(outcomes: &[Outcome], config: &OffPolicyConfig, estimator: Estimator) -> [f64; 3] {
    let (mut mean, mut square, mut error) = (0.0, 0.0, 0.0);
    for first in outcomes {
        for second in outcomes {
            let items = [&first.items[..], &second.items].concat();
            let predicted = [&first.predicted[..], &second.predicted].concat();
            let log = RankingLog::new(first.items.len(), items).unwrap();
            let estimate = estimator(config, &log, &predicted);
            let probability = first.probability * second.probability;
            mean += probability * estimate.value;
            square += probability * estimate.value.powi(2);
            error += probability * estimate.standard_error.powi(2);
        }
    }
    [mean, square - mean * mean, error]
}

fn close(got: f64, expected: f64) {
    assert!((got - expected).abs() < 1e-12, "{got} for {expected}");
}

const CONTEXTS: [f64; 2] = [0.3, 0.7];
const LOGGING: [[f64; 3]; 2] = [[0.5, 0.3, 0.2], [0.1, 0.6, 0.3]];
const TARGET: [[f64; 3]; 2] = [[0.1, 0.1, 0.8], [0.6, 0.4, 0.0]];
/// P(reward 1).
const REWARD: [[f64; 3]; 2] = [[0.2, 0.5, 0.9], [0.7, 0.1, 0.4]];

/// Everything that can be logged of two contexts with three actions, and the target's value.
fn single_items(model: [[f64; 3]; 2]) -> (Vec<Outcome>, f64) {
    let (mut outcomes, mut truth) = (vec![], 0.0);
    for (context, share) in CONTEXTS.into_iter().enumerate() {
        let expected = (0..3).map(|a| TARGET[context][a] * model[context][a]).sum();
        for action in 0..3 {
            let (propensity, target) = (LOGGING[context][action], TARGET[context][action]);
            let mean = REWARD[context][action];
            truth += share * target * mean;
            for (reward, chance) in [(1.0, mean), (0.0, 1.0 - mean)] {
                outcomes.push(Outcome {
                    probability: share * propensity * chance,
                    items: vec![LoggedItem { propensity, target, reward }],
                    predicted: vec![Predicted { logged: model[context][action], target: expected }],
                });
            }
        }
    }
    (outcomes, truth)
}

#[test]
fn estimates_of_single_items_are_unbiased_by_enumeration() {
    let wrong = [[3.0, -1.0, 0.5], [0.2, 0.2, 7.0]];
    let config = OffPolicyConfig::default();
    let mut variances = vec![];
    for (model, estimator) in [(REWARD, IPS), (wrong, DOUBLY_ROBUST), (REWARD, DOUBLY_ROBUST)] {
        let (outcomes, truth) = single_items(model);
        close(outcomes.iter().map(|outcome| outcome.probability).sum(), 1.0);
        let [mean, variance, error] = moments(&outcomes, &config, estimator);
        close(mean, truth);
        // The squared standard error is an unbiased estimate of the variance.
        close(error, variance);
        variances.push(variance);
    }
    assert!(variances[2] < 0.5 * variances[0], "{variances:?}");
}

#[test]
fn clipping_is_off_by_what_is_documented() {
    let config = OffPolicyConfig { clip: Some(1.5), ..Default::default() };
    let model = [[0.3, 0.3, 0.3], [0.5, 0.0, 0.0]];
    let (outcomes, truth) = single_items(model);
    let (mut bias, mut robust) = (0.0, 0.0);
    for outcome in &outcomes {
        let (item, predicted) = (outcome.items[0], outcome.predicted[0]);
        let excess = (item.target / item.propensity - 1.5).max(0.0);
        bias -= outcome.probability * excess * item.reward;
        robust -= outcome.probability * excess * (item.reward - predicted.logged);
    }
    let [mean, variance, _] = moments(&outcomes, &config, IPS);
    close(mean, truth + bias);
    let [mean, ..] = moments(&outcomes, &config, DOUBLY_ROBUST);
    close(mean, truth + robust);
    let [_, unclipped, _] = moments(&outcomes, &OffPolicyConfig::default(), IPS);
    assert!(bias < -0.1 && variance < unclipped, "{bias} {variance} {unclipped}");
    // The largest reward is 1: the reported bound holds on average.
    let summary = |outcome: &Outcome| {
        let log = RankingLog::new(1, [outcome.items[0]; 2].to_vec()).unwrap();
        outcome.probability * config.ips(&log).unwrap().weights[0].clipped
    };
    assert!(-bias <= outcomes.iter().map(summary).sum());
}

/// Every list of two out of four, by both policies.
fn rankings(
    interaction: Interaction,
    reward: fn([u32; 2], usize) -> f64,
    model: fn([u32; 2], usize) -> f64,
) -> (Vec<Outcome>, f64) {
    let policy = |scores: [f64; 4]| PlackettLuce::new(&scores, 1.0, |_| true).unwrap();
    let (logging, target) = (policy([0.5, 0.0, -0.5, 0.2]), policy([-1.0, 0.5, 1.0, 0.0]));
    let pairs = (0..4).flat_map(|a| (0..4).filter(move |&b| b != a).map(move |b| [a, b]));
    let lists: Vec<[u32; 2]> = pairs.collect();
    let probability = |policy: &PlackettLuce, list: [u32; 2]| {
        policy.propensities(&list).unwrap().iter().product::<f64>()
    };
    let marginal = |policy: &PlackettLuce, item: u32, place: usize| -> f64 {
        let with = lists.iter().filter(|list| list[place] == item);
        with.map(|&list| probability(policy, list)).sum()
    };
    // The mean of the model over the target's lists, of those that begin so under a cascade.
    let expected = |begin: &[u32], place: usize| -> f64 {
        let with = || lists.iter().filter(|list| list.starts_with(begin));
        let mass: f64 = with().map(|&list| probability(&target, list)).sum();
        with().map(|&list| probability(&target, list) * model(list, place)).sum::<f64>() / mass
    };
    let truth = lists.iter().map(|&list| {
        probability(&target, list) * (0..2).map(|place| reward(list, place)).sum::<f64>()
    });
    let outcome = |&list: &[u32; 2]| {
        let (before, after) = (logging.propensities(&list), target.propensities(&list));
        let (before, after) = (before.unwrap(), after.unwrap());
        let item = |place: usize| match interaction {
            Interaction::ItemPosition => LoggedItem {
                propensity: marginal(&logging, list[place], place),
                target: marginal(&target, list[place], place),
                reward: reward(list, place),
            },
            _ => LoggedItem {
                propensity: before[place],
                target: after[place],
                reward: reward(list, place),
            },
        };
        let predicted = |place: usize| {
            let cascade = interaction == Interaction::Cascade;
            let begin = if cascade { &list[..place] } else { &[] };
            Predicted { logged: model(list, place), target: expected(begin, place) }
        };
        Outcome {
            probability: probability(&logging, list),
            items: (0..2).map(item).collect(),
            predicted: (0..2).map(predicted).collect(),
        }
    };
    (lists.iter().map(outcome).collect(), truth.sum())
}

/// Unbiased where the reward depends on no more than assumed, and biased where it does.
#[test]
fn each_assumption_about_rankings_is_exact_for_its_rewards() {
    use Interaction::{Cascade, ItemPosition, List};
    let by_item: fn([u32; 2], usize) -> f64 =
        |list, place| [0.1, 0.9, 0.4, 0.6][list[place] as usize] / (1.0 + place as f64);
    // Who found what he wanted at the first place doesn't look at the second.
    let by_cascade: fn([u32; 2], usize) -> f64 = |list, place| {
        let worth = |place: usize| [0.1, 0.9, 0.4, 0.6][list[place] as usize];
        worth(place) * if place == 1 { 1.0 - worth(0) } else { 1.0 }
    };
    // The first is clicked less beside an attractive second.
    let by_list: fn([u32; 2], usize) -> f64 = |list, place| {
        let worth = |place: usize| [0.1, 0.9, 0.4, 0.6][list[place] as usize];
        worth(place) * (1.0 - 0.8 * worth(1 - place))
    };
    for (reward, unbiased) in [
        (by_item, &[ItemPosition, Cascade, List][..]),
        (by_cascade, &[Cascade, List]),
        (by_list, &[List]),
    ] {
        let mut variances = vec![];
        for interaction in [ItemPosition, Cascade, List] {
            let config = OffPolicyConfig { interaction, ..Default::default() };
            // The model of a cascade may see the list up to the place, that of a place the item.
            let (outcomes, truth) = rankings(interaction, reward, by_item);
            let [mean, variance, _] = moments(&outcomes, &config, IPS);
            let [robust, ..] = moments(&outcomes, &config, DOUBLY_ROBUST);
            if unbiased.contains(&interaction) {
                close(mean, truth);
                close(robust, truth);
            } else {
                assert!((mean - truth).abs() > 5e-3, "{interaction:?}: {mean} for {truth}");
            }
            variances.push(variance);
        }
        assert!(variances[0] < variances[1] && variances[1] < variances[2], "{variances:?}");
    }
    // A perfect model of a cascade leaves only the variance between lists that were continued.
    let (outcomes, truth) = rankings(Cascade, by_cascade, by_cascade);
    let config = OffPolicyConfig::default();
    let [mean, robust, _] = moments(&outcomes, &config, DOUBLY_ROBUST);
    let [_, plain, _] = moments(&outcomes, &config, IPS);
    close(mean, truth);
    assert!(robust < 0.3 * plain, "{robust} {plain}");
}

const ITEMS: usize = 6;

/// Users of three kinds, who click what they see with a probability of their own.
struct Simulator {
    logging: Vec<PlackettLuce>,
    target: Vec<PlackettLuce>,
    clicks: Vec<[f64; ITEMS]>,
}

impl Simulator {
    fn new(seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut scores = || -> Vec<[f64; ITEMS]> {
            (0..3).map(|_| std::array::from_fn(|_| rng.random_range(-1.5..1.5))).collect()
        };
        let softmax = |scores: &[f64; ITEMS]| PlackettLuce::new(scores, 1.0, |_| true).unwrap();
        let clicks = scores();
        Self {
            logging: scores().iter().map(softmax).collect(),
            target: clicks.iter().map(softmax).collect(),
            clicks: clicks.iter().map(|s| s.map(|score| 1.0 / (1.0 + (-score).exp()))).collect(),
        }
    }

    /// Σ over users and items of π(item|user) P(click|user, item).
    fn truth(&self) -> f64 {
        let of = |user: usize| -> f64 {
            let probs = self.target[user].log_probs().iter().map(|log_prob| log_prob.exp());
            probs.zip(self.clicks[user]).map(|(prob, click)| prob * click).sum()
        };
        (0..3).map(of).sum::<f64>() / 3.0
    }

    /// A log of single items, with predictions that are off by ± 20 %.
    fn log(&self, rankings: usize, rng: &mut ChaCha8Rng) -> (RankingLog, Vec<Predicted>) {
        let predicted = |user: usize, item: usize| {
            self.clicks[user][item] * if (user + item).is_multiple_of(2) { 1.2 } else { 0.8 }
        };
        let (mut items, mut predictions) = (vec![], vec![]);
        for _ in 0..rankings {
            let user = rng.random_range(0..3);
            let item = self.logging[user].sample(1, rng)[0];
            let prob = |policy: &[PlackettLuce], item: usize| policy[user].log_probs()[item].exp();
            let item = item as usize;
            let click = rng.random::<f64>() < self.clicks[user][item];
            items.push(LoggedItem {
                propensity: prob(&self.logging, item),
                target: prob(&self.target, item),
                reward: f64::from(u8::from(click)),
            });
            let target = (0..ITEMS).map(|item| prob(&self.target, item) * predicted(user, item));
            predictions.push(Predicted { logged: predicted(user, item), target: target.sum() });
        }
        (RankingLog::new(1, items).unwrap(), predictions)
    }
}

#[test]
fn simulated_logs_find_the_truth_and_say_how_sure() {
    let simulator = Simulator::new(11);
    let truth = simulator.truth();
    let config = OffPolicyConfig::default();
    let mut rng = ChaCha8Rng::seed_from_u64(12);
    let (mut values, mut errors, mut covered) = ([vec![], vec![], vec![]], [0.0; 3], [0.0; 3]);
    let (mut logged, mut size) = (0.0, 0.0);
    let replicates = 600;
    for _ in 0..replicates {
        let (log, predicted) = simulator.log(300, &mut rng);
        let estimates = [
            config.ips(&log).unwrap(),
            config.snips(&log).unwrap(),
            config.doubly_robust(&log, &predicted).unwrap(),
        ];
        for (i, estimate) in estimates.iter().enumerate() {
            values[i].push(estimate.value);
            errors[i] += estimate.standard_error / f64::from(replicates);
            let holds = estimate.low <= truth && truth <= estimate.high;
            covered[i] += f64::from(u8::from(holds)) / f64::from(replicates);
        }
        let rewards = log.items().iter().map(|item| item.reward);
        logged += rewards.sum::<f64>() / 300.0 / f64::from(replicates);
        size += estimates[0].effective_sample_size() / f64::from(replicates);
    }
    let mut deviations = vec![];
    for (i, values) in values.iter().enumerate() {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let squares = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
        let deviation = (squares / (n - 1.0)).sqrt();
        let off = (mean - truth).abs();
        assert!(off < 4.0 * deviation / n.sqrt(), "{i}: {mean} for {truth} ± {deviation}");
        assert!((errors[i] / deviation - 1.0).abs() < 0.1, "{i}: {} {deviation}", errors[i]);
        assert!((covered[i] - 0.95).abs() < 0.04, "{i}: {}", covered[i]);
        println!(
            "{i}: {mean:.4} for {truth:.4}, deviation {deviation:.4}, coverage {:.3}",
            covered[i]
        );
        deviations.push(deviation);
    }
    // What was logged is another policy's: the mean reward isn't an answer.
    assert!((logged - truth).abs() > 0.1, "{logged} {truth}");
    assert!(size > 30.0 && size < 200.0, "{size}");
    assert!(deviations[2] < 0.8 * deviations[0], "{deviations:?}");
    assert!(deviations[1] < deviations[0], "{deviations:?}");
}

/// Logs of Thompson sampling, whose propensities are estimated by drawing again, under the
/// item–position model.
#[test]
fn logs_of_thompson_sampling_can_be_evaluated() {
    let posterior = Dirichlet::new(vec![2.0, 1.5, 1.0, 1.0]).unwrap();
    let shares = Array2::<f64>::eye(4);
    let ties = TieBreak::new(["a", "b", "c", "d"].into_iter(), 1);
    let list = |rng: &mut ChaCha8Rng| {
        let list = thompson_list(&posterior, &shares.view(), 2, |_| true, &ties, rng)?;
        Ok(list.indices())
    };
    let estimated = PropensityConfig { draws: 20_000, seed: 3 }.estimate(list).unwrap();
    let target = PlackettLuce::new(&[0.0, 0.3, 0.6, 0.9], 1.0, |_| true).unwrap();
    let click = |item: u32, place: usize| [0.2, 0.5, 0.8, 0.3][item as usize] / (1 + place) as f64;
    let (mut marginal, mut truth) = ([[0.0; 4]; 2], 0.0);
    for first in 0..4_u32 {
        for second in (0..4).filter(|&item| item != first) {
            let list = [first, second];
            let prob: f64 = target.propensities(&list).unwrap().iter().product();
            for (place, item) in list.into_iter().enumerate() {
                marginal[place][item as usize] += prob;
                truth += prob * click(item, place);
            }
        }
    }
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let mut items = vec![];
    for _ in 0..6_000 {
        for (place, item) in list(&mut rng).unwrap().into_iter().enumerate() {
            items.push(LoggedItem {
                propensity: estimated.at(place, item).probability,
                target: marginal[place][item as usize],
                reward: f64::from(u8::from(rng.random::<f64>() < click(item, place))),
            });
        }
    }
    let log = RankingLog::new(2, items).unwrap();
    let config = OffPolicyConfig { interaction: Interaction::ItemPosition, ..Default::default() };
    for estimate in [config.ips(&log).unwrap(), config.snips(&log).unwrap()] {
        let off = (estimate.value - truth).abs();
        assert!(off < 4.0 * estimate.standard_error, "{} for {truth}", estimate.value);
        assert!(estimate.standard_error < 0.03 * truth);
        for place in &estimate.weights {
            assert!((place.mean - 1.0).abs() < 0.1, "{place:?}");
        }
    }
}

fn items(n: usize) -> impl Strategy<Value = Vec<LoggedItem>> {
    let item = (0.05..=1.0_f64, 0.01..=1.0_f64, -2.0..2.0_f64)
        .prop_map(|(propensity, target, reward)| LoggedItem { propensity, target, reward });
    prop::collection::vec(item, n)
}

proptest! {
    #[test]
    fn self_normalised_scores_move_with_the_rewards(
        items in items(12), moved in -50.0..50.0_f64, clip in prop::option::of(0.2..3.0_f64),
    ) {
        let shifted = items.iter().map(|item| LoggedItem { reward: item.reward + moved, ..*item });
        let shifted = RankingLog::new(2, shifted.collect()).unwrap();
        let log = RankingLog::new(2, items.clone()).unwrap();
        for interaction in [Interaction::ItemPosition, Interaction::Cascade, Interaction::List] {
            let config = OffPolicyConfig { interaction, clip, ..Default::default() };
            let (before, after) = (config.snips(&log).unwrap(), config.snips(&shifted).unwrap());
            prop_assert!((after.value - before.value - 2.0 * moved).abs() < 1e-9);
            prop_assert!((after.standard_error - before.standard_error).abs() < 1e-9);
            // Within the range of the rewards.
            prop_assert!(before.value.abs() <= 4.0);
            let mean = before.terms.iter().sum::<f64>() / before.terms.len() as f64;
            prop_assert!((mean - before.value).abs() < 1e-12);
            let sizes = config.ips(&log).unwrap().effective_sample_size();
            prop_assert!((1.0 - 1e-12..=6.0 + 1e-12).contains(&sizes));
        }
    }

    #[test]
    fn the_logging_policy_itself_earns_its_mean_reward(items in items(9)) {
        let own = items.iter().map(|item| LoggedItem { target: item.propensity, ..*item });
        let log = RankingLog::new(3, own.collect()).unwrap();
        let mean = items.iter().map(|item| item.reward).sum::<f64>() / 3.0;
        let predicted = vec![Predicted { logged: 0.7, target: 0.7 }; 9];
        for interaction in [Interaction::ItemPosition, Interaction::Cascade, Interaction::List] {
            let config = OffPolicyConfig { interaction, ..Default::default() };
            for estimate in [
                config.ips(&log).unwrap(),
                config.snips(&log).unwrap(),
                config.doubly_robust(&log, &predicted).unwrap(),
            ] {
                prop_assert!((estimate.value - mean).abs() < 1e-12);
                prop_assert!((estimate.effective_sample_size() - 3.0).abs() < 1e-9);
                prop_assert_eq!(estimate.weights[2].max, 1.0);
            }
        }
    }
}

#[test]
fn hostile_input_is_refused() {
    let item = LoggedItem { propensity: 0.5, target: 0.5, reward: 1.0 };
    let with = |bad: LoggedItem| RankingLog::new(2, vec![item, item, item, bad]);
    for propensity in [0.0, -0.1, 1.1, f64::NAN] {
        assert!(matches!(
            with(LoggedItem { propensity, ..item }),
            Err(EvalError::InvalidPropensity { policy: "logging", ranking: 1, place: 1, .. })
        ));
    }
    for target in [-0.1, 1.1, f64::NAN] {
        assert!(matches!(
            with(LoggedItem { target, ..item }),
            Err(EvalError::InvalidPropensity { policy: "target", ranking: 1, place: 1, .. })
        ));
    }
    for reward in [f64::NAN, f64::INFINITY] {
        let result = with(LoggedItem { reward, ..item });
        assert!(matches!(result, Err(EvalError::NotFinite { what: "reward", position: 3, .. })));
    }
    assert!(matches!(RankingLog::new(0, vec![]), Err(EvalError::Empty { .. })));
    assert!(matches!(
        RankingLog::new(2, vec![item; 3]),
        Err(EvalError::Length { expected: 4, got: 3, .. })
    ));
    assert!(matches!(RankingLog::new(2, vec![item; 2]), Err(EvalError::OutOfRange { .. })));

    let log = RankingLog::new(1, vec![item; 4]).unwrap();
    for (clip, confidence) in [(0.0, 0.9), (f64::NAN, 0.9), (1.0, 1.0), (1.0, f64::NAN)] {
        let config = OffPolicyConfig { clip: Some(clip), confidence, ..Default::default() };
        assert!(matches!(config.ips(&log), Err(EvalError::OutOfRange { .. })));
    }
    let config = OffPolicyConfig::default();
    let predicted = Predicted { logged: 0.0, target: 0.0 };
    assert!(matches!(
        config.doubly_robust(&log, &[predicted; 3]),
        Err(EvalError::Length { expected: 4, got: 3, .. })
    ));
    let bad = Predicted { target: f64::NAN, ..predicted };
    assert!(matches!(
        config.doubly_robust(&log, &[predicted, predicted, bad, predicted]),
        Err(EvalError::NotFinite { what: "predicted reward", position: 2, .. })
    ));
    let elsewhere = RankingLog::new(1, vec![LoggedItem { target: 0.0, ..item }; 4]).unwrap();
    assert!(matches!(config.snips(&elsewhere), Err(EvalError::NoOverlap { place: 0 })));
    let nothing = config.ips(&elsewhere).unwrap();
    assert_eq!((nothing.value, nothing.effective_sample_size()), (0.0, 0.0));

    let rare = LoggedItem { propensity: 1e-200, target: 1.0, reward: 1.0 };
    let log = RankingLog::new(2, vec![rare; 4]).unwrap();
    assert!(matches!(config.ips(&log), Err(EvalError::NotFinite { what: "weight", .. })));
}

//! Pool and splice: sums, order, optimality, recovery of a known simulator and hostile input.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use ndarray::{Array2, array};
use proclivity_posterior::{
    Candidates, LogLinearPool, PosteriorError, RankingCase, Reliability, ReliabilityGroups, Splice,
    SpliceConfig, SpliceEvent, WeightSearch, coordinate_search, inverse_temperature, log_sum_exp,
};
use proptest::prelude::*;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const ITEMS: usize = 40;
const HEAD: usize = 9;

/// A user's candidates, owned. Scores are coarse, so that there are ties.
#[derive(Debug, Clone)]
struct User {
    scores: Vec<f64>,
    members: Array2<f64>,
    excluded: Vec<u32>,
    history_len: usize,
}

impl User {
    fn candidates(&self) -> Candidates<'_> {
        Candidates {
            scores: &self.scores,
            member_log_probs: self.members.view(),
            excluded: &self.excluded,
            history_len: self.history_len,
        }
    }

    fn allowed(&self) -> Vec<usize> {
        (0..self.scores.len()).filter(|&item| !self.excluded.contains(&(item as u32))).collect()
    }
}

fn user() -> impl Strategy<Value = User> {
    let member = prop_oneof![9 => -12.0_f64..0.0, 1 => Just(f64::NEG_INFINITY)];
    (
        prop::collection::vec((-8_i32..8).prop_map(|score| f64::from(score) / 2.0), ITEMS),
        prop::collection::vec(member, 2 * ITEMS),
        prop::collection::vec(0..ITEMS as u32, 0..ITEMS - 1),
        0_usize..50,
    )
        .prop_map(|(scores, members, excluded, history_len)| User {
            scores,
            members: Array2::from_shape_vec((2, ITEMS), members).unwrap(),
            excluded,
            history_len,
        })
}

fn random_user(rng: &mut impl Rng) -> User {
    User {
        scores: (0..ITEMS).map(|_| rng.random_range(-4.0..4.0)).collect(),
        members: Array2::from_shape_fn((2, ITEMS), |_| rng.random_range(-6.0..0.0)),
        excluded: vec![rng.random_range(0..ITEMS as u32)],
        history_len: rng.random_range(1..30),
    }
}

/// A splice with every part away from its default, through the state that it is saved in.
fn splice(protected: usize) -> Splice {
    let state = serde_json::json!({
        "version": 1,
        "config": { "head": HEAD, "protected": protected, "ridge": 1.0 },
        "membership": [-0.3, 0.1, -0.2, 0.3, 0.1, 0.8, 0.2, -0.1],
        "slope": 0.7,
        "margin_slope": 0.1,
        "drops": [0.4, 0.0, 0.2],
        "mixture": [0.5, 0.3, 0.2],
        "tail": [0.2, 0.5, 0.3],
        "bands": [0.4, 0.0, -0.4, 0.0, 0.0, 0.0, 0.0, 0.0],
    });
    serde_json::from_value(state).unwrap()
}

fn log_probs(splice: &Splice, user: &User) -> Vec<f64> {
    let mut out = vec![f64::NAN; user.scores.len()];
    splice.log_probs(&user.candidates(), &mut out).unwrap();
    out
}

fn draw(log_probs: &[f64], rng: &mut impl Rng) -> u32 {
    let mut left: f64 = rng.random();
    let possible = |&(_, p): &(usize, &f64)| *p > f64::NEG_INFINITY;
    for (item, p) in log_probs.iter().enumerate().filter(possible) {
        left -= p.exp();
        if left < 0.0 {
            return item as u32;
        }
    }
    log_probs.iter().enumerate().rfind(possible).unwrap().0 as u32
}

proptest! {
    #[test]
    fn probabilities_of_the_candidates_sum_to_one(user in user()) {
        let out = log_probs(&splice(3), &user);
        let sum: f64 = out.iter().map(|p| p.exp()).sum();
        prop_assert!((sum - 1.0).abs() < 1e-9, "{}", sum);
        for item in &user.excluded {
            prop_assert_eq!(out[*item as usize], f64::NEG_INFINITY);
        }
        for item in user.allowed() {
            prop_assert!(out[item].is_finite(), "uniform gives everything something");
        }
    }

    #[test]
    fn the_order_of_the_head_is_the_pools(user in user()) {
        let out = log_probs(&splice(3), &user);
        let mut allowed = user.allowed();
        allowed.sort_by(|&a, &b| user.scores[b].total_cmp(&user.scores[a]));
        let last = user.scores[allowed[HEAD.min(allowed.len()) - 1]];
        let head: Vec<usize> =
            allowed.iter().copied().filter(|&item| user.scores[item] >= last).collect();
        for &a in &head {
            for &b in &head {
                if user.scores[a] == user.scores[b] {
                    prop_assert_eq!(out[a], out[b]);
                } else if user.scores[a] > user.scores[b] {
                    prop_assert!(out[a] > out[b]);
                }
            }
        }
        // Nothing of the tail passes what is protected.
        for &protected in head.iter().take(3) {
            for item in allowed.iter().filter(|item| !head.contains(item)) {
                prop_assert!(out[protected] >= out[*item]);
            }
        }
    }

    #[test]
    fn items_have_no_numbers(user in user(), seed in 0_u64..1000) {
        use rand::seq::SliceRandom;
        let mut order: Vec<usize> = (0..ITEMS).collect();
        order.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
        let at = |item: u32| order.iter().position(|&from| from == item as usize).unwrap() as u32;
        let moved = User {
            scores: order.iter().map(|&from| user.scores[from]).collect(),
            members: user.members.select(ndarray::Axis(1), &order),
            excluded: user.excluded.iter().map(|&item| at(item)).collect(),
            history_len: user.history_len,
        };
        let (before, after) = (log_probs(&splice(3), &user), log_probs(&splice(3), &moved));
        for (to, &from) in order.iter().enumerate() {
            prop_assert!(before[from] == after[to] || (before[from] - after[to]).abs() < 1e-9);
        }
    }

    #[test]
    fn a_rank_in_a_range_is_the_rank_by_the_plain_loop(
        user in user(),
        weights in prop::collection::vec(-1.0_f64..2.0, 3),
        top in 1_usize..12,
    ) {
        let members = ndarray::concatenate![
            ndarray::Axis(0),
            user.members.mapv(|p| p.max(-20.0)),
            Array2::from_shape_vec((1, ITEMS), user.scores.clone()).unwrap()
        ];
        let target = user.allowed()[0];
        let pool = |weights: &[f64]| LogLinearPool::new(weights.to_vec()).unwrap();
        let case = |pools: &[LogLinearPool]| {
            RankingCase::new(members.view(), &user.excluded, target as u32, pools, top).unwrap()
        };
        let known = case(&[pool(&[1.0, 0.5, 0.0]), pool(&weights)]);
        let case = case(&[pool(&[1.0, 0.5, 0.0])]);
        let mut scores = vec![0.0; ITEMS];
        pool(&weights).scores(members.view(), &mut scores).unwrap();
        let allowed = user.allowed();
        let rivals = allowed.iter().filter(|&&item| item != target);
        let rank = 1 + rivals.filter(|&&item| scores[item] >= scores[target]).count();
        let range = case.rank(&weights);
        prop_assert!(range.first <= rank && rank <= range.last);
        prop_assert_eq!(known.rank(&weights).first.min(top + 1), rank.min(top + 1));
        if top >= allowed.len() {
            prop_assert_eq!((range.first, range.last), (rank, rank));
        }
    }
}

/// Events drawn from a known splice, and the users behind them.
fn simulated(truth: &Splice, count: usize, seed: u64) -> (Vec<SpliceEvent>, Vec<(User, u32)>) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let one = |_| {
        let user = random_user(&mut rng);
        let target = draw(&log_probs(truth, &user), &mut rng);
        let event = SpliceEvent::new(truth.config(), &user.candidates(), target).unwrap();
        (event, (user, target))
    };
    (0..count).map(one).unzip()
}

fn loss(splice: &Splice, events: &[(User, u32)]) -> f64 {
    let sum: f64 = events.iter().map(|(user, x)| -log_probs(splice, user)[*x as usize]).sum();
    sum / events.len() as f64
}

#[test]
fn a_known_simulator_is_recovered_and_calibrated() {
    // The fit's own mixture isn't the simulator's: no odds from it, so that the model can be right.
    let mut state = serde_json::to_value(splice(0)).unwrap();
    state["membership"][5] = 0.0.into();
    let truth: Splice = serde_json::from_value(state).unwrap();
    let (events, _) = simulated(&truth, 20_000, 1);
    let (_, fresh) = simulated(&truth, 20_000, 2);
    let fitted = Splice::fit(truth.config().clone(), &events).unwrap();
    assert!((fitted.slope() - truth.slope()).abs() < 0.15, "{}", fitted.slope());
    assert!((fitted.margin_slope() - truth.margin_slope()).abs() < 0.03, "{fitted:?}");
    for (found, drop) in fitted.drops().iter().zip(truth.drops()) {
        assert!((found - drop).abs() < 0.15, "{:?}", fitted.drops());
    }
    for (found, weight) in fitted.tail_weights().iter().zip(truth.tail_weights()) {
        assert!((found - weight).abs() < 0.06, "{:?}", fitted.tail_weights());
    }
    let bands = fitted.band_weights();
    let (first, second) = (bands[0] - bands[1], bands[1] - bands[2]);
    assert!((first - 0.4).abs() < 0.1 && (second - 0.4).abs() < 0.1, "{bands:?}");
    // By the loss, the odds are where features are: a coefficient alone may wander.
    let excess = loss(&fitted, &fresh) - loss(&truth, &fresh);
    assert!((0.0..0.002).contains(&(excess + 0.0005)), "{excess}");
    let mut reliability = Reliability::new();
    for (user, target) in &fresh {
        for (item, &p) in log_probs(&fitted, user).iter().enumerate() {
            if p > f64::NEG_INFINITY {
                reliability.add(p, item as u32 == *target).unwrap();
            }
        }
    }
    for group in reliability.groups(10, ReliabilityGroups::Expected) {
        // About 2,000 events each: 4.5 standard errors.
        assert!((group.ratio().unwrap() - 1.0).abs() < 0.1, "{group:?}");
    }
}

#[test]
fn the_fit_is_an_optimum_and_doesnt_depend_on_threads() {
    let truth = splice(0);
    let (events, users) = simulated(&truth, 3_000, 3);
    let config = SpliceConfig { ridge: 1e-6, ..truth.config().clone() };
    let fit = || Splice::fit(config.clone(), &events).unwrap();
    let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap().install(fit);
    let three = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap().install(fit);
    assert_eq!(one, three);
    // No parameter of the head, the bands or the odds can be moved to a better place.
    let best = loss(&one, &users);
    let state = serde_json::to_value(&one).unwrap();
    for (field, at) in
        [("slope", None), ("margin_slope", None), ("drops", Some(0)), ("drops", Some(2))]
            .into_iter()
            .chain((0..8).flat_map(|at| [("membership", Some(at)), ("bands", Some(at))]))
    {
        for by in [-0.02, 0.02] {
            let mut state = state.clone();
            let value = match at {
                Some(at) => &mut state[field][at],
                None => &mut state[field],
            };
            let moved = value.as_f64().unwrap() + by;
            *value = moved.into();
            if let Ok(moved) = serde_json::from_value::<Splice>(state) {
                assert!(loss(&moved, &users) > best - 1e-7, "{field} {at:?} {by}");
            }
        }
    }
}

#[test]
fn the_search_finds_the_member_that_ranks() {
    // Member 1 is the truth with noise, member 0 noise alone, member 2 the truth upside down.
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let around = LogLinearPool::new(vec![1.0, 0.1, 0.1]).unwrap();
    let cases: Vec<RankingCase> = (0..500)
        .map(|_| {
            let target = rng.random_range(0..ITEMS);
            let scores = Array2::from_shape_fn((3, ITEMS), |(member, item)| {
                let signal = [0.0, 1.5, -1.0][member] * f64::from(u8::from(item == target));
                signal + rng.random_range(-1.0..1.0)
            });
            RankingCase::new(scores.view(), &[], target as u32, &[], ITEMS).unwrap()
        })
        .collect();
    let search = WeightSearch::default();
    let run = || search.fit(&around, &cases).unwrap();
    let (pool, ndcg) = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap().install(run);
    let again = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap().install(run);
    assert_eq!((&pool, ndcg), (&again.0, again.1));
    let [noise, truth, reverse] = pool.weights() else { panic!("three members") };
    assert_eq!(*noise, 1.0);
    assert!(*truth > 2.0 && *reverse < -0.5, "{:?}", pool.weights());
    assert!(ndcg > 0.9, "{ndcg}");
}

#[test]
fn a_pool_turned_over_is_not_taken_for_a_good_one() {
    // The item is above nine tenths of the others by the one member, whose best rivals are all
    // behind it once the weight is negative.
    let members = Array2::from_shape_fn((1, 1000), |(_, item)| item as f64);
    let case = RankingCase::new(members.view(), &[], 900, &[], 10).unwrap();
    let turned = LogLinearPool::new(vec![-1.0]).unwrap();
    let search = WeightSearch { cutoff: 9, ..WeightSearch::default() };
    assert_eq!(search.ndcg(&turned, &[case]).unwrap(), 0.0);
}

/// Choices drawn from a pool's own softmax.
fn choices(weights: [f64; 3], count: usize, seed: u64) -> Vec<(Array2<f64>, u32)> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let choice = |_| {
        let scores = Array2::from_shape_fn((3, ITEMS), |_| rng.random_range(-2.0..2.0));
        let score = |item: usize| -> f64 { (0..3).map(|m| weights[m] * scores[(m, item)]).sum() };
        let gumbel = |_| -(-rng.random_range(0.0_f64..1.0).ln()).ln();
        let drawn: Vec<f64> = (0..ITEMS).map(gumbel).collect();
        let value = |item: &usize| score(*item) + drawn[*item];
        let target = (0..ITEMS).max_by(|a, b| value(a).total_cmp(&value(b))).unwrap();
        (scores, target as u32)
    };
    (0..count).map(choice).collect()
}

#[test]
fn the_most_likely_pool_is_the_one_that_chose_and_no_other_is_more_likely() {
    let truth = [1.2, -0.4, 0.0];
    let choices = choices(truth, 3000, 8);
    let case = |(scores, target): &(Array2<f64>, u32)| {
        RankingCase::new(scores.view(), &[], *target, &[], ITEMS).unwrap()
    };
    let cases: Vec<RankingCase> = choices.iter().map(case).collect();
    let loss = |weights: &[f64]| -> f64 {
        let of = |(scores, target): &(Array2<f64>, u32)| {
            let score =
                |item: usize| -> f64 { (0..3).map(|m| weights[m] * scores[(m, item)]).sum() };
            let scores: Vec<f64> = (0..ITEMS).map(score).collect();
            log_sum_exp(&scores) - scores[*target as usize]
        };
        choices.iter().map(of).sum::<f64>() + 0.5 * weights.iter().map(|w| w * w).sum::<f64>()
    };
    let cases: Vec<&RankingCase> = cases.iter().collect();
    let pool = LogLinearPool::fit(&cases, &[]).unwrap();
    // A standard error is about 1 / √(3000 · 4 / 3).
    for (weight, truth) in pool.weights().iter().zip(truth) {
        assert!((weight - truth).abs() < 0.08, "{:?}", pool.weights());
    }
    let lowest = loss(pool.weights());
    for member in 0..3 {
        for by in [-1e-3, 1e-3] {
            let mut weights = pool.weights().to_vec();
            weights[member] += by;
            assert!(loss(&weights) > lowest);
        }
    }
    let without = LogLinearPool::fit(&cases, &[0]).unwrap();
    assert!(without.weights()[0] == 0.0 && loss(without.weights()) > lowest);
    assert!(matches!(LogLinearPool::fit(&cases, &[0, 1, 2]), Err(PosteriorError::Empty { .. })));
    assert!(matches!(LogLinearPool::fit(&[], &[]), Err(PosteriorError::Empty { .. })));
}

#[test]
fn a_case_with_other_scores_is_a_case_made_anew() {
    let [(old, target), (new, _)] = &choices([1.0, 0.0, 0.0], 2, 9)[..] else { panic!("two") };
    let case = |scores: &Array2<f64>, top| {
        RankingCase::new(scores.view(), &[(target + 1) % ITEMS as u32], *target, &[], top).unwrap()
    };
    let mut mixed = old.clone();
    mixed.row_mut(1).assign(&new.row(1));
    let replaced = |top| case(old, top).with_scores(1, &new.row(1).to_vec()).unwrap();
    for weights in [[1.0, 0.0, 0.0], [0.3, 1.0, -0.4], [0.0, -2.0, 1.0]] {
        let rank = case(&mixed, ITEMS).rank(&weights);
        assert_eq!(replaced(ITEMS).rank(&weights).first, rank.first);
        let few = replaced(5).rank(&weights);
        assert!(few.first <= rank.first && rank.last <= few.last);
    }
    let mut bad = new.row(1).to_vec();
    assert!(case(old, 5).with_scores(1, &bad[..ITEMS / 8]).is_err());
    bad[*target as usize] = f64::NAN;
    let not_finite = case(old, 5).with_scores(1, &bad);
    assert!(matches!(not_finite, Err(PosteriorError::NotFinite { row: 1, .. })));
}

#[test]
fn coordinate_search_climbs_a_hill() {
    let mut point = [1.0, -0.2];
    let search = WeightSearch { halvings: 12, max_rounds: 200, ..WeightSearch::default() };
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let hill = |x: &[f64]| -(x[0] - 3.0).powi(2) - (x[1] - 0.5).powi(2);
    let best = coordinate_search(&mut point, &[0, 1], &search, &mut rng, hill);
    assert!(best > -1e-4 && (point[0] - 3.0).abs() < 0.01 && (point[1] - 0.5).abs() < 0.01);
    assert_eq!(best, hill(&point));
}

#[test]
fn a_temperature_is_recovered() {
    let mut rng = ChaCha8Rng::seed_from_u64(8);
    let scores = Array2::from_shape_fn((20_000, 12), |(_, item)| {
        if item == 0 { f32::NEG_INFINITY } else { rng.random_range(-3.0..3.0) }
    });
    let targets: Vec<u32> = scores
        .outer_iter()
        .map(|scores| {
            let weights: Vec<f64> = scores.iter().map(|s| (0.6 * f64::from(*s)).exp()).collect();
            let total: f64 = weights.iter().sum();
            draw(&weights.iter().map(|w| (w / total).ln()).collect::<Vec<_>>(), &mut rng)
        })
        .collect();
    let found = inverse_temperature(scores.view(), &targets).unwrap();
    assert!((found - 0.6).abs() < 0.03, "{found}");
    let same = array![[1.0_f32, 1.0], [2.0, 2.0]];
    assert_eq!(inverse_temperature(same.view(), &[0, 1]).unwrap(), 0.0);
    let nan = array![[f32::NAN, 1.0]];
    assert!(inverse_temperature(nan.view(), &[1]).is_err());
    assert!(inverse_temperature(scores.view(), &targets[1..]).is_err());
}

#[test]
fn everything_in_the_head_is_a_softmax() {
    let user = User {
        scores: vec![1.0; 5],
        members: Array2::from_elem((2, 5), -1.0),
        excluded: vec![2],
        history_len: 1,
    };
    let out = log_probs(&splice(3), &user);
    for (item, p) in out.iter().enumerate() {
        let expected = if item == 2 { 0.0 } else { 0.25 };
        assert!((p.exp() - expected).abs() < 1e-12, "ties stay ties");
    }
}

#[test]
fn a_fit_without_much_to_go_by_is_finite() {
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let config = splice(3).config().clone();
    let best = |user: &User| {
        let by_score = |a: &usize, b: &usize| user.scores[*a].total_cmp(&user.scores[*b]);
        user.allowed().into_iter().max_by(by_score).unwrap() as u32
    };
    let worst = |user: &User| {
        let by_score = |a: &usize, b: &usize| user.scores[*a].total_cmp(&user.scores[*b]);
        user.allowed().into_iter().min_by(by_score).unwrap() as u32
    };
    for count in [1, 30] {
        for target in [&best as &dyn Fn(&User) -> u32, &worst] {
            let users: Vec<User> = (0..count).map(|_| random_user(&mut rng)).collect();
            let event =
                |user: &User| SpliceEvent::new(&config, &user.candidates(), target(user)).unwrap();
            let events: Vec<SpliceEvent> = users.iter().map(event).collect();
            let splice = Splice::fit(config.clone(), &events).unwrap();
            let sum: f64 = log_probs(&splice, &users[0]).iter().map(|p| p.exp()).sum();
            assert!((sum - 1.0).abs() < 1e-9);
        }
    }
}

#[test]
fn it_is_saved_and_damage_is_found() {
    let splice = splice(3);
    let text = serde_json::to_string(&splice).unwrap();
    assert_eq!(serde_json::from_str::<Splice>(&text).unwrap(), splice);
    for (from, to) in [
        ("\"version\":1", "\"version\":2"),
        ("\"slope\":0.7", "\"slope\":-0.7"),
        ("[0.4,0.0,0.2]", "[0.4,-0.1,0.2]"),
        ("[0.4,0.0,0.2]", "[0.4,0.2]"),
        ("[0.2,0.5,0.3]", "[0.2,0.5,0.4]"),
        ("[0.2,0.5,0.3]", "[0.7,0.3]"),
        ("[0.2,0.5,0.3]", "[0.5,0.5,0.0]"),
        ("[0.4,0.0,-0.4", "[0.4,-0.4"),
        ("[0.4,0.0,-0.4", "[0.4,1e300,-0.4"),
        ("\"head\":9", "\"head\":0"),
        ("\"head\":9", "\"head\":90"),
        ("-0.3,0.1", "0.1"),
        ("\"margin_slope\":0.1", "\"margin_slope\":-0.1"),
    ] {
        let damaged = text.replace(from, to);
        assert_ne!(damaged, text, "{from}");
        assert!(serde_json::from_str::<Splice>(&damaged).is_err(), "{to}");
    }
    let pool = LogLinearPool::new(vec![1.0, -0.1]).unwrap();
    let text = serde_json::to_string(&pool).unwrap();
    assert_eq!(serde_json::from_str::<LogLinearPool>(&text).unwrap(), pool);
    assert!(serde_json::from_str::<LogLinearPool>(&text.replace(":1,", ":7,")).is_err());
}

#[test]
fn what_doesnt_fit_is_refused() {
    let splice = splice(3);
    let mut rng = ChaCha8Rng::seed_from_u64(6);
    let user = random_user(&mut rng);
    let refused = |user: &User| {
        splice.log_probs(&user.candidates(), &mut vec![0.0; user.scores.len()]).unwrap_err()
    };
    let nan = User { scores: vec![f64::NAN; ITEMS], ..user.clone() };
    assert!(matches!(refused(&nan), PosteriorError::NotFinite { .. }));
    let infinite = User { members: Array2::from_elem((2, ITEMS), f64::INFINITY), ..user.clone() };
    assert!(matches!(refused(&infinite), PosteriorError::NotFinite { .. }));
    let nan = User { members: Array2::from_elem((2, ITEMS), f64::NAN), ..user.clone() };
    assert!(matches!(refused(&nan), PosteriorError::NotFinite { .. }));
    let nothing = User { excluded: (0..ITEMS as u32).collect(), ..user.clone() };
    assert!(matches!(refused(&nothing), PosteriorError::Empty { .. }));
    let unknown = User { excluded: vec![ITEMS as u32], ..user.clone() };
    assert!(matches!(refused(&unknown), PosteriorError::UnknownItem { .. }));
    let three = User { members: Array2::zeros((3, ITEMS)), ..user.clone() };
    assert!(matches!(refused(&three), PosteriorError::Length { .. }));
    let short = User { members: Array2::zeros((2, 3)), ..user.clone() };
    assert!(matches!(refused(&short), PosteriorError::Length { .. }));
    assert!(splice.log_probs(&user.candidates(), &mut [0.0; 2]).is_err());

    let event = |target| SpliceEvent::new(splice.config(), &user.candidates(), target);
    assert!(event(user.excluded[0]).is_err() && event(ITEMS as u32).is_err());
    let other = SpliceConfig { head: 4, ..splice.config().clone() };
    let free = user.allowed()[0] as u32;
    assert!(Splice::fit(other, &[event(free).unwrap()]).is_err());
    assert!(Splice::fit(SpliceConfig::default(), &[]).is_err());
    for config in [
        SpliceConfig { head: 0, ..SpliceConfig::default() },
        SpliceConfig { protected: 201, ..SpliceConfig::default() },
        SpliceConfig { ridge: 0.0, ..SpliceConfig::default() },
        SpliceConfig { ridge: f64::NAN, ..SpliceConfig::default() },
    ] {
        assert!(matches!(config.validate(), Err(PosteriorError::OutOfRange { .. })));
    }
    assert!(LogLinearPool::new(vec![]).is_err() && LogLinearPool::new(vec![f64::NAN]).is_err());
    let pool = LogLinearPool::new(vec![1.0, 1.0]).unwrap();
    let case = |target| RankingCase::new(user.members.view(), &user.excluded, target, &[], 5);
    assert!(case(user.excluded[0]).is_err() && case(99).is_err());
    let one = LogLinearPool::new(vec![1.0]).unwrap();
    assert!(WeightSearch::default().fit(&one, &[case(free).unwrap()]).is_err());
    assert!(WeightSearch::default().fit(&pool, &[]).is_err());
}

#[test]
fn reliability_counts_everything_once() {
    let (mut left, mut right) = (Reliability::new(), Reliability::new());
    let mut rng = ChaCha8Rng::seed_from_u64(9);
    let mut expected = 0.0;
    for at in 0..10_000 {
        let log_prob: f64 = rng.random_range(-9.0..0.0);
        expected += log_prob.exp();
        let to = if at % 2 == 0 { &mut left } else { &mut right };
        to.add(log_prob, rng.random::<f64>() < log_prob.exp()).unwrap();
    }
    left.merge(&right);
    for of in [ReliabilityGroups::Predictions, ReliabilityGroups::Expected] {
        let groups = left.groups(10, of);
        assert_eq!(groups.len(), 10);
        assert_eq!(groups.iter().map(|group| group.predictions).sum::<u64>(), 10_000);
        assert!((groups.iter().map(|group| group.expected).sum::<f64>() - expected).abs() < 1e-6);
        for group in &groups {
            let size = match of {
                ReliabilityGroups::Predictions => group.predictions as f64 / 1_000.0,
                ReliabilityGroups::Expected => group.expected / (expected / 10.0),
            };
            assert!((size - 1.0).abs() < 0.05, "{group:?}");
        }
    }
    assert!(left.add(0.5, true).is_err() && left.add(f64::NAN, true).is_err());
    assert!(Reliability::new().groups(10, ReliabilityGroups::Expected).is_empty());
}

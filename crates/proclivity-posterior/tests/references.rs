//! Posteriors of taste against draws that others made: Stan's of posteriordb, NumPyro's of choices.
//!
//! `reference/` says how each file was made, from which versions.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use ndarray::{Array1, Array2};
use proclivity_posterior::{
    Belief, Choice, ChoiceSet, Normal, NormalInverseGamma, Rated, Sites, TasteMixture,
    TasteMixtureConfig,
};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::Deserialize;
use std::collections::BTreeMap;

/// How many Monte Carlo standard errors two numbers may be apart. About 220 different ones are
/// compared: if all are the same, one in 70 times does one exceed it; the largest is 2.9.
const ERRORS: f64 = 4.0;

fn within(what: &str, got: f64, expected: f64, error: f64) {
    let errors = (got - expected).abs() / error;
    assert!(errors <= ERRORS, "{what}: {got} is {errors:.1} errors from {expected} ± {error}");
}

fn read<T: serde::de::DeserializeOwned>(file: &str) -> T {
    let path = format!("{}/reference/{file}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[derive(Deserialize)]
struct Regressions {
    prior: RegressionPrior,
    probabilities: Vec<f64>,
    posteriors: BTreeMap<String, Regression>,
}

#[derive(Deserialize)]
struct RegressionPrior {
    precision: f64,
    shape: f64,
    rate: f64,
}

#[derive(Deserialize)]
struct Regression {
    events: usize,
    gram: Vec<Vec<f64>>,
    coefficients: Vec<Summary>,
    noise_variance: Summary,
}

#[derive(Deserialize)]
struct Summary {
    mean: f64,
    mean_mcse: f64,
    sd: f64,
    sd_mcse: f64,
    quantiles: Vec<f64>,
    probability_mcse: Vec<f64>,
}

/// Rows with the same Gram matrix: its Cholesky factor, transposed.
fn rows_of(gram: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let dim = gram.len();
    let mut lower = vec![vec![0.0; dim]; dim];
    for i in 0..dim {
        for j in 0..=i {
            let known: f64 = (0..j).map(|k| lower[i][k] * lower[j][k]).sum();
            let left = gram[i][j] - known;
            lower[i][j] = if i == j { left.sqrt() } else { left / lower[j][j] };
        }
    }
    (0..dim).map(|row| (0..dim).map(|column| lower[column][row]).collect()).collect()
}

/// Means, standard deviations and quantiles of every coefficient and of the noise's variance.
#[test]
fn regressions_of_posteriordb() {
    let Regressions { prior, probabilities, posteriors } = read("posteriordb.json");
    assert_eq!(posteriors.len(), 3);
    for (name, regression) in posteriors {
        let dim = regression.coefficients.len();
        let family =
            NormalInverseGamma::isotropic(dim, prior.precision, prior.shape, prior.rate).unwrap();
        let mut belief = Belief::new(&family);
        let mut rows = rows_of(&regression.gram);
        rows.resize(regression.events, vec![0.0; dim + 1]);
        for row in &rows {
            belief.update(&family, &Rated { features: &row[..dim], value: row[dim] }).unwrap();
        }
        let posterior = belief.posterior(&family).unwrap();
        for (index, theirs) in regression.coefficients.iter().enumerate() {
            let what = format!("{name}, coefficient {index}");
            let ours = posterior.marginal(index).unwrap();
            within(&what, ours.location(), theirs.mean, theirs.mean_mcse);
            within(&what, ours.variance().sqrt(), theirs.sd, theirs.sd_mcse);
            let quantiles = theirs.quantiles.iter().zip(&probabilities);
            for ((&at, &probability), &error) in quantiles.zip(&theirs.probability_mcse) {
                within(&what, ours.cdf(at), probability, error);
            }
        }
        let theirs = &regression.noise_variance;
        let what = format!("{name}, noise");
        let mean = posterior.noise_mean().unwrap();
        within(&what, mean, theirs.mean, theirs.mean_mcse);
        within(&what, mean / (posterior.shape() - 2.0).sqrt(), theirs.sd, theirs.sd_mcse);
        let quantiles = theirs.quantiles.iter().zip(&probabilities);
        for ((&at, &probability), &error) in quantiles.zip(&theirs.probability_mcse) {
            within(&what, posterior.noise_cdf(at), probability, error);
        }
    }
}

#[derive(Deserialize)]
struct Choices {
    prior_sd: f64,
    concentration: f64,
    features: Vec<Vec<Vec<f32>>>,
    offsets: Vec<Vec<f64>>,
    chosen: Vec<usize>,
    shown: Vec<Vec<f32>>,
    choice: ChoiceDraws,
    mixture: MixtureDraws,
}

#[derive(Deserialize)]
struct ChoiceDraws {
    theta: Moments,
    predictive: Moments,
}

#[derive(Deserialize)]
struct MixtureDraws {
    co_clustering: Moments,
    one_interest: Moment,
    predictive: Moments,
}

#[derive(Deserialize)]
struct Moments {
    mean: Vec<f64>,
    sd: Vec<f64>,
    mcse: Vec<f64>,
}

impl Moments {
    fn with_errors(&self) -> Vec<(f64, f64)> {
        self.mean.iter().copied().zip(self.mcse.iter().copied()).collect()
    }
}

#[derive(Deserialize)]
struct Moment {
    mean: f64,
    mcse: f64,
}

impl Choices {
    fn events(&self) -> Vec<Choice> {
        let sets = self.features.iter().zip(&self.offsets).zip(&self.chosen);
        sets.map(|((features, offsets), &chosen)| set(features, offsets).choose(chosen).unwrap())
            .collect()
    }

    fn shown(&self) -> ChoiceSet {
        set(&self.shown, &vec![0.0; self.shown.len()])
    }

    fn prior(&self) -> Normal {
        Normal::isotropic(self.shown[0].len(), self.prior_sd.powi(-2)).unwrap()
    }
}

fn set(features: &[Vec<f32>], offsets: &[f64]) -> ChoiceSet {
    let flat = features.iter().flatten().copied().collect();
    let features = Array2::from_shape_vec((features.len(), features[0].len()), flat).unwrap();
    ChoiceSet::new(features, Array1::from(offsets.to_vec())).unwrap()
}

/// Means of what a sampler says over 32 independent runs, against NumPyro's, within errors of both.
fn runs_agree(
    reference: &Choices,
    config: &TasteMixtureConfig,
    theirs: &[(f64, f64)],
    say: impl Fn(&TasteMixture) -> Vec<f64>,
) {
    let (events, prior) = (reference.events(), reference.prior());
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let runs: Vec<Vec<f64>> =
        (0..32).map(|_| say(&config.sample(&prior, &events, &mut rng).unwrap())).collect();
    assert!(runs.iter().all(|run| run.len() == theirs.len()));
    for (at, &(expected, mcse)) in theirs.iter().enumerate() {
        let count = runs.len() as f64;
        let mean = runs.iter().map(|run| run[at]).sum::<f64>() / count;
        let squares: f64 = runs.iter().map(|run| (run[at] - mean).powi(2)).sum();
        let error = (squares / (count - 1.0) / count).sqrt();
        within(&format!("quantity {at}"), mean, expected, error.hypot(mcse));
    }
}

fn probs(mixture: &TasteMixture, set: &ChoiceSet) -> Vec<f64> {
    mixture.predict(set).unwrap().iter().map(|log_prob| log_prob.exp()).collect()
}

/// A mixture of one component is the softmax choice itself, sampled without approximation.
#[test]
fn choices_of_numpyro_by_slices() {
    let reference: Choices = read("choice_numpyro.json");
    let config = TasteMixtureConfig { components: 1, draws: 200, ..Default::default() };
    let theirs = reference.choice.predictive.with_errors();
    runs_agree(&reference, &config, &theirs, |mixture| probs(mixture, &reference.shown()));
}

/// Two interests: P(only one has events), P(same interest) of every pair, and the predictive.
#[test]
fn mixture_of_numpyro() {
    let reference: Choices = read("choice_numpyro.json");
    let MixtureDraws { one_interest, co_clustering, predictive } = &reference.mixture;
    let config = TasteMixtureConfig {
        components: 2,
        concentration: reference.concentration,
        draws: 500,
        ..Default::default()
    };
    let mut theirs = vec![(one_interest.mean, one_interest.mcse)];
    theirs.extend(co_clustering.with_errors());
    theirs.extend(predictive.with_errors());
    runs_agree(&reference, &config, &theirs, |mixture| {
        let mut said = vec![mixture.interest_counts()[1]];
        let together = mixture.co_clustering();
        said.extend(together.indexed_iter().filter(|((i, j), _)| i != j).map(|(_, &p)| p));
        said.extend(probs(mixture, &reference.shown()));
        said
    });
}

/// Sites, refined: their mean is off by 0.02 posterior standard deviations, their standard deviations
/// are .94 and .98 of NumPyro's.
#[test]
fn choices_of_numpyro_by_sites() {
    let reference: Choices = read("choice_numpyro.json");
    let family = reference.prior();
    let mut sites = Sites::new(&family);
    for (id, event) in reference.events().into_iter().enumerate() {
        sites.absorb(&family, id as u64, event).unwrap();
    }
    for _ in 0..20 {
        sites.refine(&family).unwrap();
    }
    let posterior = sites.posterior(&family).unwrap();
    let theirs = &reference.choice.theta;
    for (at, (&mean, &sd)) in theirs.mean.iter().zip(&theirs.sd).enumerate() {
        let ours = posterior.marginal(at).unwrap();
        let off = (ours.location() - mean) / sd;
        let wide = ours.scale() / sd;
        assert!(off.abs() < 0.05, "mean {at} is off by {off} standard deviations");
        assert!((0.93..1.0).contains(&wide), "standard deviation {at} is {wide} times theirs");
    }
}

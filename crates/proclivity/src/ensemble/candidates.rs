//! What is tried for each member of an ensemble.

use proclivity_eval::{Axis, coordinate_search};
use proclivity_posterior::{HypothesisConfig, LinearConfig, NextStepConfig, Precision, Timescale};

use crate::select::next_step_axes;
use crate::{EnsembleData, EnsembleSearch, MemberConfig};

/// What is tried for one member.
pub(super) enum Candidates {
    /// From a start, one value of one parameter at a time.
    NextStep(Vec<Axis<NextStepConfig>>),
    Linear(LinearConfig, Vec<Axis<LinearConfig>>),
    Listed(Vec<MemberConfig>),
}

impl Candidates {
    /// For each member that the data allow.
    pub(super) fn of(search: &EnsembleSearch, data: &EnsembleData<'_>) -> Vec<Self> {
        let mut all = vec![Self::NextStep(next_step_axes(data.texts.is_some()))];
        let mut list = |candidates: Vec<MemberConfig>| all.push(Self::Listed(candidates));
        list(vec![MemberConfig::Popularity { strength: data.items as f64 }]);
        let decays = [0.5, 0.65, 0.8, 0.9];
        if data.texts.is_some_and(|texts| texts.embeddings().is_some()) {
            list(decays.map(|decay| MemberConfig::Text { decay }).to_vec());
        }
        if data.texts.is_some_and(|texts| texts.tf_idf().is_some()) {
            list(decays.map(|decay| MemberConfig::TfIdf { decay }).to_vec());
        }
        if data.items <= search.cubic_items {
            let semantic_weight = if data.texts.is_some() { 0.1 } else { 0.0 };
            let fast = Timescale { semantic_weight, ..Timescale::default() };
            let slow = Timescale { decay: 0.95, window: 50, ridge: 1000.0, semantic_weight: 0.0 };
            let (timescales, axes) = if data.items <= search.two_timescale_items {
                let fast = Timescale { decay: 0.6, ridge: 300.0, ..fast };
                (vec![fast, slow], two_timescale_axes(data.texts.is_some()))
            } else {
                (vec![Timescale { ridge: 125.0, ..fast }], one_timescale_axes())
            };
            let precision = Precision::Single;
            let start = LinearConfig { timescales, precision, ..Default::default() };
            all.push(Self::Linear(start, axes));
        }
        let mut list = |candidates: Vec<MemberConfig>| all.push(Self::Listed(candidates));
        if data.items <= search.two_timescale_items.min(search.cubic_items) {
            list([100.0, 300.0, 1000.0].map(|ridge| MemberConfig::Ease { ridge }).to_vec());
        }
        if !data.sequence.is_empty() {
            list(vec![MemberConfig::Sequence]);
        }
        if data.hypotheses.is_some() {
            let powers = [0.1, 0.3, 1.0];
            let of =
                |decay| powers.map(|power| HypothesisConfig { power, decay, ..Default::default() });
            let tempered = [0.8, 0.95, 1.0].into_iter().flat_map(of);
            list(tempered.map(MemberConfig::Hypotheses).collect());
        }
        all
    }

    /// The number of candidates that one pass without a start tries at most.
    pub(super) fn count(&self) -> usize {
        match self {
            Self::NextStep(axes) => 1 + axes.iter().map(|axis| axis.values.len()).sum::<usize>(),
            Self::Linear(_, axes) => 1 + axes.iter().map(|axis| axis.values.len()).sum::<usize>(),
            Self::Listed(candidates) => candidates.len(),
        }
    }

    /// The candidate of the highest worth, the start where no other is worth more; none of no
    /// candidates.
    pub(super) fn best<E>(
        &self,
        start: Option<&MemberConfig>,
        sweeps: usize,
        mut worth: impl FnMut(&MemberConfig) -> Result<f64, E>,
    ) -> Result<Option<MemberConfig>, E> {
        match self {
            Self::NextStep(axes) => {
                let start = match start {
                    Some(MemberConfig::NextStep(config)) => config.clone(),
                    _ => NextStepConfig::default(),
                };
                let worth =
                    |config: &NextStepConfig| worth(&MemberConfig::NextStep(config.clone()));
                let found = coordinate_search(start, axes, sweeps, worth, |_, _, _| ())?;
                Ok(Some(MemberConfig::NextStep(found.best)))
            }
            Self::Linear(default, axes) => {
                let start = match start {
                    Some(MemberConfig::Linear(config)) => config.clone(),
                    _ => default.clone(),
                };
                let worth = |config: &LinearConfig| worth(&MemberConfig::Linear(config.clone()));
                let found = coordinate_search(start, axes, sweeps, worth, |_, _, _| ())?;
                Ok(Some(MemberConfig::Linear(found.best)))
            }
            Self::Listed(candidates) => {
                let others = candidates.iter().filter(|&candidate| Some(candidate) != start);
                let mut best: Option<(&MemberConfig, f64)> = None;
                for candidate in start.into_iter().chain(others) {
                    let value = worth(candidate)?;
                    if best.is_none_or(|(_, most)| value > most) {
                        best = Some((candidate, value));
                    }
                }
                Ok(best.map(|(candidate, _)| candidate.clone()))
            }
        }
    }
}

fn linear_axis(
    name: &'static str,
    values: &[f64],
    set: fn(&mut LinearConfig, f64),
) -> Axis<LinearConfig> {
    Axis { name, values: values.to_vec(), set }
}

fn two_timescale_axes(with_kernel: bool) -> Vec<Axis<LinearConfig>> {
    let mut axes = vec![
        linear_axis("ridge", &[50.0, 125.0, 300.0, 800.0], |of, value| {
            of.timescales[0].ridge = value;
        }),
        linear_axis("decay", &[0.2, 0.4, 0.6, 0.8], |of, value| of.timescales[0].decay = value),
        linear_axis("slow ridge", &[300.0, 1000.0, 4000.0], |of, value| {
            of.timescales[1].ridge = value;
        }),
        linear_axis("slow decay", &[0.9, 0.95, 0.97], |of, value| of.timescales[1].decay = value),
    ];
    if with_kernel {
        axes.push(linear_axis("semantic_weight", &[0.0, 0.1, 0.3], |of, value| {
            of.timescales[0].semantic_weight = value;
        }));
    }
    axes
}

/// Few, as a fit takes longer for larger catalogs.
fn one_timescale_axes() -> Vec<Axis<LinearConfig>> {
    vec![
        linear_axis("decay", &[0.6, 0.8], |of, value| of.timescales[0].decay = value),
        linear_axis("ridge", &[50.0, 125.0, 300.0], |of, value| of.timescales[0].ridge = value),
    ]
}

//! What all users share: popularity, quality and likelihood of the items, the prior, the seasons.

use std::ops::Range;

use proclivity_schema::ItemIndex;
use rand::seq::SliceRandom;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::Distribution;
use rand_distr::weighted::WeightedIndex;

use super::Simulator;
use super::season::Seasons;
use crate::error::in_range;
use crate::{DataError, Domain, Showcase};

/// What all users share.
pub(super) struct World<'a> {
    pub(super) config: &'a Simulator,
    pub(super) showcase: &'a Showcase,
    pub(super) prior: Vec<f64>,
    pub(super) places: Vec<Place>,
    pub(super) seasons: Seasons,
}

/// A domain with its items.
pub(super) struct Place {
    pub(super) domain: Domain,
    items: Range<usize>,
    /// By item of this domain; 0 for those that nobody meets.
    pub(super) popularity: Vec<f64>,
    /// The items that users meet, with log popularity.
    pub(super) met: Vec<(usize, f64)>,
    quality: Vec<f64>,
    /// `[interests][items]`
    likelihood: Vec<Vec<f64>>,
    by_interest: Vec<WeightedIndex<f64>>,
}

impl<'a> World<'a> {
    pub(super) fn new(config: &'a Simulator, showcase: &'a Showcase) -> Result<Self, DataError> {
        let mut rng = ChaCha8Rng::seed_from_u64(config.seed);
        let mut places = Vec::with_capacity(showcase.domains().len());
        for (domain, items) in showcase.domains() {
            places.push(Place::new(config, showcase, *domain, items.clone(), &mut rng)?);
        }
        let interests = showcase.interests();
        let mean: Vec<f64> = interests.iter().map(|_| rng.random_range(0.5..1.5)).collect();
        let total: f64 = mean.iter().sum();
        let prior = mean.iter().map(|mean| config.concentration * mean / total).collect();
        let seasons = Seasons::new(&config.seasons, interests)?;
        Ok(Self { config, showcase, prior, places, seasons })
    }

    /// `[interests][items]` over all domains.
    pub(super) fn likelihood(&self) -> Vec<Vec<f64>> {
        (0..self.prior.len())
            .map(|interest| {
                let rows = self.places.iter().map(|place| &place.likelihood[interest]);
                rows.flatten().copied().collect()
            })
            .collect()
    }

    /// Σₖ θₖ (affinityₖ(x) + floor).
    pub(super) fn utility(&self, item: ItemIndex, shares: &[f64]) -> f64 {
        let affinities = &self.showcase.affinities()[item.get()];
        let floor = self.config.affinity_floor;
        affinities.iter().zip(shares).map(|(affinity, share)| share * (affinity + floor)).sum()
    }

    /// Σₖ θₖ affinityₖ(x).
    pub(super) fn fit(&self, item: ItemIndex, shares: &[f64]) -> f64 {
        let affinities = &self.showcase.affinities()[item.get()];
        affinities.iter().zip(shares).map(|(a, s)| a * s).sum()
    }
}

impl Place {
    fn new(
        config: &Simulator,
        showcase: &Showcase,
        domain: Domain,
        items: Range<usize>,
        rng: &mut ChaCha8Rng,
    ) -> Result<Self, DataError> {
        let mut ranks: Vec<usize> = (0..items.len()).collect();
        ranks.shuffle(rng);
        let mut popularity: Vec<f64> = ranks
            .iter()
            .map(|&rank| (1.0 + rank as f64).powf(-config.popularity_exponent))
            .collect();
        for item in showcase.worked_example().into_iter().flatten() {
            if items.contains(&item.get()) {
                popularity[item.get() - items.start] = 0.0;
            }
        }
        let met: Vec<(usize, f64)> = (popularity.iter().enumerate())
            .filter(|&(_, &popularity)| popularity > 0.0)
            .map(|(local, popularity)| (local, popularity.ln()))
            .collect();
        if let Some(slate) = &config.slate {
            let expected = "at most the items of the smallest domain";
            in_range("slate.size", slate.size as f64, slate.size <= met.len(), expected)?;
        }
        let quality = items.clone().map(|_| rng.random_range(0.2..1.0)).collect();
        let affinities = &showcase.affinities()[items.clone()];
        let likelihood: Vec<Vec<f64>> = (0..showcase.interests().len())
            .map(|interest| {
                let weights: Vec<f64> = popularity
                    .iter()
                    .zip(affinities)
                    .map(|(p, affinities)| p * (affinities[interest] + config.affinity_floor))
                    .collect();
                let total: f64 = weights.iter().sum();
                weights.iter().map(|weight| weight / total).collect()
            })
            .collect();
        let by_interest =
            likelihood.iter().map(WeightedIndex::new).collect::<Result<_, _>>().map_err(|_| {
                DataError::Count { what: "items to choose from", expected: 1, got: met.len() }
            })?;
        Ok(Self { domain, items, popularity, met, quality, likelihood, by_interest })
    }

    pub(super) fn item(&self, local: usize) -> ItemIndex {
        ItemIndex((self.items.start + local) as u32)
    }

    pub(super) fn quality(&self, item: ItemIndex) -> f64 {
        self.quality[item.get() - self.items.start]
    }

    /// An item drawn from φₖ.
    pub(super) fn draw(&self, interest: usize, rng: &mut impl Rng) -> ItemIndex {
        self.item(self.by_interest[interest].sample(rng))
    }
}

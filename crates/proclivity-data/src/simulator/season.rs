//! Seasons: how often each interest counts at a time.

use proclivity_schema::{Interest, SchemaError};

use super::{DAY, START, Season};
use crate::DataError;

/// Seasons whose interests are known; none leaves shares as they are, bit for bit.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Seasons {
    interests: usize,
    seasons: Vec<(usize, Season)>,
}

impl Seasons {
    pub(super) fn new(seasons: &[Season], interests: &[Interest]) -> Result<Self, DataError> {
        let find = |season: &Season| {
            let id = &season.interest;
            let found = interests.iter().position(|interest| interest.id == *id);
            found
                .map(|interest| (interest, season.clone()))
                .ok_or_else(|| SchemaError::UnknownId { role: "interest", id: id.clone() })
        };
        let seasons = seasons.iter().map(find).collect::<Result<_, _>>()?;
        Ok(Self { interests: interests.len(), seasons })
    }

    /// sₖ at a time in seconds since 1970.
    pub(super) fn factors(&self, time: f64) -> Vec<f64> {
        let day = (time - START as f64) / DAY as f64;
        let mut factors = vec![1.0; self.interests];
        for (interest, Season { amplitude, period, peak, .. }) in &self.seasons {
            let turns = (day - peak) / period;
            factors[*interest] *= 1.0 + amplitude * (std::f64::consts::TAU * turns).cos();
        }
        factors
    }

    /// θₖ sₖ / Σⱼ θⱼ sⱼ, or θ where nothing is in season.
    pub(super) fn apply(&self, shares: &[f64], time: f64) -> Vec<f64> {
        let mut shares = shares.to_vec();
        if self.seasons.is_empty() {
            return shares;
        }
        let seasonal: Vec<f64> =
            shares.iter().zip(self.factors(time)).map(|(share, factor)| share * factor).collect();
        let total: f64 = seasonal.iter().sum();
        if total > 0.0 && total.is_finite() {
            shares.iter_mut().zip(seasonal).for_each(|(share, now)| *share = now / total);
        }
        shares
    }
}

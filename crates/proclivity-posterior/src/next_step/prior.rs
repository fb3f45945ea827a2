//! The prior of every row: close texts and popularity.

use std::sync::Arc;

use super::kernel::Kernel;

/// Row i ~ Dirichlet(strength · p₀(·|i)), p₀(j|i) = (1 − g) K(i, j) + g · popularity(j), with g = 1
/// where the item has no neighbours.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct RowPrior {
    pub(super) kernel: Option<Arc<Kernel>>,
    pub(super) popularity: Vec<f64>,
    pub(super) share: f64,
    pub(super) strength: f64,
}

impl RowPrior {
    /// The nearest items, with their weights.
    pub(super) fn neighbors(&self, item: u32) -> impl Iterator<Item = (u32, f64)> + '_ {
        let rows = self.kernel.iter().flat_map(move |kernel| kernel.row(item));
        rows.map(|(near, weight)| (near, f64::from(weight)))
    }

    /// Popularity's share g of a row.
    pub(super) fn popularity_share(&self, item: u32) -> f64 {
        if self.neighbors(item).next().is_some() { self.share } else { 1.0 }
    }

    /// The sum of a row's concentrations: the strength, but for the rounding of the kernel.
    pub(super) fn total(&self, from: u32) -> f64 {
        let share = self.popularity_share(from);
        let kernel: f64 = self.neighbors(from).map(|(_, weight)| weight).sum();
        self.strength * ((1.0 - share) * kernel + share)
    }

    /// strength · p₀(to|from).
    pub(super) fn concentration(&self, from: u32, to: u32) -> f64 {
        let share = self.popularity_share(from);
        let kernel = self.neighbors(from).find(|&(near, _)| near == to).map_or(0.0, |near| near.1);
        self.strength * ((1.0 - share) * kernel + share * self.popularity[to as usize])
    }

    /// strength · p₀(·|from).
    pub(super) fn concentrations(&self, from: u32) -> Vec<f64> {
        let share = self.popularity_share(from);
        let mut row: Vec<f64> =
            self.popularity.iter().map(|popularity| self.strength * share * popularity).collect();
        for (near, weight) in self.neighbors(from) {
            row[near as usize] += self.strength * (1.0 - share) * weight;
        }
        row
    }
}

//! Identifiability: which shares no number of events could tell apart.

use faer::{Mat, Side};
use ndarray::Array2;
use serde::{Deserialize, Serialize};

use crate::error::{in_range, same_length};
use crate::{InterestLikelihood, PosteriorError};

/// What one event tells about shares, on average, at given shares.
///
/// # Formula
/// Iₖⱼ(θ) = Σₓ φₖ(x) φⱼ(x) / P(x|θ), seen along the changes of θ that keep Σₖ θₖ = 1
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Identifiability {
    /// Fisher information of the principal directions, from the least: `[interests − 1]`.
    pub information: Vec<f64>,
    /// The direction that events tell least about, of length 1 and sum 0: `[interests]`.
    pub least_direction: Vec<f64>,
    /// The two interests whose exchange of shares events tell least about.
    pub least_pair: (usize, usize),
    /// The information about that exchange, (eⱼ − eₖ)/√2.
    pub pair_information: f64,
}

impl Identifiability {
    /// At given shares, such as the mean of the prior or of a posterior.
    ///
    /// Takes items × interests² steps.
    ///
    /// # Errors
    /// [`PosteriorError::Length`] unless there is one share for each interest,
    /// [`PosteriorError::OutOfRange`] for fewer than two interests and unless each share is positive
    /// and finite, [`PosteriorError::NotConverged`] when the eigenvalues aren't found.
    pub fn of(likelihood: &InterestLikelihood, shares: &[f64]) -> Result<Self, PosteriorError> {
        let interests = likelihood.interest_count();
        same_length("shares", interests, shares.len())?;
        in_range("interests", interests as f64, interests > 1, "from 2")?;
        for &share in shares {
            in_range("share", share, share > 0.0 && share.is_finite(), "a positive number")?;
        }
        let information = fisher_information(likelihood, shares)?;

        let basis = tangent(interests);
        let matrix = Mat::from_fn(interests, interests, |row, column| information[[row, column]]);
        let projected = basis.transpose() * &matrix * &basis;
        let eigen = projected
            .self_adjoint_eigen(Side::Lower)
            .map_err(|_| PosteriorError::NotConverged { what: "eigenvalues", steps: 0 })?;
        let values = eigen.S().column_vector();
        let direction = &basis * eigen.U().col(0);

        let (least_pair, pair_information) = least_pair(&information);
        Ok(Self {
            information: (0..interests - 1).map(|index| values[index].max(0.0)).collect(),
            least_direction: (0..interests).map(|k| direction[k]).collect(),
            least_pair,
            pair_information,
        })
    }

    /// Greatest over least information; infinite where a direction isn't identified at all, to
    /// within the rounding of the eigenvalues.
    pub fn condition_number(&self) -> f64 {
        let (least, most) = (self.information[0], self.information[self.information.len() - 1]);
        let noise = most * 1e-14 * self.information.len() as f64;
        if least > noise { most / least } else { f64::INFINITY }
    }

    /// The standard deviation of the least identified direction after so many events, without a
    /// prior: no unbiased estimate does better.
    ///
    /// # Formula
    /// 1/√(events · least information)
    pub fn standard_error(&self, events: f64) -> f64 {
        if self.condition_number().is_finite() {
            1.0 / (events * self.information[0]).sqrt()
        } else {
            f64::INFINITY
        }
    }
}

fn fisher_information(
    likelihood: &InterestLikelihood,
    shares: &[f64],
) -> Result<Array2<f64>, PosteriorError> {
    let mut scaled = Array2::zeros((likelihood.item_count(), shares.len()));
    for (item, mut row) in scaled.rows_mut().into_iter().enumerate() {
        let phi = likelihood.item(item as u32)?;
        let prob: f64 = phi.iter().zip(shares).map(|(phi, share)| phi * share).sum();
        if prob > 0.0 {
            row.iter_mut().zip(phi).for_each(|(scaled, phi)| *scaled = phi / prob.sqrt());
        }
    }
    Ok(scaled.t().dot(&scaled))
}

/// An orthonormal basis of the vectors that sum to 0 (Helmert's): `[interests, interests − 1]`.
fn tangent(interests: usize) -> Mat<f64> {
    Mat::from_fn(interests, interests - 1, |k, column| {
        let before = (column + 1) as f64;
        let norm = (before * (before + 1.0)).sqrt();
        match k.cmp(&(column + 1)) {
            std::cmp::Ordering::Less => 1.0 / norm,
            std::cmp::Ordering::Equal => -before / norm,
            std::cmp::Ordering::Greater => 0.0,
        }
    })
}

fn least_pair(information: &Array2<f64>) -> ((usize, usize), f64) {
    let interests = information.nrows();
    let exchange = |j: usize, k: usize| {
        0.5 * (information[[j, j]] + information[[k, k]] - 2.0 * information[[j, k]])
    };
    let pairs = (0..interests).flat_map(|j| (j + 1..interests).map(move |k| (j, k)));
    pairs
        .map(|(j, k)| ((j, k), exchange(j, k).max(0.0)))
        .fold(((0, 1), f64::INFINITY), |least, pair| if pair.1 < least.1 { pair } else { least })
}

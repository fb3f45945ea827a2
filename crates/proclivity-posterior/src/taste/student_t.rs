//! Student's t distribution with location and scale: marginals and predictives of one number.

use serde::{Deserialize, Serialize};
use statrs::distribution::{Continuous, ContinuousCDF, Normal, StudentsT};

use crate::PosteriorError;
use crate::error::in_range;

/// Student's t: location + scale · t, with t of so many degrees of freedom; a normal at infinitely
/// many, where the variance is known.
///
/// # Formula
/// p(x) ∝ (1 + ((x − location) / scale)² / freedom)^(−(freedom + 1) / 2)
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "[f64; 3]", into = "[f64; 3]")]
pub struct StudentT(StudentsT);

impl StudentT {
    /// From location, scale and degrees of freedom.
    ///
    /// # Errors
    /// [`PosteriorError::OutOfRange`] unless location and scale are finite, and scale and
    /// freedom above 0.
    pub fn new(location: f64, scale: f64, freedom: f64) -> Result<Self, PosteriorError> {
        in_range("location", location, location.is_finite(), "a finite number")?;
        in_range("scale", scale, scale > 0.0 && scale.is_finite(), "a finite number above 0")?;
        let refused = PosteriorError::OutOfRange {
            name: "degrees of freedom",
            value: freedom,
            expected: "above 0",
        };
        StudentsT::new(location, scale, freedom).map(Self).map_err(|_| refused)
    }

    /// The median, and the mean where there is one: above one degree of freedom.
    pub fn location(&self) -> f64 {
        self.0.location()
    }

    /// The scale.
    pub fn scale(&self) -> f64 {
        self.0.scale()
    }

    /// The degrees of freedom.
    pub fn freedom(&self) -> f64 {
        self.0.freedom()
    }

    /// The variance; infinite up to two degrees of freedom.
    pub fn variance(&self) -> f64 {
        let (square, freedom) = (self.scale() * self.scale(), self.freedom());
        match freedom {
            f64::INFINITY => square,
            _ if freedom > 2.0 => square * freedom / (freedom - 2.0),
            _ => f64::INFINITY,
        }
    }

    /// log p(x).
    pub fn log_density(&self, x: f64) -> f64 {
        self.0.ln_pdf(x)
    }

    /// P(X ≤ x).
    pub fn cdf(&self, x: f64) -> f64 {
        self.0.cdf(x)
    }

    /// The x with P(X ≤ x) = `probability`.
    ///
    /// # Errors
    /// [`PosteriorError::OutOfRange`] for a probability outside of \[0, 1\].
    pub fn quantile(&self, probability: f64) -> Result<f64, PosteriorError> {
        let valid = (0.0..=1.0).contains(&probability);
        in_range("probability", probability, valid, "in [0, 1]")?;
        if self.freedom() < 1e6 {
            return Ok(self.0.inverse_cdf(probability));
        }
        // The normal: there, the incomplete beta function's inverse has lost its digits.
        Ok(self.location() + self.scale() * Normal::standard().inverse_cdf(probability))
    }
}

impl TryFrom<[f64; 3]> for StudentT {
    type Error = PosteriorError;
    fn try_from([location, scale, freedom]: [f64; 3]) -> Result<Self, PosteriorError> {
        Self::new(location, scale, freedom)
    }
}

impl From<StudentT> for [f64; 3] {
    fn from(t: StudentT) -> Self {
        [t.location(), t.scale(), t.freedom()]
    }
}

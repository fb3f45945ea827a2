//! A number and the interval it lies in.

use crate::{EvalError, PairedBootstrap};

/// A number and its interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// The number; not drawn unless finite.
    pub value: f64,
    /// Lower end; no interval is drawn unless both ends are finite.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Interval {
    /// The 95 % Wilson interval of a rate: `hits` of `trials`. Of no trials, nothing is known: the
    /// rate is NaN and the interval that from 0 to 1.
    ///
    /// # Formula
    /// (p + z²/2n ± z √(p(1 − p)/n + z²/4n²)) / (1 + z²/n), z = 1.96
    ///
    /// # Source
    /// E. B. Wilson. *Probable inference, the law of succession, and statistical inference.* JASA
    /// 22, 1927.
    ///
    /// # Errors
    /// [`EvalError::OutOfRange`] for more hits than trials.
    pub fn rate(hits: usize, trials: usize) -> Result<Self, EvalError> {
        const Z: f64 = 1.959_963_984_540_054;
        if hits > trials {
            return Err(EvalError::OutOfRange {
                name: "hits",
                value: hits as f64,
                expected: "at most as many as trials",
            });
        }
        if trials == 0 {
            return Ok(Self { value: f64::NAN, low: 0.0, high: 1.0 });
        }
        let n = trials as f64;
        let p = hits as f64 / n;
        let middle = p + Z * Z / (2.0 * n);
        let half = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
        let shrink = 1.0 + Z * Z / n;
        // Rounding may take the ends past those of what is possible.
        let low = if hits == 0 { 0.0 } else { (middle - half) / shrink };
        let high = if hits == trials { 1.0 } else { (middle + half) / shrink };
        Ok(Self { value: p, low, high })
    }

    /// Whether there is an interval to draw.
    pub(super) fn has_width(&self) -> bool {
        self.low.is_finite() && self.high.is_finite() && self.low < self.high
    }
}

/// A number without an interval.
impl From<f64> for Interval {
    fn from(value: f64) -> Self {
        Self { value, low: value, high: value }
    }
}

impl From<PairedBootstrap> for Interval {
    fn from(difference: PairedBootstrap) -> Self {
        Self { value: difference.mean, low: difference.low, high: difference.high }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_of_a_rate_is_wilsons() {
        // statsmodels 0.15.0, proportion_confint(count, nobs, method="wilson").
        for (hits, trials, low, high) in [
            (0, 10, 0.0, 0.277_532_799_862_889),
            (3, 10, 0.107_791_267_406_301, 0.603_221_852_538_855),
            (10, 10, 0.722_467_200_137_111, 1.0),
            (929, 10_000, 0.087_365_647_130_988, 0.098_747_004_342_417),
        ] {
            let interval = Interval::rate(hits, trials).unwrap();
            assert!((interval.low - low).abs() < 1e-12, "{interval:?}");
            assert!((interval.high - high).abs() < 1e-12, "{interval:?}");
        }
        assert!(Interval::rate(0, 0).unwrap().value.is_nan());
        assert!(matches!(Interval::rate(2, 1), Err(EvalError::OutOfRange { .. })));
    }
}

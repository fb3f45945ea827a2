//! An axis: what it measures, where its numbers lie, where its ticks are.

use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};

use super::Format;

/// What one direction of a plot measures.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    pub(super) label: String,
    pub(super) format: Format,
    logarithmic: bool,
}

impl Axis {
    /// Equal distances for equal differences. Name the unit in the label where there is one.
    pub fn linear(label: impl Into<String>) -> Self {
        Self { label: label.into(), format: Format::Significant(4), logarithmic: false }
    }

    /// Equal distances for equal ratios. What is not above 0 is drawn at the lower edge.
    pub fn logarithmic(label: impl Into<String>) -> Self {
        Self { logarithmic: true, ..Self::linear(label) }
    }

    /// How the numbers beside the plot are written; by default with four significant digits.
    pub fn with_format(mut self, format: Format) -> Self {
        self.format = format;
        self
    }

    /// The scale that shows all these values; `None` where there is nothing to show.
    pub(super) fn scale(&self, values: impl IntoIterator<Item = f64>) -> Option<Scale> {
        let (low, high, pad) = self.extent(values)?;
        Some(Scale::new(low - pad, high + pad, self.logarithmic))
    }

    /// The scale that shows all these values, with an end at zero where that is near: for heights
    /// to be compared.
    pub(super) fn scale_by_zero(&self, values: impl IntoIterator<Item = f64>) -> Option<Scale> {
        let (low, high, pad) = self.extent(values)?;
        let (low, high) = match self.logarithmic {
            false if low >= 0.0 && low < 0.4 * high => (0.0, high + pad),
            false if high <= 0.0 && high > 0.4 * low => (low - pad, 0.0),
            _ => (low - pad, high + pad),
        };
        Some(Scale::new(low, high, self.logarithmic))
    }

    /// The lowest and the highest position, and the room beyond them.
    fn extent(&self, values: impl IntoIterator<Item = f64>) -> Option<(f64, f64, f64)> {
        let shown = values.into_iter().filter(|&value| drawable(value));
        let positions: Vec<f64> = match self.logarithmic {
            true => shown.filter(|&value| value > 0.0).map(f64::log10).collect(),
            false => shown.collect(),
        };
        let low = positions.iter().copied().reduce(f64::min)?;
        let high = positions.iter().copied().reduce(f64::max)?;
        let pad = match high - low {
            0.0 if self.logarithmic || low == 0.0 => 0.5,
            0.0 => 0.1 * low.abs(),
            // Not less than what can be told from the value.
            span => (0.04 * span).max(1e-9 * low.abs().max(high.abs())),
        };
        Some((low, high, pad))
    }
}

/// A scale of a drawing: even, or logarithmic.
#[derive(Debug, Clone)]
pub(super) struct Scale {
    /// The position of the lower end: its value, or the logarithm of that.
    low: f64,
    high: f64,
    logarithmic: bool,
    /// The values at ticks.
    pub(super) ticks: Vec<f64>,
    tick_format: Format,
}

impl Scale {
    fn new(low: f64, high: f64, logarithmic: bool) -> Self {
        let (ticks, tick_format) = match logarithmic {
            true => logarithmic_ticks(low, high),
            false => even_ticks(low, high),
        };
        Self { low, high, logarithmic, ticks, tick_format }
    }

    /// Whether a value that can be drawn lies at the lower end because it has no logarithm.
    pub(super) fn is_off(&self, value: f64) -> bool {
        self.logarithmic && value <= 0.0
    }

    /// From 0 to 1.
    pub(super) fn unit() -> Self {
        Self::new(0.0, 1.0, false)
    }

    /// From 0 to a count, without ticks.
    pub(super) fn rows(count: usize) -> Self {
        Self { ticks: Vec::new(), ..Self::new(0.0, count as f64, false) }
    }

    /// Without so many ticks that their labels, as wide as `width` says, need more than `room`.
    pub(super) fn thinned(mut self, width: impl Fn(&str) -> i32, room: i32) -> Self {
        let needed: i32 = self.ticks.iter().map(|tick| width(&self.format_ext(tick))).sum();
        let every = needed.max(1).div_euclid(room.max(1)) as usize + 1;
        self.ticks = self.ticks.into_iter().step_by(every).collect();
        self
    }

    /// Where a value lies; what cannot be shown lies at an end.
    fn position(&self, value: f64) -> f64 {
        let position = match self.logarithmic {
            _ if self.is_off(value) => self.low,
            true => value.log10(),
            false => value,
        };
        position.clamp(self.low, self.high)
    }
}

/// Whether a value can be drawn. Differences of larger ones would overflow.
pub(super) fn drawable(value: f64) -> bool {
    value.abs() < 1e300
}

impl Ranged for Scale {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, &value: &f64, (from, to): (i32, i32)) -> i32 {
        let share = (self.position(value) - self.low) / (self.high - self.low);
        from + (share * f64::from(to - from)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        match hint.weight().allow_light_points() {
            true => Vec::new(),
            false => self.ticks.clone(),
        }
    }

    fn range(&self) -> Range<f64> {
        let value = |end: f64| if self.logarithmic { 10f64.powf(end) } else { end };
        value(self.low)..value(self.high)
    }
}

impl ValueFormatter<f64> for Scale {
    fn format_ext(&self, &tick: &f64) -> String {
        self.tick_format.write(tick)
    }
}

/// Powers of ten, or their halves and fifths too where few lie from 10^`low` to 10^`high`.
fn logarithmic_ticks(low: f64, high: f64) -> (Vec<f64>, Format) {
    let decades = low.floor() as i32..=high.floor() as i32;
    let inside = |tick: &f64| (low..=high).contains(&tick.log10());
    if high - low > 2.0 {
        let step = ((high - low) / 6.0).ceil() as usize;
        let ticks = decades.map(|decade| 10f64.powi(decade)).filter(inside);
        return (ticks.step_by(step).collect(), Format::Significant(1));
    }
    let ticks = decades.flat_map(|decade| [1.0, 2.0, 5.0].map(|m| m * 10f64.powi(decade)));
    let ticks: Vec<f64> = ticks.filter(inside).collect();
    match ticks.len() {
        0..3 => even_ticks(10f64.powf(low), 10f64.powf(high)),
        _ => (ticks, Format::Significant(1)),
    }
}

/// About five round numbers from `low` to `high`.
fn even_ticks(low: f64, high: f64) -> (Vec<f64>, Format) {
    let rough = (high - low) / 5.0;
    let power = rough.log10().floor();
    let step = [1.0, 2.0, 5.0, 10.0].map(|multiple| multiple * 10f64.powf(power));
    let step = step.into_iter().find(|&step| step >= 0.8 * rough).unwrap_or(rough);
    let (first, last) = ((low / step).ceil(), (high / step + 1e-9).floor());
    // No ticks where neighbours would be written alike.
    if !step.is_normal() || first.abs().max(last.abs()) > 1e9 {
        return (Vec::new(), Format::Significant(3));
    }
    let ticks = (0..=(last - first) as i64).map(|tick| (first + tick as f64) * step).collect();
    let decimals = (-(step * 1.000_001).log10().floor()).max(0.0);
    let format = match low.abs().max(high.abs()) {
        size if (1e-4..1e9).contains(&size) => Format::Decimals(decimals as u8),
        _ => Format::Significant(3),
    };
    (ticks, format)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ticks(axis: &Axis, values: &[f64]) -> Vec<String> {
        let scale = axis.scale_by_zero(values.iter().copied()).unwrap();
        scale.ticks.iter().map(|tick| scale.format_ext(tick)).collect()
    }

    #[test]
    fn ticks_are_round_and_alike() {
        let linear = Axis::linear("");
        assert_eq!(ticks(&linear, &[0.02, 0.121]), [".00", ".05", ".10"]);
        assert_eq!(ticks(&linear, &[0.0, 5.0]), ["0", "1", "2", "3", "4", "5"]);
        assert_eq!(ticks(&linear, &[-0.01, 0.021]), ["−.01", ".00", ".01", ".02"]);
        assert_eq!(
            ticks(&linear, &[12_101.0, 22_363.0]),
            ["12,000", "14,000", "16,000", "18,000", "20,000", "22,000"]
        );
        let log = Axis::logarithmic("");
        assert_eq!(ticks(&log, &[2e-5, 0.2]), [".0001", ".001", ".01", ".1"]);
        assert_eq!(ticks(&log, &[0.01, 0.1]), [".01", ".02", ".05", ".1"]);
    }

    #[test]
    fn equal_values_lie_in_the_middle() {
        for (axis, value) in [
            (Axis::linear(""), 0.12),
            (Axis::linear(""), -3e9),
            (Axis::linear(""), 0.0),
            (Axis::logarithmic(""), 20.0),
        ] {
            let scale = axis.scale([value, value]).unwrap();
            assert_eq!(scale.map(&value, (0, 1000)), 500);
            assert!(scale.ticks.len() >= 3, "{scale:?}");
        }
    }

    #[test]
    fn without_numbers_there_is_no_scale() {
        assert!(Axis::linear("").scale([f64::NAN, f64::INFINITY]).is_none());
        assert!(Axis::logarithmic("").scale([0.0, -1.0]).is_none());
    }

    proptest! {
        #[test]
        fn every_value_lies_on_its_scale(values in prop::collection::vec(any::<f64>(), 1..9)) {
            for axis in [Axis::linear(""), Axis::logarithmic("")] {
                let Some(scale) = axis.scale_by_zero(values.iter().copied()) else { continue };
                prop_assert!(scale.low < scale.high, "{scale:?}");
                prop_assert!(scale.ticks.len() <= 12, "{scale:?}");
                for tick in &scale.ticks {
                    prop_assert!(!scale.format_ext(tick).is_empty());
                }
                let ends = values.iter().filter(|value| drawable(**value));
                let pixels: Vec<i32> = ends.map(|value| scale.map(value, (0, 1000))).collect();
                prop_assert!(pixels.iter().all(|pixel| (0..=1000).contains(pixel)), "{pixels:?}");
            }
        }
    }
}

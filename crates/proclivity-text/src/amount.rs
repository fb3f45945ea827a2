//! The number that belongs to a deed: how many were bought, how it was rated, where it stood.

use std::collections::BTreeMap;
use std::fmt::Write;

use proclivity_schema::{Action, EventKind};

use crate::words::Affix;

/// The quantity, rating, watched fraction or position (from 0) of an action; `f64` holds each of
/// them exactly.
pub(crate) fn amount(action: &Action) -> Option<f64> {
    match action {
        Action::Purchase { quantity, .. } | Action::Return { quantity, .. } => {
            Some(f64::from(*quantity))
        }
        Action::Rate { rating, .. } => Some(f64::from(rating.get())),
        Action::Watch { fraction, .. } => Some(f64::from(fraction.get())),
        Action::Impression { position, .. } => Some(f64::from(*position)),
        _ => None,
    }
}

/// Whether an amount goes without saying: one piece.
pub(crate) fn is_implied(kind: EventKind, amount: f64) -> bool {
    matches!(kind, EventKind::Purchase | EventKind::Return) && amount == 1.0
}

/// Appends the action's amount such that it reads back exactly, where there are words for it.
pub(crate) fn exact_amount_into(
    out: &mut String,
    action: &Action,
    words: &BTreeMap<EventKind, Affix>,
) {
    amount_into(out, action, words, exact_percentage_into);
}

/// Appends the action's amount for a reader, to whom whole percents will do.
pub(crate) fn amount_in_words_into(
    out: &mut String,
    action: &Action,
    words: &BTreeMap<EventKind, Affix>,
) {
    amount_into(out, action, words, |out, fraction| {
        let _ = write!(out, "{}", (f64::from(fraction) * 100.0).round());
    });
}

fn amount_into(
    out: &mut String,
    action: &Action,
    words: &BTreeMap<EventKind, Affix>,
    percentage_into: impl Fn(&mut String, f32),
) {
    let kind = action.kind();
    let said = amount(action).filter(|&amount| !is_implied(kind, amount));
    let (Some(amount), Some(affix)) = (said, words.get(&kind)) else { return };
    out.push_str(&affix.before);
    // Writing to a `String` can't fail.
    let _ = match kind {
        // The shortest digits that read back as the same `f32`.
        EventKind::Rate => write!(out, "{}", amount as f32),
        EventKind::Watch => {
            // Adding 0 makes −0 the 0 that it equals.
            percentage_into(out, amount as f32 + 0.0);
            Ok(())
        }
        // Positions are said from 1.
        EventKind::Impression => write!(out, "{}", amount + 1.0),
        _ => write!(out, "{amount}"),
    };
    out.push_str(&affix.after);
}

/// Appends the shortest digits that read back as the same fraction, their point moved by two.
fn exact_percentage_into(out: &mut String, fraction: f32) {
    let digits = fraction.to_string();
    let (whole, part) = digits.split_once('.').unwrap_or((&digits, ""));
    let (hundredths, rest) = part.split_at(part.len().min(2));
    let whole = format!("{whole}{hundredths:0<2}");
    let whole = whole.trim_start_matches('0');
    out.push_str(if whole.is_empty() { "0" } else { whole });
    if !rest.is_empty() {
        out.push('.');
        out.push_str(rest);
    }
}

/// The fraction that [`exact_amount_into`] wrote as these digits.
pub(crate) fn parse_percentage(digits: &str) -> Option<f32> {
    let is_number = digits.starts_with(|c: char| c.is_ascii_digit()) && !digits.contains('-');
    format!("{digits}e-2").parse().ok().filter(|_| is_number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn percentages_are_short() {
        for (fraction, expected) in [
            (0.0, "0"),
            (0.37, "37"),
            (1.0, "100"),
            (2.5, "250"),
            (0.005, "0.5"),
            (0.1234, "12.34"),
        ] {
            let mut out = String::new();
            exact_percentage_into(&mut out, fraction);
            assert_eq!(out, expected);
        }
    }

    proptest! {
        #[test]
        fn percentages_read_back(fraction in 0.0..=f32::MAX, bits in 0..0x7f80_0000u32) {
            for fraction in [fraction, f32::from_bits(bits), fraction.fract()] {
                let mut out = String::new();
                exact_percentage_into(&mut out, fraction);
                prop_assert_eq!(parse_percentage(&out), Some(fraction));
            }
        }
    }
}

//! The number that belongs to a deed: how many were bought, how it was rated, where it stood.

use proclivity_schema::{Action, EventKind};

/// The quantity, rating or position (from 0) of an action; `f64` holds each of them exactly.
pub(crate) fn amount(action: &Action) -> Option<f64> {
    match action {
        Action::Purchase { quantity, .. } => Some(f64::from(*quantity)),
        Action::Rate { rating, .. } => Some(f64::from(rating.get())),
        Action::Impression { position, .. } => Some(f64::from(*position)),
        _ => None,
    }
}

/// An amount in digits. A single purchase says none, and positions are said from 1.
pub(crate) fn amount_text(kind: EventKind, amount: f64) -> Option<String> {
    match kind {
        EventKind::Purchase if amount == 1.0 => None,
        // The shortest digits that read back as the same `f32`.
        EventKind::Rate => Some((amount as f32).to_string()),
        EventKind::Impression => Some((amount + 1.0).to_string()),
        _ => Some(amount.to_string()),
    }
}

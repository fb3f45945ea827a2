//! Users who act like machines.

use proclivity_schema::Event;
use statrs::statistics::Statistics;

use super::Bots;

const HOUR: i64 = 3_600_000_000;

/// Whether a history is too fast or too regular for a person.
pub(super) fn is_bot(history: &[Event], bots: &Bots) -> bool {
    let times: Vec<i64> =
        history.iter().filter_map(|event| event.time).map(|time| time.as_micros()).collect();
    is_too_fast(&times, bots.events_per_hour) || is_too_regular(&times, bots)
}

/// Whether any hour holds more events than that: times are in order.
fn is_too_fast(times: &[i64], events_per_hour: usize) -> bool {
    times.windows(events_per_hour.saturating_add(1)).any(|window| {
        match (window.first(), window.last()) {
            (Some(first), Some(last)) => last - first < HOUR,
            _ => false,
        }
    })
}

/// Whether the pauses vary less, relative to their mean, than a person's would.
fn is_too_regular(times: &[i64], bots: &Bots) -> bool {
    if times.len() < bots.fewest_events {
        return false;
    }
    let pauses: Vec<f64> = times.windows(2).map(|pair| (pair[1] - pair[0]) as f64).collect();
    let mean = pauses.as_slice().mean();
    // All at one time is what a log without a clock looks like.
    mean > 0.0 && pauses.as_slice().population_std_dev() / mean < bots.regularity
}

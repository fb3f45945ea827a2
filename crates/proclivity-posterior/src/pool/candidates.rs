//! What a splice reads of one user: the pool's scores and the members' probabilities of what the
//! user hasn't had, parted into head and tail.

use ndarray::{Array2, ArrayView1, ArrayView2};

use crate::error::{known_items, same_length};
use crate::log_sum_exp::log_sum_exp;
use crate::vectorized::exp;
use crate::{PosteriorError, SpliceConfig};

/// One user's candidates: every item of the catalog but the excluded ones.
///
/// # Shapes
/// `scores`: `[items]`, `member_log_probs`: `[members, items]`
#[derive(Debug, Clone, Copy)]
pub struct Candidates<'a> {
    /// The pool's score of each item; only its order and differences matter.
    pub scores: &'a [f64],
    /// Each member's log-probability of each item; −∞ is allowed, and each member is normalised
    /// over the candidates here.
    pub member_log_probs: ArrayView2<'a, f64>,
    /// Items that can't come next, such as those of the history, in any order.
    pub excluded: &'a [u32],
    /// How many events the user's history has.
    pub history_len: usize,
}

/// Candidates parted into the pool's head and the rest.
pub(crate) struct Parted {
    /// Items of the head by falling score.
    pub(crate) head: Vec<u32>,
    /// Their scores, less the highest.
    pub(crate) head_scores: Vec<f64>,
    /// How many items the tail has.
    pub(crate) tail: usize,
    /// The band of each item of the tail, [`OUTSIDE`] for the others.
    pub(crate) bands: Vec<u8>,
    /// Each member's probability of each item of the tail, over the tail; zeros for the others, and
    /// for a member that allows nothing there. `[members, items]`, without uniform.
    pub(crate) tail_probs: Array2<f64>,
    /// Each member's probability of the head, uniform last.
    pub(crate) head_mass: Vec<f64>,
    /// log of each member's total over all candidates, and over the tail; uniform last.
    pub(crate) log_total: Vec<f64>,
    pub(crate) log_tail: Vec<f64>,
    /// log(1 + history length), and score margins.
    margins: [f64; 4],
}

/// Features of the probability of the head that aren't a member's: the intercept, the mixture's
/// log-odds, log(1 + history length), and three margins.
const COMMON_FEATURES: usize = 6;

/// How many features the probability of the head has with so many members and uniform.
pub(crate) fn feature_count(members: usize) -> usize {
    COMMON_FEATURES + members - 1
}

/// How many bands of the pool's rank the tail has; the last has all that comes after it, too.
pub(crate) const BANDS: usize = 8;
/// The band of what isn't in the tail.
pub(crate) const OUTSIDE: u8 = BANDS as u8;
/// How far a log-odds is believed.
const LOG_ODDS_BOUND: f64 = 30.0;
/// The rank beside the second and the last whose margin is a feature.
const MARGIN_RANK: usize = 10;

impl Candidates<'_> {
    /// The head has the candidates that fewer than `head` others outscore, so that ties aren't
    /// broken: it can be larger.
    pub(crate) fn part(&self, head: usize) -> Result<Parted, PosteriorError> {
        let items = self.scores.len();
        same_length("items of the members", items, self.member_log_probs.ncols())?;
        known_items(self.excluded, items)?;
        let mut bands = vec![0; items];
        let exclude = |items: &[u32], bands: &mut [u8]| {
            items.iter().for_each(|&item| bands[item as usize] = OUTSIDE);
        };
        exclude(self.excluded, &mut bands);
        let candidates = bands.iter().zip(self.scores).filter(|&(&band, _)| band != OUTSIDE);
        let mut tail_scores: Vec<f64> = candidates.map(|(_, &score)| score).collect();
        let candidates = tail_scores.len();
        if candidates == 0 {
            return Err(PosteriorError::Empty { what: "candidates" });
        }
        if !tail_scores.iter().all(|score| score.is_finite()) {
            let wrong = |item: &usize| bands[*item] != OUTSIDE && !self.scores[*item].is_finite();
            let column = (0..items).find(wrong).unwrap_or(items);
            let value = self.scores[column];
            return Err(PosteriorError::NotFinite { what: "scores", row: 0, column, value });
        }
        let mut threshold = f64::NEG_INFINITY;
        if candidates > head {
            let place = head - 1;
            threshold = *tail_scores.select_nth_unstable_by(place, |a, b| b.total_cmp(a)).1;
        }
        tail_scores.retain(|&score| score < threshold);
        let tail = tail_scores.len();
        let in_head = |item: &u32| {
            self.scores[*item as usize] >= threshold && bands[*item as usize] != OUTSIDE
        };
        let mut head: Vec<u32> = (0..items as u32).filter(in_head).collect();
        let score = |item: u32| self.scores[item as usize];
        head.sort_by(|&a, &b| score(b).total_cmp(&score(a)));
        let highest = score(head[0]);
        let head_scores: Vec<f64> = head.iter().map(|&item| score(item) - highest).collect();

        let thresholds = band_thresholds(tail_scores, head.len());
        for (band, score) in bands.iter_mut().zip(self.scores) {
            *band = band_of(*score, &thresholds);
        }
        exclude(self.excluded, &mut bands);
        exclude(&head, &mut bands);

        let (mut head_mass, mut log_total, mut log_tail) = (Vec::new(), Vec::new(), Vec::new());
        let mut tail_probs = self.member_log_probs.as_standard_layout().into_owned();
        let rows = tail_probs.as_slice_mut().into_iter().flat_map(|all| all.chunks_mut(items));
        for (row, log_probs) in rows.enumerate() {
            self.excluded.iter().for_each(|&item| log_probs[item as usize] = f64::NEG_INFINITY);
            // Neither a NaN nor +∞ is less than that.
            if !log_probs.iter().fold(true, |all, &p| all & (p < f64::INFINITY)) {
                let less = |&log_prob: &f64| log_prob < f64::INFINITY;
                let column = log_probs.iter().position(|p| !less(p)).unwrap_or(items);
                let (what, value) = ("member log-probabilities", log_probs[column]);
                return Err(PosteriorError::NotFinite { what, row, column, value });
            }
            let of_head: Vec<f64> = head.iter().map(|&item| log_probs[item as usize]).collect();
            let in_head = log_sum_exp(&of_head);
            head.iter().for_each(|&item| log_probs[item as usize] = f64::NEG_INFINITY);
            let in_tail = normalize(log_probs);
            let total = log_sum_exp(&[in_head, in_tail]);
            let silent = total == f64::NEG_INFINITY;
            head_mass.push(if silent { 0.0 } else { (in_head - total).exp() });
            log_total.push(total);
            log_tail.push(in_tail);
        }
        head_mass.push(head.len() as f64 / candidates as f64);
        log_total.push((candidates as f64).ln());
        log_tail.push((tail as f64).ln());
        let margins = [
            ((1 + self.history_len) as f64).ln(),
            margin(&head_scores, 2),
            margin(&head_scores, MARGIN_RANK),
            margin(&head_scores, usize::MAX),
        ];
        Ok(Parted {
            head,
            head_scores,
            tail,
            bands,
            tail_probs,
            head_mass,
            log_total,
            log_tail,
            margins,
        })
    }
}

impl Parted {
    /// What the probability of the head is logistic in: 1, log(1 + history length), by how much the
    /// first score exceeds the second, the tenth and the last of the head, and the log-odds of the
    /// head under a mixture of the members and under each member.
    pub(crate) fn features(&self, mixture: &[f64]) -> Vec<f64> {
        features(&self.head_mass, self.margins, mixture)
    }

    /// Each member's probability of each band of the tail; uniform last.
    fn band_mass(&self) -> Vec<[f64; BANDS]> {
        let mass = |probs: &mut dyn Iterator<Item = f64>| {
            let mut masses = [0.0; BANDS + 1];
            probs.zip(&self.bands).for_each(|(prob, &band)| masses[usize::from(band)] += prob);
            std::array::from_fn(|band| masses[band])
        };
        let evenly = 1.0 / self.tail as f64;
        let members = self.tail_probs.rows().into_iter();
        let mut masses: Vec<_> = members.map(|probs| mass(&mut probs.iter().copied())).collect();
        masses.push(mass(&mut std::iter::repeat(evenly)));
        masses
    }
}

/// Turns logarithms into shares of their total, and returns its logarithm; −∞ of nothing, whose
/// shares are zeros.
fn normalize(row: &mut [f64]) -> f64 {
    let largest = row.iter().fold(f64::NEG_INFINITY, |a, &b| a.max(b));
    if largest == f64::NEG_INFINITY {
        row.fill(0.0);
        return largest;
    }
    row.iter_mut().for_each(|log_prob| *log_prob -= largest);
    exp(row);
    let total = ArrayView1::from(&*row).sum();
    row.iter_mut().for_each(|prob| *prob /= total);
    largest + total.ln()
}

/// The scores below which a tail's items are in each further band, behind a head of so many.
fn band_thresholds(mut falling: Vec<f64>, head: usize) -> [f64; BANDS - 1] {
    let mut thresholds = [f64::NEG_INFINITY; BANDS - 1];
    // From the longest prefix to the shortest, each found in the one before.
    for band in (1..BANDS).rev() {
        // A rank, 1 + how many of head and tail score strictly more, is below 2^(first + band) if the
        // score is at least that of the last position below it.
        let below = (1_usize << (head.ilog2() as usize + band)) - 1;
        let position = below - head;
        if position == 0 {
            thresholds[band - 1] = f64::INFINITY;
        } else if position <= falling.len() {
            let place = position - 1;
            thresholds[band - 1] = *falling.select_nth_unstable_by(place, |a, b| b.total_cmp(a)).1;
            falling.truncate(position);
        }
    }
    thresholds
}

/// How many doublings of the rank an item of the tail is behind the head.
fn band_of(score: f64, thresholds: &[f64; BANDS - 1]) -> u8 {
    thresholds.iter().map(|&threshold| u8::from(score < threshold)).sum()
}

/// By how much the first score exceeds the one of a rank, or the last.
fn margin(head_scores: &[f64], rank: usize) -> f64 {
    -head_scores[rank.min(head_scores.len()) - 1]
}

/// The margin that sharpens a head: over the tenth.
pub(crate) fn sharpness(head_scores: &[f64]) -> f64 {
    margin(head_scores, MARGIN_RANK)
}

fn features(head_mass: &[f64], margins: [f64; 4], mixture: &[f64]) -> Vec<f64> {
    let log_odds =
        |mass: f64| (mass.ln() - (1.0 - mass).ln()).clamp(-LOG_ODDS_BOUND, LOG_ODDS_BOUND);
    let mixed: f64 = mixture.iter().zip(head_mass).map(|(weight, mass)| weight * mass).sum();
    let mut features = vec![1.0];
    features.extend(margins);
    features.push(log_odds(mixed.min(1.0)));
    features.extend(head_mass[..head_mass.len() - 1].iter().map(|&mass| log_odds(mass.min(1.0))));
    features
}

/// ⌊log₂ rank⌋ of each position of a head: a position's rank is 1 + how many score strictly more.
pub(crate) fn rank_bins(head_scores: &[f64]) -> impl Iterator<Item = usize> + '_ {
    let mut rank = 1_usize;
    head_scores.iter().enumerate().map(move |(position, &score)| {
        if position == 0 || score < head_scores[position - 1] {
            rank = position + 1;
        }
        rank.ilog2() as usize
    })
}

/// What a held-out event says about a splice: where its item is, and what surrounds it.
///
/// It is small beside the catalog: a head's scores, or a number for each member.
#[derive(Debug, Clone, PartialEq)]
pub struct SpliceEvent {
    pub(crate) head_mass: Vec<f64>,
    margins: [f64; 4],
    /// log P of the item by each member, over all candidates; uniform last.
    pub(crate) log_probs: Vec<f64>,
    pub(crate) part: Part,
    pub(crate) head: usize,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Part {
    /// The head's scores, and the position of the item in it.
    Head { scores: Vec<f64>, position: usize, has_tail: bool },
    /// log P of the item by each member, over the tail, its band, and each member's probability of
    /// each band; uniform last.
    Tail { log_probs: Vec<f64>, band: usize, band_mass: Vec<[f64; BANDS]> },
}

impl SpliceEvent {
    /// What is kept of the candidates and of the item that came next.
    ///
    /// # Errors
    /// [`PosteriorError::UnknownItem`] and [`PosteriorError::Length`] when they don't fit,
    /// [`PosteriorError::NotFinite`] for a score that isn't, [`PosteriorError::Empty`] without
    /// candidates, [`PosteriorError::OutOfRange`] for a target that is excluded.
    pub fn new(
        config: &SpliceConfig,
        candidates: &Candidates<'_>,
        target: u32,
    ) -> Result<Self, PosteriorError> {
        config.validate()?;
        known_items(&[target], candidates.scores.len())?;
        let parted = candidates.part(config.head)?;
        let column = candidates.member_log_probs.column(target as usize);
        let over = |totals: &[f64]| {
            // A member that allows nothing there says nothing.
            let normalised = |(log_prob, &total): (f64, &f64)| {
                if total == f64::NEG_INFINITY { total } else { log_prob - total }
            };
            column.iter().copied().chain([0.0]).zip(totals).map(normalised).collect::<Vec<_>>()
        };
        let part = if let Some(position) = parted.head.iter().position(|&item| item == target) {
            let has_tail = parted.tail > 0;
            Part::Head { scores: parted.head_scores.clone(), position, has_tail }
        } else if parted.bands[target as usize] != OUTSIDE {
            let band = usize::from(parted.bands[target as usize]);
            let log_probs = over(&parted.log_tail);
            Part::Tail { log_probs, band, band_mass: parted.band_mass() }
        } else {
            let (value, expected) = (f64::from(target), "an item that isn't excluded");
            return Err(PosteriorError::OutOfRange { name: "target", value, expected });
        };
        Ok(Self {
            log_probs: over(&parted.log_total),
            head_mass: parted.head_mass,
            margins: parted.margins,
            part,
            head: config.head,
        })
    }

    /// log P of the item that came next by each member over the candidates, uniform last: rows for
    /// [`mixture_weights`](crate::mixture_weights).
    pub fn member_log_probs(&self) -> &[f64] {
        &self.log_probs
    }

    pub(crate) fn features(&self, mixture: &[f64]) -> Vec<f64> {
        features(&self.head_mass, self.margins, mixture)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn bands_are_doublings_of_the_rank(
            scores in prop::collection::vec((-60_i8..0).prop_map(f64::from), 0..400),
            head in 1_usize..9,
        ) {
            let thresholds = band_thresholds(scores.clone(), head);
            for score in &scores {
                let band = usize::from(band_of(*score, &thresholds));
                let rank = 1 + head + scores.iter().filter(|&other| other > score).count();
                let doublings = (rank.ilog2() - head.ilog2()) as usize;
                prop_assert_eq!(band, doublings.min(BANDS - 1));
            }
        }
    }
}

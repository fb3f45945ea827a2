//! Items held out of training entirely, and how well text alone ranks them.

use std::error::Error;

use ndarray::ArrayView1;
use proclivity::data::{ItemSequences, LeaveOneOut};
use proclivity::eval::metrics::{hit_rate, ndcg};
use proclivity::eval::{Case, Evaluation, FullRanking, FullRankingConfig};
use proclivity::posterior::NextStepConfig;
use proclivity::rank::TieBreak;
use proclivity::{EnsembleConfig, EnsembleData, ItemTexts, MemberConfig, item_counts};
use serde_json::{Map, Value, json};

/// A share of the items, chosen by a seeded hash of their ids.
pub struct ColdItems(Vec<bool>);

impl ColdItems {
    /// From the ids of the catalog in its order.
    pub fn new<'a>(ids: impl Iterator<Item = &'a str>, share: f64, seed: u64) -> Self {
        let uniform = |id: &str| {
            // FNV-1a, and the finalizer of SplitMix64, without which similar ids stay similar.
            let start = 0xcbf2_9ce4_8422_2325 ^ seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let hash = id
                .bytes()
                .fold(start, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
            let hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            ((hash ^ (hash >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
        };
        Self(ids.map(|id| uniform(id) < share).collect())
    }

    /// Whether an item is held out.
    pub fn contains(&self, item: u32) -> bool {
        self.0[item as usize]
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.iter().filter(|cold| **cold).count()
    }

    /// The users whose validation item is held out; where none is, all users.
    pub fn validation<'a>(&self, all: &'a ItemSequences) -> Vec<Case<'a>> {
        self.cases(all, LeaveOneOut::validation)
    }

    /// The users whose test item is held out; where none is, all users.
    pub fn test<'a>(&self, all: &'a ItemSequences) -> Vec<Case<'a>> {
        self.cases(all, LeaveOneOut::test)
    }

    /// Next-step fitted on everything but these items, with texts and without: HR@10 and NDCG@10 of
    /// the test items among them. Without texts no item among them is told from another.
    ///
    /// # Errors
    /// What fitting or ranking refuses.
    pub fn without_them(
        &self,
        all: &ItemSequences,
        texts: &ItemTexts,
        ties: &TieBreak,
        test: &[Case<'_>],
    ) -> Result<Map<String, Value>, Box<dyn Error>> {
        let held_out = all.leave_one_out();
        let warm = |user| held_out.train(user).iter().copied().filter(|&x| !self.contains(x));
        let train: Vec<Vec<u32>> = all.users().map(|user| warm(user).collect()).collect();
        let train: Vec<&[u32]> = train.iter().map(Vec::as_slice).collect();
        let items = self.0.len();
        let ranking: FullRanking<'_> =
            FullRankingConfig::default().build(&item_counts(&train, items), ties)?;
        let config = EnsembleConfig::single(MemberConfig::NextStep(NextStepConfig::default()));
        let mut out = Map::new();
        let embeddings = texts.without_tf_idf()?;
        let views = [
            ("with_texts", Some(texts)),
            ("with_embeddings", Some(&embeddings)),
            ("without_texts", None),
        ];
        for (name, texts) in views {
            let data = EnsembleData { items, texts, sequence: &[], hypotheses: None };
            let ranked = ranking.evaluate(&config.fit(&train, &data)?, test, &|_| {})?;
            let hr = mean(&ranked.values(|ranks| hit_rate(ranks, 10)));
            let ndcg = mean(&ranked.values(|ranks| ndcg(ranks, 10)));
            out.insert(name.to_owned(), json!({ "hr@10": hr, "ndcg@10": ndcg }));
        }
        Ok(out)
    }

    fn cases<'a>(
        &self,
        all: &'a ItemSequences,
        of_user: impl Fn(&LeaveOneOut<'a>, proclivity::schema::UserIndex) -> Option<(&'a [u32], u32)>,
    ) -> Vec<Case<'a>> {
        let held_out = all.leave_one_out();
        let none_is_held_out = self.count() == 0;
        all.users()
            .filter_map(|user| {
                let (history, target) = of_user(&held_out, user)?;
                (none_is_held_out || self.contains(target)).then_some(Case {
                    user: user.0,
                    history,
                    target,
                })
            })
            .collect()
    }
}

/// What text alone, as a member has it, does for some cases.
///
/// # Errors
/// What ranking refuses.
pub fn rank_by_text(
    texts: &ItemTexts,
    member: MemberConfig,
    ties: &TieBreak,
    cases: &[Case<'_>],
) -> Result<Evaluation, Box<dyn Error>> {
    let items = ties.len();
    let data = EnsembleData { items, texts: Some(texts), sequence: &[], hypotheses: None };
    let text = EnsembleConfig::single(member).fit(&[], &data)?;
    let counts = vec![1; items];
    let ranking: FullRanking<'_> = FullRankingConfig::default().build(&counts, ties)?;
    Ok(ranking.evaluate(&text, cases, &|_| {})?)
}

/// Text alone on the test, with the decay that is best on validation.
pub struct ColdResult {
    /// NDCG@10 of each user.
    pub ndcg: Vec<f64>,
    hr: Vec<f64>,
    decay: f64,
    validation_ndcg: f64,
}

impl ColdResult {
    /// Chooses the decay of a member on validation and measures on the test.
    pub fn new(
        texts: &ItemTexts,
        member: impl Fn(f64) -> MemberConfig,
        ties: &TieBreak,
        validation: &[Case<'_>],
        test: &[Case<'_>],
    ) -> Result<Self, Box<dyn Error>> {
        let mut best = (0.0, f64::NEG_INFINITY);
        for decay in [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0] {
            let ranked = rank_by_text(texts, member(decay), ties, validation)?;
            let found = mean(&ranked.values(|ranks| ndcg(ranks, 10)));
            if found > best.1 {
                best = (decay, found);
            }
        }
        let evaluation = rank_by_text(texts, member(best.0), ties, test)?;
        Ok(Self {
            ndcg: evaluation.values(|ranks| ndcg(ranks, 10)),
            hr: evaluation.values(|ranks| hit_rate(ranks, 10)),
            decay: best.0,
            validation_ndcg: best.1,
        })
    }

    /// Means with their standard errors.
    pub fn json(&self) -> Map<String, Value> {
        let mut out = Map::new();
        out.insert("users".to_owned(), json!(self.ndcg.len()));
        for (name, values) in [("hr@10", &self.hr), ("ndcg@10", &self.ndcg)] {
            out.insert(name.to_owned(), json!(mean(values)));
            out.insert(format!("{name}_standard_error"), json!(standard_error(values)));
        }
        out.insert("decay".to_owned(), json!(self.decay));
        out.insert("validation_ndcg@10".to_owned(), json!(self.validation_ndcg));
        out
    }
}

/// The mean of some numbers.
pub fn mean(values: &[f64]) -> f64 {
    ArrayView1::from(values).mean().unwrap_or(f64::NAN)
}

/// Of the mean.
fn standard_error(values: &[f64]) -> f64 {
    ArrayView1::from(values).std(1.0) / (values.len() as f64).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_the_items_is_cold_whatever_their_order() {
        let ids: Vec<String> = (1..=20_000).map(|id| id.to_string()).collect();
        let forward = ColdItems::new(ids.iter().map(String::as_str), 0.1, 0);
        assert!((forward.count() as f64 / 20_000.0 - 0.1).abs() < 0.01);
        let backward = ColdItems::new(ids.iter().rev().map(String::as_str), 0.1, 0);
        assert!((0..20_000).all(|item| forward.contains(item) == backward.contains(19_999 - item)));
        let another = ColdItems::new(ids.iter().map(String::as_str), 0.1, 1);
        let both = (0..20_000).filter(|&item| forward.contains(item) && another.contains(item));
        assert!((both.count() as f64 / 20_000.0 - 0.01).abs() < 0.005);
    }
}

//! Where the items of one user stand that are relevant to different degrees.

use super::RelevantRanks;
use crate::EvalError;

/// The largest grade, which 2 to the power of it has to be a finite number of.
const MAX_GRADE: f64 = 100.0;

/// The grades of a user's items, such as ratings, with their ranks; one grade at least is above 0.
#[derive(Debug, Clone, PartialEq)]
pub struct GradedRanks {
    /// (rank from 1, grade) of what was ranked, by rank; grades above 0.
    ranked: Vec<(usize, f64)>,
    /// All grades above 0, ranked or not, descending.
    grades: Vec<f64>,
}

impl GradedRanks {
    /// The rank, counted from 1, and the grade of each item, in any order; a rank of `None` for an
    /// item that was not ranked. Items of grade 0 don't count: they are not relevant.
    ///
    /// # Errors
    /// [`EvalError::OutOfRange`] for a grade outside of 0 to 100, [`EvalError::Empty`] when no
    /// grade is above 0, [`EvalError::ImpossibleRank`] as for [`RelevantRanks::new`].
    pub fn new(items: impl IntoIterator<Item = (Option<usize>, f64)>) -> Result<Self, EvalError> {
        let mut relevant = Vec::new();
        for (rank, grade) in items {
            if !(0.0..=MAX_GRADE).contains(&grade) {
                return Err(EvalError::OutOfRange {
                    name: "grade",
                    value: grade,
                    expected: "a number from 0 to 100",
                });
            }
            if grade > 0.0 {
                relevant.push((rank, grade));
            }
        }
        RelevantRanks::new(relevant.iter().map(|&(rank, _)| rank))?;
        let mut grades: Vec<f64> = relevant.iter().map(|&(_, grade)| grade).collect();
        grades.sort_unstable_by(|a, b| b.total_cmp(a));
        let ranked = relevant.into_iter().filter_map(|(rank, grade)| Some((rank?, grade)));
        let mut ranked: Vec<(usize, f64)> = ranked.collect();
        ranked.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(b.1.total_cmp(&a.1)));
        Ok(Self { ranked, grades })
    }

    /// The rank and grade of each relevant item that was ranked, by rank.
    pub fn ranked(&self) -> &[(usize, f64)] {
        &self.ranked
    }

    /// The grades of all relevant items, ranked or not, descending.
    pub fn grades(&self) -> &[f64] {
        &self.grades
    }

    /// The items of at least this grade, for the metrics of relevance by yes or no; `None` where
    /// there are none. 0 stands for every grade above 0.
    pub fn at_least(&self, grade: f64) -> Option<RelevantRanks> {
        let relevant = self.grades.iter().filter(|&&g| g >= grade).count();
        let ranked = self.ranked.iter().filter(|item| item.1 >= grade);
        let ranks: Vec<Option<usize>> = ranked.map(|item| Some(item.0)).collect();
        let missed = relevant - ranks.len();
        RelevantRanks::new(ranks.into_iter().chain(std::iter::repeat_n(None, missed))).ok()
    }
}

//! A set of items as bits: what a business rule admits, for all queries of a scan.

use crate::RankError;

/// The items that a rule admits, one bit each.
///
/// # Example
/// ```
/// use proclivity_rank::ItemMask;
///
/// let price = [9.0, 25.0, 40.0, 12.0];
/// let stock = [3, 0, 7, 1];
/// let affordable = ItemMask::from_fn(4, |item| price[item as usize] <= 30.0);
/// let sold_out = ItemMask::from_fn(4, |item| stock[item as usize] == 0);
/// let offered = affordable.and(&sold_out.not())?;
/// assert_eq!(offered.iter().collect::<Vec<_>>(), [0, 3]);
/// # Ok::<(), proclivity_rank::RankError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemMask {
    /// Bit i of word w is item 64 w + i; bits beyond the last item are 0.
    words: Vec<u64>,
    items: usize,
}

impl ItemMask {
    /// The items, of those from 0 to `items` − 1, for which `admits` is true.
    pub fn from_fn(items: usize, admits: impl Fn(u32) -> bool) -> Self {
        let word = |first: usize| {
            let of_word = first..items.min(first + 64);
            of_word.rev().fold(0, |word, item| word << 1 | u64::from(admits(item as u32)))
        };
        Self { words: (0..items).step_by(64).map(word).collect(), items }
    }

    /// What both admit.
    ///
    /// # Errors
    /// [`RankError::Length`] when the masks are of different numbers of items.
    pub fn and(&self, other: &Self) -> Result<Self, RankError> {
        self.zip(other, |a, b| a & b)
    }

    /// What either admits.
    ///
    /// # Errors
    /// [`RankError::Length`] when the masks are of different numbers of items.
    pub fn or(&self, other: &Self) -> Result<Self, RankError> {
        self.zip(other, |a, b| a | b)
    }

    /// What this one doesn't admit.
    #[must_use]
    pub fn not(&self) -> Self {
        Self::from_fn(self.items, |item| !self.contains(item))
    }

    /// Whether the item is admitted; one that doesn't exist is not.
    pub fn contains(&self, item: u32) -> bool {
        self.words.get(item as usize / 64).is_some_and(|word| word >> (item % 64) & 1 == 1)
    }

    /// How many items are admitted.
    pub fn count(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// The admitted items, ascending.
    pub fn iter(&self) -> impl Iterator<Item = u32> {
        (0..self.items as u32).filter(|&item| self.contains(item))
    }

    /// How many items there are, admitted or not.
    pub fn len(&self) -> usize {
        self.items
    }

    /// Whether there is no item, admitted or not.
    pub fn is_empty(&self) -> bool {
        self.items == 0
    }

    fn zip(&self, other: &Self, word: impl Fn(u64, u64) -> u64) -> Result<Self, RankError> {
        if other.items != self.items {
            return Err(RankError::Length {
                what: "items of the other mask",
                expected: self.items,
                got: other.items,
            });
        }
        let words = self.words.iter().zip(&other.words).map(|(&a, &b)| word(a, b)).collect();
        Ok(Self { words, items: self.items })
    }
}

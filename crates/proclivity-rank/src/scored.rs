//! Lists that are ordered by scores of any unit.

/// An item of a list that is ordered by scores.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scored {
    /// The item's index.
    pub item: u32,
    /// What it was ordered by: no probability.
    pub score: f64,
}

/// The admissible items with the highest scores, the highest first.
#[derive(Debug, Clone, PartialEq)]
pub struct ScoredList {
    /// The items. Never padded: as many as were requested, or as were found if these are fewer.
    pub items: Vec<Scored>,
    /// How many items were asked for.
    pub requested: usize,
    /// How many items were admissible.
    pub admissible: usize,
}

impl ScoredList {
    /// Whether there are fewer items than requested.
    pub fn is_short(&self) -> bool {
        self.items.len() < self.requested
    }

    /// How many more items were requested and admissible, but not found: 0 from an exact search.
    pub fn missing(&self) -> usize {
        self.requested.min(self.admissible).saturating_sub(self.items.len())
    }

    /// The indices of the items, in their order.
    pub fn indices(&self) -> Vec<u32> {
        self.items.iter().map(|scored| scored.item).collect()
    }
}

//! Which of two equally probable items stands first, decided by neither id nor position.

/// An order of all items that is fixed by a seed and carries no information about them.
///
/// Where a list has to be cut within ties, an order by position or id would smuggle in whatever
/// made the ids (often the order of first appearance). Here the order is that of a keyed hash of
/// the item's id: the same for any order of the catalog, another one for another seed.
///
/// The ids have to be distinct, as those of a catalog are: equal ids stand in order of position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TieBreak {
    keys: Vec<u64>,
}

impl TieBreak {
    /// The order of the items with these ids, which come by item index.
    pub fn new<'a>(ids: impl Iterator<Item = &'a str>, seed: u64) -> Self {
        let mut hash_key = [0; blake3::KEY_LEN];
        hash_key[..8].copy_from_slice(&seed.to_le_bytes());
        let keys = ids.map(|id| {
            let hash = blake3::keyed_hash(&hash_key, id.as_bytes());
            let mut key = [0; 8];
            key.copy_from_slice(&hash.as_bytes()[..8]);
            u64::from_le_bytes(key)
        });
        Self { keys: keys.collect() }
    }

    /// How many items are ordered.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there is no item.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// What ties are sorted by, ascending.
    pub(crate) fn key(&self, item: u32) -> (u64, u32) {
        (self.keys[item as usize], item)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(ids: &[&'static str], seed: u64) -> Vec<&'static str> {
        let ties = TieBreak::new(ids.iter().copied(), seed);
        let mut items: Vec<u32> = (0..ids.len() as u32).collect();
        items.sort_by_key(|&item| ties.key(item));
        items.into_iter().map(|item| ids[item as usize]).collect()
    }

    #[test]
    fn the_order_follows_ids_and_seed_but_not_positions() {
        let ids = ["1", "2", "3", "4", "5", "6", "7", "8"];
        let reversed = ["8", "7", "6", "5", "4", "3", "2", "1"];
        assert_eq!(order(&ids, 7), order(&reversed, 7));
        assert_ne!(order(&ids, 7), order(&ids, 8));
        assert_ne!(order(&ids, 7), ids);
    }
}

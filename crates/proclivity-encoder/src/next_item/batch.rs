//! Windows of histories, one behind the other without padding.

/// Inputs of several users and what follows each.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Batch {
    /// The items of all windows.
    pub(super) items: Vec<u32>,
    /// How many there are of each window.
    pub(super) lengths: Vec<usize>,
    /// The item behind each; empty where nothing is to be learned.
    pub(super) targets: Vec<u32>,
}

impl Batch {
    /// Windows whose every item but the first is predicted from those before it.
    pub(super) fn of_windows<'a>(windows: impl IntoIterator<Item = &'a [u32]>) -> Self {
        let mut batch = Self::default();
        for window in windows {
            if let ([inputs @ .., _], [_, targets @ ..]) = (window, window) {
                batch.items.extend_from_slice(inputs);
                batch.targets.extend_from_slice(targets);
                batch.lengths.push(inputs.len());
            }
        }
        batch
    }

    /// Histories alone.
    pub(super) fn of_histories<'a>(histories: impl IntoIterator<Item = &'a [u32]>) -> Self {
        let mut batch = Self::default();
        for history in histories {
            batch.items.extend_from_slice(history);
            batch.lengths.push(history.len());
        }
        batch
    }

    /// The position of each item in its window.
    pub(super) fn positions(&self) -> impl Iterator<Item = usize> {
        self.lengths.iter().flat_map(|&length| 0..length)
    }

    /// The place of each window's last item.
    pub(super) fn last_places(&self) -> impl Iterator<Item = usize> {
        self.lengths.iter().scan(0, |end, length| {
            *end += length;
            Some(*end - 1)
        })
    }
}

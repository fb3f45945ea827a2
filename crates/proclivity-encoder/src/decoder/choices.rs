//! Texts that a generation is held to, as a trie of their tokens.

/// Where in the trie a generation is: the texts that begin with what it wrote.
#[derive(Clone)]
pub(super) struct Choices<'a> {
    /// Sorted by tokens, so that the texts below a node lie side by side.
    texts: &'a [(Vec<u32>, usize)],
    depth: usize,
}

/// Tokens of each text with its position, in the order of a trie; the first of equal ones stays.
pub(super) fn sorted(texts: Vec<Vec<u32>>) -> Vec<(Vec<u32>, usize)> {
    let mut sorted: Vec<(Vec<u32>, usize)> =
        texts.into_iter().enumerate().map(|(index, tokens)| (tokens, index)).collect();
    sorted.sort_unstable();
    sorted.dedup_by(|later, first| later.0 == first.0);
    sorted
}

impl<'a> Choices<'a> {
    pub(super) fn new(texts: &'a [(Vec<u32>, usize)]) -> Self {
        Self { texts, depth: 0 }
    }

    /// The number of tokens of the longest text, and its position.
    pub(super) fn longest(&self) -> (usize, usize) {
        let lengths = self.texts.iter().map(|(tokens, index)| (tokens.len(), *index));
        lengths.max().unwrap_or((0, 0))
    }

    /// The text that is complete here; the generation may end with it.
    pub(super) fn complete(&self) -> Option<usize> {
        let (tokens, index) = self.texts.first()?;
        (tokens.len() == self.depth).then_some(*index)
    }

    /// The tokens that lead on.
    pub(super) fn next(&self) -> Vec<u32> {
        let mut next: Vec<u32> =
            self.texts.iter().filter_map(|(tokens, _)| tokens.get(self.depth).copied()).collect();
        next.dedup();
        next
    }

    pub(super) fn advance(&mut self, token: u32) {
        let at = |text: &(Vec<u32>, usize)| text.0.get(self.depth).copied();
        let first = self.texts.partition_point(|text| at(text) < Some(token));
        let end = self.texts.partition_point(|text| at(text) <= Some(token));
        self.texts = &self.texts[first..end];
        self.depth += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_walk_ends_at_the_text_whose_tokens_it_took() {
        let texts = sorted(vec![vec![3, 1], vec![2], vec![3], vec![3, 1, 4], vec![2]]);
        let root = Choices::new(&texts);
        assert_eq!((root.complete(), root.next()), (None, vec![2, 3]));
        let mut two = root.clone();
        two.advance(2);
        assert_eq!((two.complete(), two.next()), (Some(1), vec![]));
        let mut three = root.clone();
        three.advance(3);
        assert_eq!((three.complete(), three.next()), (Some(2), vec![1]));
        three.advance(1);
        assert_eq!((three.complete(), three.next()), (Some(0), vec![4]));
        three.advance(4);
        assert_eq!((three.complete(), three.next()), (Some(3), vec![]));
    }
}

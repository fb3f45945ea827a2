//! Batches of texts cut into groups of similar length, so that next to nothing is padding.

/// Tokens of a group, padding included, unless a text alone has more.
const TOKENS: usize = 1024;
/// A group of at least so many tokens ends where the next text is much shorter.
const ENOUGH: usize = 384;

/// The places of texts in groups, the longest texts first; a text is padded to its group's longest.
///
/// The groups depend on the lengths alone.
pub(crate) fn by_length(lengths: &[usize]) -> Vec<Vec<usize>> {
    let mut places: Vec<usize> = (0..lengths.len()).collect();
    places.sort_by_key(|&place| (std::cmp::Reverse(lengths[place]), place));
    let mut groups: Vec<Vec<usize>> = Vec::new();
    let (mut longest, mut tokens) = (0, 0);
    for place in places {
        let length = lengths[place];
        let fits = groups.last().is_some_and(|group| {
            let padded = longest * (group.len() + 1);
            // An eighth shorter, and the rest of the group isn't small.
            let much_shorter = 8 * length < 7 * longest && tokens >= ENOUGH;
            padded <= TOKENS && !much_shorter
        });
        if !fits {
            groups.push(Vec::new());
            (longest, tokens) = (length, 0);
        }
        tokens += length;
        if let Some(group) = groups.last_mut() {
            group.push(place);
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_texts_are_in_groups_that_waste_little() {
        let lengths: Vec<usize> = (0..400).map(|text| 5 + text * text % 37).collect();
        let groups = by_length(&lengths);
        let mut places: Vec<usize> = groups.concat();
        places.sort_unstable();
        assert!(places.into_iter().eq(0..400));
        let padded: usize = groups
            .iter()
            .map(|group| group.len() * group.iter().map(|&place| lengths[place]).max().unwrap())
            .sum();
        let real: usize = lengths.iter().sum();
        assert!(padded as f64 <= 1.08 * real as f64, "{padded} for {real}");
        assert!(groups.iter().all(|group| group.len() * lengths[group[0]] <= TOKENS));
        assert_eq!(by_length(&[3, 5000, 7]), [vec![1], vec![2, 0]]);
        assert!(by_length(&[]).is_empty());
    }
}

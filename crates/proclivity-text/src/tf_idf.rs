//! Texts as bags of words that weigh what they are rare.

use std::collections::{BTreeMap, HashMap};

use unicode_normalization::UnicodeNormalization as _;
use unicode_segmentation::UnicodeSegmentation as _;

/// TF-IDF vectors of texts, of unit length, and which texts have a word.
///
/// Words are those of Unicode's annex 29, compatible forms made one (NFKC), in lower case; a Chinese
/// character is a word by itself. What an embedding blurs, such as a brand or a number, stays sharp here.
///
/// # Formula
/// v(text, word) ∝ n(word in text) · (1 + ln((1 + N) / (1 + Nʷ))), N texts, Nʷ of them with the word.
/// Salton and Buckley, "Term-weighting approaches in automatic text retrieval" (1988); smoothed as
/// scikit-learn's `TfidfVectorizer` has it.
///
/// ```
/// use proclivity_text::TfIdf;
///
/// let texts = TfIdf::new(&["OPI nail lacquer, red", "OPI nail lacquer, blue", "Hair brush"]);
/// let near = texts.cosines([(0, 1.0)]);
/// assert_eq!(near.iter().map(|&(text, _)| text).collect::<Vec<_>>(), [0, 1]);
/// assert!((near[0].1 - 1.0).abs() < 1e-6);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct TfIdf {
    /// Words and weights of each text.
    by_text: Rows,
    /// Texts and weights of each word.
    by_word: Rows,
}

/// Rows of indices, in order, with weights.
#[derive(Debug, Clone, PartialEq)]
struct Rows {
    offsets: Vec<usize>,
    entries: Vec<(u32, f32)>,
}

impl Rows {
    fn collect(rows: impl IntoIterator<Item = Vec<(u32, f32)>>) -> Self {
        let mut collected = Self { offsets: vec![0], entries: Vec::new() };
        for row in rows {
            collected.entries.extend(row);
            collected.offsets.push(collected.entries.len());
        }
        collected
    }

    fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    fn row(&self, row: u32) -> &[(u32, f32)] {
        &self.entries[self.offsets[row as usize]..self.offsets[row as usize + 1]]
    }
}

impl TfIdf {
    /// The vectors of `texts`, numbered in their order.
    pub fn new(texts: &[&str]) -> Self {
        let mut words: HashMap<String, u32> = HashMap::new();
        let mut texts_with: Vec<f64> = Vec::new();
        let counted: Vec<BTreeMap<u32, f64>> = texts
            .iter()
            .map(|text| {
                let mut counts = BTreeMap::new();
                let text: String = text.nfkc().flat_map(char::to_lowercase).collect();
                for word in text.unicode_words() {
                    let next = words.len() as u32;
                    let word = *words.entry(word.to_owned()).or_insert(next);
                    *counts.entry(word).or_insert(0.0) += 1.0;
                }
                texts_with.resize(words.len(), 0.0);
                counts.keys().for_each(|&word| texts_with[word as usize] += 1.0);
                counts
            })
            .collect();
        let rarity = |with: f64| 1.0 + ((1.0 + texts.len() as f64) / (1.0 + with)).ln();
        let mut by_word = vec![Vec::new(); texts_with.len()];
        let by_text = (0_u32..).zip(counted).map(|(text, counts)| {
            let weighted = counts.iter().map(|(&w, n)| (w, n * rarity(texts_with[w as usize])));
            let weighted: Vec<(u32, f64)> = weighted.collect();
            let norm = weighted.iter().map(|(_, weight)| weight * weight).sum::<f64>().sqrt();
            let row: Vec<(u32, f32)> =
                weighted.iter().map(|&(word, weight)| (word, (weight / norm) as f32)).collect();
            row.iter().for_each(|&(word, weight)| by_word[word as usize].push((text, weight)));
            row
        });
        let by_text = Rows::collect(by_text);
        Self { by_text, by_word: Rows::collect(by_word) }
    }

    /// How many texts there are.
    pub fn len(&self) -> usize {
        self.by_text.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The cosines between a weighted sum of texts and every text that has a word in common with
    /// it, in order of the texts; all others' are 0.
    ///
    /// # Panics
    /// When there is no such text.
    pub fn cosines(&self, sum: impl IntoIterator<Item = (u32, f32)>) -> Vec<(u32, f32)> {
        let mut words: BTreeMap<u32, f32> = BTreeMap::new();
        for (text, weight) in sum {
            for &(word, of_text) in self.by_text.row(text) {
                *words.entry(word).or_insert(0.0) += weight * of_text;
            }
        }
        let norm = words.values().map(|weight| weight * weight).sum::<f32>().sqrt();
        let mut cosines = vec![0.0; self.len()];
        for (&word, &weight) in words.iter().filter(|_| norm > 0.0) {
            for &(text, of_text) in self.by_word.row(word) {
                cosines[text as usize] += weight / norm * of_text;
            }
        }
        let near = (0_u32..).zip(cosines).filter(|&(_, cosine)| cosine != 0.0);
        near.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// scikit-learn 1.9's `TfidfVectorizer(token_pattern=r"(?u)\b\w+\b")`, the Chinese words apart.
    #[test]
    fn cosines_are_scikit_learn_s() {
        let texts = ["Red lacquer, red brush", "blue BRUSH", "ｂｌｕｅ 口红", "", "brush"];
        let texts = TfIdf::new(&texts);
        let near = texts.cosines([(0, 1.0), (1, 0.5)]);
        let expected = [(0, 0.9118275), (1, 0.5707166), (2, 0.1592398), (4, 0.5064104)];
        assert_eq!(near.len(), expected.len());
        for ((text, cosine), (other, reference)) in near.into_iter().zip(expected) {
            assert_eq!(text, other);
            assert!((cosine - reference).abs() < 1e-6, "{text}: {cosine}, not {reference}");
        }
    }

    #[test]
    fn a_text_without_words_is_near_nothing() {
        let texts = TfIdf::new(&["", "brush", "—"]);
        assert_eq!(texts.len(), 3);
        assert!(texts.cosines([(0, 1.0), (2, 1.0)]).is_empty());
        assert!(texts.cosines([]).is_empty());
        assert!(TfIdf::new(&[]).is_empty());
    }
}

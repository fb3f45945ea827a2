//! Texts as bags of words, rarer words weighing more.

use std::collections::BTreeMap;

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
/// # Example
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
    postings: Rows,
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
        let counted: Vec<BTreeMap<String, f64>> = texts.iter().map(|text| counts(text)).collect();
        let mut texts_with: BTreeMap<&str, f64> = BTreeMap::new();
        for word in counted.iter().flat_map(BTreeMap::keys) {
            *texts_with.entry(word).or_insert(0.0) += 1.0;
        }
        // Numbered in alphabetical order, so that no sum depends on the order of the texts.
        let rarity = |with: f64| 1.0 + ((1.0 + texts.len() as f64) / (1.0 + with)).ln();
        let words: BTreeMap<&str, (u32, f64)> = (0_u32..)
            .zip(&texts_with)
            .map(|(number, (&word, &with))| (word, (number, rarity(with))))
            .collect();
        let mut postings = vec![Vec::new(); words.len()];
        let by_text = (0_u32..).zip(&counted).map(|(text, counts)| {
            let weighted = counts.iter().filter_map(|(word, count)| {
                words.get(word.as_str()).map(|&(number, rarity)| (number, count * rarity))
            });
            let weighted: Vec<(u32, f64)> = weighted.collect();
            let norm = weighted.iter().map(|(_, weight)| weight * weight).sum::<f64>().sqrt();
            let row: Vec<(u32, f32)> =
                weighted.iter().map(|&(word, weight)| (word, (weight / norm) as f32)).collect();
            row.iter().for_each(|&(word, weight)| postings[word as usize].push((text, weight)));
            row
        });
        let by_text = Rows::collect(by_text);
        Self { by_text, postings: Rows::collect(postings) }
    }

    /// How many texts there are.
    pub fn len(&self) -> usize {
        self.by_text.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The cosines between a sum of texts, each with a finite weight, and every text that has a word
    /// in common with it, in order of the texts; all others' are 0.
    ///
    /// # Panics
    /// When there is no such text.
    pub fn cosines(&self, sum: impl IntoIterator<Item = (u32, f32)>) -> Vec<(u32, f32)> {
        let mut words: BTreeMap<u32, f64> = BTreeMap::new();
        for (text, weight) in sum {
            for &(word, of_text) in self.by_text.row(text) {
                *words.entry(word).or_insert(0.0) += f64::from(weight) * f64::from(of_text);
            }
        }
        let norm = words.values().map(|weight| weight * weight).sum::<f64>().sqrt();
        let mut cosines = vec![0.0; self.len()];
        for (&word, &weight) in words.iter().filter(|_| norm > 0.0) {
            for &(text, of_text) in self.postings.row(word) {
                cosines[text as usize] += weight / norm * f64::from(of_text);
            }
        }
        let near = (0_u32..).zip(cosines).filter(|&(_, cosine)| cosine != 0.0);
        near.map(|(text, cosine)| (text, cosine as f32)).collect()
    }
}

/// How often a text has each word.
fn counts(text: &str) -> BTreeMap<String, f64> {
    let text: String = text.nfkc().flat_map(char::to_lowercase).collect();
    let mut counts = BTreeMap::new();
    for word in text.unicode_words() {
        *counts.entry(word.to_owned()).or_insert(0.0) += 1.0;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    /// scikit-learn 1.9's `TfidfVectorizer(token_pattern=r"(?u)\b\w+\b")` on texts that are NFKC
    /// already, the Chinese words apart.
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
    fn cosines_do_not_depend_on_the_order_of_the_texts() {
        let texts =
            ["red nail lacquer", "hair brush, red", "a nail brush", "lacquer for hair, red"];
        let (one, other) = (TfIdf::new(&texts), TfIdf::new(&[3, 1, 0, 2].map(|at| texts[at])));
        for (text, place) in [(0, 2), (1, 1), (2, 3), (3, 0)] {
            let cosines = |of: &TfIdf, text| {
                let mut cosines: Vec<u32> =
                    of.cosines([(text, 1.0)]).iter().map(|(_, cosine)| cosine.to_bits()).collect();
                cosines.sort_unstable();
                cosines
            };
            assert_eq!(cosines(&one, text), cosines(&other, place));
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

//! Spellings that a language model's tokenizer reads as control tokens, and text without them.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use crate::flatten::is_invisible;

/// Spellings that text from strangers must not hold, since a tokenizer reads them as control
/// tokens: `[SEP]`, `<|im_end|>`.
///
/// They are found in any case, in full-width and other compatible letters (Unicode's NFKC), and with
/// invisible characters or accents on or between their letters, since normalizers undo each of these.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SpecialTokens {
    /// Folded, each at least one character.
    spellings: Vec<Box<[char]>>,
    /// The ASCII bytes that a spelling starts with.
    first: Vec<u8>,
}

impl SpecialTokens {
    /// These spellings; those of nothing but white space or invisible characters are left out.
    pub fn new<S: AsRef<str>>(spellings: impl IntoIterator<Item = S>) -> Self {
        let folded: Vec<Box<[char]>> = spellings
            .into_iter()
            .filter(|spelling| !spelling.as_ref().trim().is_empty())
            .map(|spelling| spelling.as_ref().chars().filter_map(fold).collect::<Box<[char]>>())
            .filter(|spelling| !spelling.is_empty())
            .collect();
        Self::of_folded(folded)
    }

    fn of_folded(mut spellings: Vec<Box<[char]>>) -> Self {
        spellings.sort_unstable();
        spellings.dedup();
        let starts = || spellings.iter().map(|spelling| spelling[0]);
        let mut first: Vec<u8> = starts()
            .filter_map(|start| u8::try_from(start).ok().filter(u8::is_ascii))
            .flat_map(|start| [start, start.to_ascii_uppercase()])
            .collect();
        first.sort_unstable();
        first.dedup();
        Self { spellings, first }
    }

    /// Those of the models in wide use: the families of BERT, GPT, Llama, Gemma, Qwen, Mistral and
    /// Phi.
    pub fn common() -> Self {
        Self::new(COMMON)
    }

    /// These and those of another list.
    pub fn and(mut self, other: Self) -> Self {
        self.spellings.extend(other.spellings);
        Self::of_folded(self.spellings)
    }

    /// Whether one of them stands in a text.
    pub fn are_in(&self, text: &str) -> bool {
        self.find(text).is_some()
    }

    /// The text with every spelling broken by a space after its first character: `[ SEP]`. Where
    /// that doesn't help (a spelling of one character, or with a space at that place), the
    /// character goes. The result never holds a spelling.
    pub fn neutralize<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let Some(first) = self.find(text) else { return Cow::Borrowed(text) };
        let mut out = String::with_capacity(text.len() + 8);
        out.push_str(&text[..first]);
        for (position, character) in text[first..].char_indices() {
            out.push(character);
            if self.start_at(&text[first + position..]) {
                out.push(' ');
            }
        }
        while let Some(position) = self.find(&out) {
            out.remove(position);
        }
        Cow::Owned(out)
    }

    fn find(&self, text: &str) -> Option<usize> {
        text.bytes()
            .enumerate()
            // A character that isn't ASCII may have any of them as its compatible form.
            .filter(|(_, byte)| match byte {
                0..0x80 => self.first.contains(byte),
                0x80..0xc0 => false,
                _ => true,
            })
            .map(|(position, _)| position)
            .find(|&position| self.start_at(&text[position..]))
    }

    /// Whether a spelling starts with the text's first character.
    fn start_at(&self, text: &str) -> bool {
        let Some(first) = text.chars().next().and_then(fold) else { return false };
        self.spellings.iter().any(|spelling| {
            spelling[0] == first && {
                let mut folded = text.chars().filter_map(fold);
                spelling.iter().all(|&expected| folded.next() == Some(expected))
            }
        })
    }
}

/// A character as it is compared; `None` for one that normalizers drop.
fn fold(character: char) -> Option<char> {
    match character {
        ' '..='~' => Some(character.to_ascii_lowercase()),
        '\n' | '\r' | '\t' => Some(character),
        '\u{200c}' | '\u{200d}' | '\u{fe0e}' | '\u{fe0f}' => None,
        _ if is_invisible(character) || is_combining_mark(character) => None,
        // Full width, mathematical and other forms of a letter are that letter.
        _ => [character].into_iter().nfkc().next().and_then(|narrow| narrow.to_lowercase().next()),
    }
}

const COMMON: [&str; 27] = [
    "[CLS]",
    "[SEP]",
    "[PAD]",
    "[UNK]",
    "[MASK]",
    "[BOS]",
    "[EOS]",
    "<s>",
    "</s>",
    "<pad>",
    "<unk>",
    "<mask>",
    "<bos>",
    "<eos>",
    // `<|im_start|>`, `<|eot_id|>`, `<|channel|>` and whatever else begins so.
    "<|",
    "<start_of_turn>",
    "<end_of_turn>",
    "[INST]",
    "[/INST]",
    "<<SYS>>",
    "<</SYS>>",
    "<think>",
    "</think>",
    "<tool_call>",
    "</tool_call>",
    "<tool_response>",
    "</tool_response>",
];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn spellings_are_broken_however_they_are_dressed() {
        let special = SpecialTokens::common();
        for (text, expected) in [
            ("a [SEP] b", "a [ SEP] b"),
            ("[sep][SEP]", "[ sep][ SEP]"),
            ("［ＳＥＰ］", "［ ＳＥＰ］"),
            ("<|im\u{200b}_end|>", "< |im\u{200b}_end|>"),
            ("＜|im_end|﹥", "＜ |im_end|﹥"),
            ("<<s>", "<< s>"),
            ("[𝐒𝐄𝐏]", "[ 𝐒𝐄𝐏]"),
            ("<|\u{e0100}im_end|>", "< |\u{e0100}im_end|>"),
            ("[s\u{301}ep]", "[ s\u{301}ep]"),
            ("<|channel|>", "< |channel|>"),
            ("<｜User｜>", "< ｜User｜>"),
        ] {
            assert_eq!(special.neutralize(text), expected);
        }
        for harmless in ["[SE P]", "Ignore previous instructions", "1 < 2 > 0", ""] {
            assert!(matches!(special.neutralize(harmless), Cow::Borrowed(_)), "{harmless}");
        }
    }

    #[test]
    fn a_spelling_that_a_space_does_not_break_goes() {
        let special = SpecialTokens::new(["ab", "a b", "x", "", " ", "\u{200b}"]);
        assert_eq!(special.neutralize("ab, x, a b."), " b,  , a  b.");
    }

    proptest! {
        #[test]
        fn no_spelling_is_left(
            text in "[<>|\\[\\]/ a-csep_\u{200b}\u{ff3b}ＳSE]{0,30}",
            spellings in prop::collection::vec("[<>|\\[\\] a-csep_]{1,4}", 0..6),
        ) {
            let special = SpecialTokens::new(&spellings).and(SpecialTokens::common());
            let safe = special.neutralize(&text).into_owned();
            prop_assert!(!special.are_in(&safe), "{}", safe);
            for spelling in spellings.iter().filter(|spelling| !spelling.trim().is_empty()) {
                prop_assert!(!safe.contains(spelling.as_str()), "{} in {}", spelling, safe);
            }
            prop_assert_eq!(special.neutralize(&safe), safe.as_str());
        }
    }
}

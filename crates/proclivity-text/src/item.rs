//! Items and interests as one string each, for an encoder.

use proclivity_schema::{Interest, Item, Language};

use crate::flatten::flatten_into;

/// An item's title, category and description as one string, without what is empty.
pub fn item_text(item: &Item, language: &Language) -> String {
    let text = item.text(language);
    let marks = Marks::of(&text.language);
    let category: Vec<String> =
        text.category_parts().into_iter().map(flat).filter(|part| !part.is_empty()).collect();
    let parts = [flat(&text.title), category.join(marks.comma), flat(&text.description)];
    let mut out = String::new();
    for part in parts.iter().filter(|part| !part.is_empty()) {
        if out.ends_with(['.', '!', '?', '。', '！', '？']) {
            out.push_str(marks.space);
        } else if !out.is_empty() {
            out.push_str(marks.stop);
            out.push_str(marks.space);
        }
        out.push_str(part);
    }
    out
}

/// An interest's name and words as one string; its id where it has no text at all.
pub fn interest_text(interest: &Interest, language: &Language) -> String {
    let in_language = |text: &&proclivity_schema::InterestText| text.language == *language;
    let texts = &interest.texts;
    let Some(text) = texts.iter().find(in_language).or(texts.first()) else {
        return flat(&interest.id);
    };
    let marks = Marks::of(&text.language);
    let parts = [flat(&text.name), flat(&text.words)];
    let parts: Vec<&str> =
        parts.iter().map(String::as_str).filter(|part| !part.is_empty()).collect();
    parts.join(marks.colon)
}

fn flat(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    flatten_into(&mut out, text, &[]);
    out
}

/// Punctuation: Chinese for Chinese, Latin for all else.
struct Marks {
    comma: &'static str,
    colon: &'static str,
    stop: &'static str,
    space: &'static str,
}

impl Marks {
    fn of(language: &Language) -> Self {
        if *language == Language::CHINESE {
            Self { comma: "、", colon: "：", stop: "。", space: "" }
        } else {
            Self { comma: ", ", colon: ": ", stop: ".", space: " " }
        }
    }
}

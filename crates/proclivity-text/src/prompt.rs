//! Text from strangers put into a prompt as data.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use crate::flatten::flatten_into;
use crate::{Locale, SpecialTokens};

/// A part of a prompt that holds data; its name is its tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PromptPart {
    /// About the user.
    User,
    /// What the user did.
    History,
    /// What can be recommended.
    Items,
}

impl PromptPart {
    /// Every part.
    pub const ALL: [Self; 3] = [Self::User, Self::History, Self::Items];

    /// The tag: `user`, `history`, `items`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::History => "history",
            Self::Items => "items",
        }
    }
}

/// The beginnings of the parts' tags, closing and opening.
static TAGS: LazyLock<SpecialTokens> = LazyLock::new(|| {
    let tags = PromptPart::ALL.map(PromptPart::as_str);
    SpecialTokens::new(tags.iter().flat_map(|tag| [format!("<{tag}"), format!("</{tag}")]))
});

/// Special tokens and the parts' tags as one list, so that breaking one can't form another.
pub(crate) fn guarded(special: &SpecialTokens) -> SpecialTokens {
    TAGS.clone().and(special.clone())
}

/// A part of a prompt: a sentence that says that what follows is data, and the text between the
/// part's tags.
///
/// Whatever the text holds, it closes no part, spells no special token, and keeps no invisible
/// character; its lines stay lines. What a model does with a title that asks it for something is
/// the model's: this only leaves no doubt about where the data ends.
pub fn prompt_part(
    part: PromptPart,
    text: &str,
    locale: &Locale,
    special: &SpecialTokens,
) -> String {
    let tag = part.as_str();
    let mut lines = String::with_capacity(text.len());
    for line in text.lines() {
        if !lines.is_empty() {
            lines.push('\n');
        }
        flatten_into(&mut lines, line, &[]);
    }
    let text = guarded(special).neutralize(&lines).into_owned();
    let mut out = String::new();
    locale.prompt.note.wrap_into(&mut out, tag);
    out.push_str(&format!("\n<{tag}>\n{text}\n</{tag}>\n"));
    out
}

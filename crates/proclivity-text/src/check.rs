//! What makes a locale usable: no words missing, a plain form that reads back, quotes that hold.

use proclivity_schema::{EventKind, FollowTarget};

use crate::locale::{Locale, PlainWords};
use crate::plain::is_bare;
use crate::words::Enclosure;
use crate::{Segment, Slot, TextError};

impl Locale {
    pub(crate) fn check(&self) -> Result<(), TextError> {
        self.plain.check()?;
        let rich = &self.rich;
        closed("rich.title", &rich.title)?;
        closed("rich.query", &rich.query)?;
        closed("rich.category", &rich.category)?;
        for kind in [EventKind::Purchase, EventKind::Return, EventKind::Rate, EventKind::Watch] {
            if !rich.amounts.contains_key(&kind) {
                return Err(TextError::LocaleKind { field: "rich.amounts", kind });
            }
        }
        not_empty("rich.rating.words", rich.rating.words.first().map(String::as_str))?;
        not_empty("sentence.openings", self.openings().first().map(String::as_str))?;
        not_empty("sentence.closings", self.closings().first().map(String::as_str))?;
        for kind in EventKind::ALL {
            if self.sentence.because.contains_key(&kind) != is_reason(kind) {
                return Err(TextError::LocaleKind { field: "sentence.because", kind });
            }
        }
        // A sentence's title stands in the delimiters that its text was made for.
        let around = &rich.title.around;
        let sentence = self.sentence_template(&[]).segments;
        let framed = sentence.windows(3).any(|segments| match segments {
            [Segment::Fixed(before), Segment::Slot(Slot::Title), Segment::Fixed(after)] => {
                before.ends_with(&around.before) && after.starts_with(&around.after)
            }
            _ => false,
        });
        not_empty("sentence.parts: the slot of the title in its quotes", framed.then_some("{}"))
    }
}

/// Whether a deed can be the reason for a recommendation: it speaks for its item, or names what
/// its user wants.
pub(crate) fn is_reason(kind: EventKind) -> bool {
    kind.is_positive() || !kind.has_item()
}

impl PlainWords {
    /// What the parser relies on: wherever it has a choice, no words begin with others.
    fn check(&self) -> Result<(), TextError> {
        let clauses = EventKind::ALL.map(|kind| self.clauses.get(kind));
        let starts: Vec<&str> =
            clauses.iter().map(|clause| clause.before.as_str()).chain([&*self.nothing]).collect();
        distinct("plain.clauses", &starts)?;
        let mut ends: Vec<&str> = clauses.iter().map(|clause| &*clause.after).collect();
        ends.retain(|after| !after.is_empty());
        ends.sort_unstable();
        ends.dedup();
        ends.extend([&*self.comma, &self.and, &self.semicolon, &self.stop]);
        distinct("plain.comma, and, semicolon, stop", &ends)?;
        let targets = FollowTarget::ALL.map(|target| &*self.follows.get(target).before);
        distinct("plain.follows", &targets)?;
        let amounts = [
            EventKind::Purchase,
            EventKind::Return,
            EventKind::Rate,
            EventKind::Watch,
            EventKind::Impression,
        ];
        for kind in amounts {
            let amount = self.amounts.get(&kind);
            let amount = amount.ok_or(TextError::LocaleKind { field: "plain.amounts", kind })?;
            let words: Vec<&str> = ends.iter().copied().chain([&*amount.before]).collect();
            distinct("plain.amounts", &words)?;
            // The digits end where these words start.
            if amount.after.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '.')) {
                return Err(TextError::LocaleKind { field: "plain.amounts", kind });
            }
        }
        let words: Vec<&str> = ends.iter().copied().chain([&*self.comment.before]).collect();
        distinct("plain.comment", &words)?;
        // A bare id ends where the words after it start.
        let amounts = self.amounts.values().map(|amount| &*amount.before);
        let after_item = ends.into_iter().chain(amounts).chain([&*self.comment.before]);
        let after_item = after_item.filter(|_| self.item.after.is_empty());
        for words in after_item.chain([&*self.user.after, &self.item.after]) {
            if let Some(character) = words.chars().next().filter(|&c| is_bare(c)) {
                let second = character.to_string().into();
                return Err(TextError::LocaleAmbiguous { first: words.into(), second });
            }
        }
        not_empty("plain.user", Some(&self.user.after))
    }
}

fn not_empty(field: &'static str, words: Option<&str>) -> Result<(), TextError> {
    match words {
        Some(words) if !words.is_empty() => Ok(()),
        _ => Err(TextError::LocaleEmpty { field }),
    }
}

fn distinct(field: &'static str, words: &[&str]) -> Result<(), TextError> {
    words.iter().try_for_each(|words| not_empty(field, Some(words)))?;
    for (i, first) in words.iter().enumerate() {
        for (j, second) in words.iter().enumerate() {
            if i != j && first.starts_with(second) {
                let (first, second) = ((*first).into(), (*second).into());
                return Err(TextError::LocaleAmbiguous { first, second });
            }
        }
    }
    Ok(())
}

fn closed(field: &'static str, enclosure: &Enclosure) -> Result<(), TextError> {
    let around = &enclosure.around;
    not_empty(field, Some(around.before.trim()))?;
    not_empty(field, Some(around.after.trim()))?;
    let delimiters = || around.before.chars().chain(around.after.chars());
    for delimiter in delimiters().filter(|c| !c.is_whitespace()) {
        let replaced = enclosure
            .replace
            .iter()
            .any(|&(from, to)| from == delimiter && delimiters().all(|delimiter| delimiter != to));
        if !replaced {
            return Err(TextError::LocaleOpen { field, delimiter });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(from: &str, to: &str) -> TextError {
        let json = include_str!("locales/en.json");
        assert!(json.contains(from), "{from}");
        Locale::from_json(&json.replacen(from, to, 1)).expect_err(to)
    }

    #[test]
    fn unusable_locales_are_refused() {
        let refusals = [
            // Not of the form.
            ("\"dismiss\": \"dismissed {}\",", ""),
            ("dismissed {}", "dismissed"),
            ("\"group {}\"", "\"group {}\", \"band\": \"{}\""),
            ("\"topic\": \"{}\", ", ""),
            // Missing words.
            ("\"purchase\": \" ×{}\",", ""),
            (
                "\"share\": \"shared {}\",\n      \"comment\": \"commented on {}\",\n      \"watch\": \"watched {}\"\n    }\n  }",
                "\"share\": \"shared {}\" } }",
            ),
            ("[\"We picked for you\", \"You may like\", \"Have a look at\"]", "[]"),
            // Not to be read back.
            ("clicked {}", "viewed with care {}"),
            ("\" and \"", "\", and \""),
            ("\"stop\": \".\"", "\"stop\": \"\""),
            (" (quantity {})", ", {}"),
            ("the user {}", "the topic of the user {}"),
            ("\" ({}%)\"", "\"%{}.\""),
            ("\"comment\": \": {}\"", "\"comment\": \"x{}\""),
            ("User {} ", "User {}"),
            // Open to foreign text.
            ("[[\"\\\"\", \"'\"]]", "[]"),
            ("[\")\", \"]\"]", "[\")\", \"(\"]"),
            ("{opening} \\\"{title}\\\"", "{opening} *{title}*"),
        ];
        let refusals = refusals.map(|(from, to)| refusal(from, to).to_string());
        insta::assert_snapshot!(refusals.join("\n"));
    }
}

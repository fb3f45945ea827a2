//! The plain form read back.

use proclivity_schema::{EventKind, FollowTarget, Fraction, ItemId, Rating, UserId};

use crate::amount::{is_implied, parse_percentage};
use crate::locale::PlainWords;
use crate::plain::{PlainEvent, is_bare};
use crate::words::Affix;
use crate::{Locale, TextError};

/// Reads what [`plain`](crate::plain) wrote: the user, and the events in their order.
///
/// # Errors
/// [`TextError::NotPlain`] where the text is not in the plain form of this locale, and
/// [`TextError::Schema`] where it is but names an id, rating or fraction that the schema refuses.
pub fn parse_plain(text: &str, locale: &Locale) -> Result<(UserId, Vec<PlainEvent>), TextError> {
    let words = &locale.plain;
    let mut cursor = Cursor { text, byte: 0 };
    cursor.expect(&words.user.before, "the word for a user")?;
    let user = UserId::new(&cursor.name(words)?)?;
    cursor.expect(&words.user.after, "a space after the user")?;
    let mut events = Vec::new();
    if !cursor.take(&words.nothing) {
        cursor.clause(words, &mut events)?;
        while cursor.take(&words.semicolon) {
            cursor.clause(words, &mut events)?;
        }
    }
    cursor.expect(&words.stop, "another clause or a full stop")?;
    if cursor.rest().is_empty() { Ok((user, events)) } else { Err(cursor.error("the end")) }
}

struct Cursor<'a> {
    text: &'a str,
    byte: usize,
}

impl<'a> Cursor<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.byte..]
    }

    fn error(&self, expected: &'static str) -> TextError {
        TextError::NotPlain { byte: self.byte, expected }
    }

    fn take(&mut self, word: &str) -> bool {
        let found = self.rest().starts_with(word);
        if found {
            self.byte += word.len();
        }
        found
    }

    fn expect(&mut self, word: &str, expected: &'static str) -> Result<(), TextError> {
        if self.take(word) { Ok(()) } else { Err(self.error(expected)) }
    }

    fn next(&mut self) -> Option<char> {
        let character = self.rest().chars().next()?;
        self.byte += character.len_utf8();
        Some(character)
    }

    fn take_until(&mut self, end: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let taken = &rest[..rest.find(end).unwrap_or(rest.len())];
        self.byte += taken.len();
        taken
    }

    fn clause(
        &mut self,
        words: &PlainWords,
        events: &mut Vec<PlainEvent>,
    ) -> Result<(), TextError> {
        let kind = EventKind::ALL
            .into_iter()
            .find(|&kind| self.take(&words.clauses.get(kind).before))
            .ok_or_else(|| self.error("the verb of an event"))?;
        events.push(self.event(kind, words)?);
        while self.take(&words.comma) || self.take(&words.and) {
            events.push(self.event(kind, words)?);
        }
        self.expect(&words.clauses.get(kind).after, "the end of the clause")
    }

    fn event(&mut self, kind: EventKind, words: &PlainWords) -> Result<PlainEvent, TextError> {
        let mut event = PlainEvent { kind, item: None, target: None, text: None, amount: None };
        if kind.has_item() {
            self.expect(&words.item.before, "the word for an item")?;
            event.item = Some(ItemId::new(&self.name(words)?)?);
            self.expect(&words.item.after, "the end of the item")?;
        }
        match kind {
            EventKind::Search => event.text = Some(self.quoted(words)?),
            EventKind::Follow => {
                let target = FollowTarget::ALL
                    .into_iter()
                    .find(|&target| self.take(&words.follows.get(target).before))
                    .ok_or_else(|| self.error("the word for a topic, user or group"))?;
                event.target = Some(target);
                event.text = Some(self.quoted(words)?);
                self.expect(&words.follows.get(target).after, "the end of the name")?;
            }
            EventKind::Comment if self.take(&words.comment.before) => {
                event.text = Some(self.quoted(words)?);
                self.expect(&words.comment.after, "the end of the comment")?;
            }
            EventKind::Comment => event.text = Some("".into()),
            _ => {
                let affix = words.amounts.get(&kind);
                event.amount = affix.map(|affix| self.amount(kind, affix)).transpose()?;
            }
        }
        Ok(event)
    }

    fn quoted(&mut self, words: &PlainWords) -> Result<Box<str>, TextError> {
        if self.rest().starts_with(words.quotes.0) {
            Ok(self.name(words)?.into())
        } else {
            Err(self.error("a quoted text"))
        }
    }

    fn amount(&mut self, kind: EventKind, affix: &Affix) -> Result<f64, TextError> {
        if !self.take(&affix.before) {
            return if is_implied(kind, 1.0) {
                Ok(1.0)
            } else {
                Err(self.error("the rating, percentage or position"))
            };
        }
        let not_a_number = self.error("a number");
        let digits = self.take_until(|c| !(c.is_ascii_digit() || matches!(c, '-' | '.')));
        let amount = match kind {
            EventKind::Rate => {
                let value: f32 = digits.parse().map_err(|_| not_a_number)?;
                f64::from(Rating::new(f64::from(value))?.get())
            }
            EventKind::Watch => {
                let value = f64::from(parse_percentage(digits).ok_or(not_a_number)?);
                f64::from(Fraction::new(value)?.get())
            }
            EventKind::Impression => digits
                .parse::<u64>()
                .ok()
                .and_then(|from_one| u32::try_from(from_one.checked_sub(1)?).ok())
                .map(f64::from)
                .ok_or(not_a_number)?,
            _ => digits.parse::<u32>().map(f64::from).map_err(|_| not_a_number)?,
        };
        self.expect(&affix.after, "the end of the number")?;
        Ok(amount)
    }

    /// A bare id or a quoted text.
    fn name(&mut self, words: &PlainWords) -> Result<String, TextError> {
        let (open, close) = words.quotes;
        if !self.rest().starts_with(open) {
            let bare = self.take_until(|character| !is_bare(character));
            return if bare.is_empty() { Err(self.error("an id")) } else { Ok(bare.to_owned()) };
        }
        self.next();
        let mut name = String::new();
        loop {
            match self.next().ok_or_else(|| self.error("a closing quote"))? {
                '\\' => name.push(self.escaped(open, close)?),
                end if end == close => return Ok(name),
                character => name.push(character),
            }
        }
    }

    /// What stands after a `\`.
    fn escaped(&mut self, open: char, close: char) -> Result<char, TextError> {
        let not_an_escape = self.error("a quote, `\\` or `u{…}` after `\\`");
        if self.take("u{") {
            let digits = self.take_until(|character| !character.is_ascii_hexdigit());
            let character = u32::from_str_radix(digits, 16).ok().and_then(char::from_u32);
            let closed = self.take("}");
            character.filter(|_| closed).ok_or(not_an_escape)
        } else {
            self.next()
                .filter(|&character| character == '\\' || character == open || character == close)
                .ok_or(not_an_escape)
        }
    }
}

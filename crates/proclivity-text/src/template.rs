//! Texts after a template of one's own, in the language of Jinja.

use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use proclivity_schema::{Action, Catalog, Event, EventKind, FollowTarget, ItemIndex, UserId};
use serde::Serialize;

use crate::amount::amount;
use crate::clause::{Said, Speaker};
use crate::flatten::flatten_into;
use crate::prompt::guarded;
use crate::{Locale, Order, RichOptions, SpecialTokens, TextError, history_text};

/// How many steps a template may take, unless it is given more.
const FUEL: u64 = 1_000_000;
const NAME: &str = "template";

/// Stand-ins for whatever a template may put around a value.
const QUOTES: [(char, char); 8] = [
    ('"', '’'),
    ('\'', '’'),
    ('`', '’'),
    ('“', '‘'),
    ('”', '’'),
    ('「', '『'),
    ('」', '』'),
    ('„', '‚'),
];

/// A template in the language of Jinja, such as `{% for event in events %}{{ event.title }}{% endfor %}`.
///
/// It reads no files, includes no others, and takes a bounded number of steps; a name that isn't
/// in the table is an error. Absent values are `none`.
///
/// | name | value |
/// |---|---|
/// | `user` | the user's id |
/// | `language` | the locale's |
/// | `history` | the text of [`history_text`](crate::history_text) |
/// | `events` | the newest events, in the options' order |
/// | `event.kind` | `view`, `add_to_cart`, … |
/// | `event.text` | the event's clause |
/// | `event.item`, `.title`, `.category` | its item's id, title and narrowest category |
/// | `event.query`, `.name`, `.target`, `.comment` | what was searched, who is followed (`topic`, `user`, `group`), what was said |
/// | `event.amount` | quantity, rating, watched fraction, or position from 0 |
/// | `event.rating` | the rating in words, given a scale |
/// | `event.time`, `.ago` | RFC 3339, and how long ago, given `now` |
/// | `items` | the items given |
/// | `item.id`, `.title`, `.category`, `.description`, `.brand`, `.price`, `.currency` | |
///
/// Values come in as plain text: on one line, without invisible characters, with every spelling of
/// a special token or of a [`PromptPart`](crate::PromptPart)'s tag broken, and with `’`, `‘`, `『`
/// and `』` in place of the quotes that a template may put around them: `"`, `'`, `` ` ``, `“”`,
/// `„` and `「」`. Only `history` and `event.text` hold quotes, those of the locale.
/// Each value is made harmless by itself: keep words of your own between two of them, since two halves
/// of a token's spelling could meet.
#[derive(Debug, Clone)]
pub struct Template {
    environment: Environment<'static>,
}

/// What a template can say.
#[derive(Debug, Clone, Copy)]
pub struct TemplateData<'a> {
    /// Who.
    pub user: &'a UserId,
    /// What they did, in the order of time.
    pub events: &'a [Event],
    /// Items to speak of, such as a ranking.
    pub items: &'a [ItemIndex],
    /// What events and items are of.
    pub catalog: &'a Catalog,
    /// The words of clauses and times, and the language of titles.
    pub locale: &'a Locale,
    /// Which events, in which order and manner.
    pub options: &'a RichOptions,
    /// What no value may spell.
    pub special: &'a SpecialTokens,
}

impl Template {
    /// A template of this source.
    ///
    /// # Errors
    /// [`TextError::Template`] with the line where it isn't one.
    pub fn new(source: impl Into<String>) -> Result<Self, TextError> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_auto_escape_callback(|_| AutoEscape::None);
        environment.set_fuel(Some(FUEL));
        environment.add_template_owned(NAME, source.into()).map_err(wrong)?;
        Ok(Self { environment })
    }

    /// The same template with another number of steps that it may take; a loop's round takes a
    /// few. The default is a million.
    pub fn with_fuel(mut self, fuel: u64) -> Self {
        self.environment.set_fuel(Some(fuel));
        self
    }

    /// The text.
    ///
    /// # Errors
    /// [`TextError::Template`] with the line where a name is unknown, an operation impossible, or
    /// the fuel used up.
    ///
    /// # Panics
    /// When an event or item is of another, larger catalog.
    pub fn render(&self, data: &TemplateData<'_>) -> Result<String, TextError> {
        let values = minijinja::Value::from(minijinja::value::Serde(Values::new(data)));
        let template = self.environment.get_template(NAME).map_err(wrong)?;
        template.render(values).map_err(wrong)
    }
}

fn wrong(error: minijinja::Error) -> TextError {
    let line = error.line();
    let problem = match error.detail() {
        Some(detail) => format!("{}: {detail}", error.kind()),
        None => error.kind().to_string(),
    };
    TextError::Template { line, problem: problem.into() }
}

#[derive(Serialize)]
struct Values {
    user: String,
    language: String,
    history: String,
    events: Vec<EventValues>,
    items: Vec<ItemValues>,
}

#[derive(Serialize)]
struct EventValues {
    kind: &'static str,
    text: String,
    item: Option<String>,
    title: Option<String>,
    category: Option<String>,
    query: Option<String>,
    name: Option<String>,
    target: Option<&'static str>,
    comment: Option<String>,
    amount: Option<Number>,
    rating: Option<String>,
    time: Option<String>,
    ago: Option<String>,
}

/// A number that templates write without a point where it is whole.
#[derive(Serialize)]
#[serde(untagged)]
enum Number {
    Whole(i64),
    Real(f64),
}

impl Number {
    fn new(number: f64) -> Self {
        // Up to here `f64` holds every whole number.
        const EXACT: f64 = (1_u64 << f64::MANTISSA_DIGITS) as f64;
        if number.fract() == 0.0 && number.abs() <= EXACT {
            Self::Whole(number as i64)
        } else {
            Self::Real(number)
        }
    }
}

#[derive(Serialize)]
struct ItemValues {
    id: String,
    title: String,
    category: Option<String>,
    description: String,
    brand: Option<String>,
    price: Option<f64>,
    currency: Option<String>,
}

impl Values {
    fn new(data: &TemplateData<'_>) -> Self {
        let TemplateData { user, events, items, catalog, locale, options, .. } = *data;
        let safe = Safe(guarded(data.special));
        let speaker = Speaker { catalog, locale, options };
        let newest = &events[events.len().saturating_sub(options.max_events)..];
        let mut values: Vec<EventValues> =
            newest.iter().map(|event| safe.event(event, speaker)).collect();
        if options.order == Order::NewestFirst {
            values.reverse();
        }
        let history = history_text(events, catalog, locale, options);
        Self {
            user: safe.text(user.as_str()),
            language: locale.language().to_string(),
            history: safe.0.neutralize(&history).into_owned(),
            events: values,
            items: items.iter().map(|&item| safe.item(item, speaker)).collect(),
        }
    }
}

/// Makes values of what strangers wrote.
struct Safe(SpecialTokens);

impl Safe {
    fn text(&self, text: &str) -> String {
        let mut flat = String::with_capacity(text.len());
        flatten_into(&mut flat, text, &QUOTES);
        self.0.neutralize(&flat).into_owned()
    }

    fn event(&self, event: &Event, speaker: Speaker<'_>) -> EventValues {
        let Speaker { locale, options, .. } = speaker;
        let action = &event.action;
        let kind = action.kind();
        let item = action.item().map(|item| self.item(item, speaker));
        let text_of = |this| action.text().filter(|_| kind == this).map(|text| self.text(text));
        let mut clause = String::new();
        speaker.clause_into(&mut clause, &Said::once(event));
        let rating = match (action, options.rating_scale) {
            (Action::Rate { rating, .. }, Some(scale)) => {
                let words = &locale.rich.rating.words;
                Some(words[scale.nearest(*rating, words.len())].clone())
            }
            _ => None,
        };
        let ago = event.time.zip(options.now).and_then(|(time, now)| {
            let mut ago = String::new();
            locale.rich.times.ago_into(&mut ago, time, now).then_some(ago)
        });
        let (id, title, category) = match item {
            Some(item) => (Some(item.id), Some(item.title), item.category),
            None => (None, None, None),
        };
        EventValues {
            kind: kind.as_str(),
            text: self.0.neutralize(&clause).into_owned(),
            item: id,
            title,
            category,
            query: text_of(EventKind::Search),
            name: text_of(EventKind::Follow),
            target: match *action {
                Action::Follow { target, .. } => Some(FollowTarget::as_str(target)),
                _ => None,
            },
            comment: text_of(EventKind::Comment),
            amount: amount(action).map(Number::new),
            rating,
            time: event.time.map(|time| time.to_string()),
            ago,
        }
    }

    fn item(&self, item: ItemIndex, Speaker { catalog, locale, .. }: Speaker<'_>) -> ItemValues {
        let item = catalog.item(item);
        let text = item.text(locale.language());
        ItemValues {
            id: self.text(item.id().as_str()),
            title: self.text(&text.title),
            category: text.leaf_category().map(|leaf| self.text(leaf)),
            description: self.text(&text.description),
            brand: item.brand().map(|brand| self.text(brand)),
            price: item.price().map(|price| price.amount()),
            currency: item.price().map(|price| price.currency().to_owned()),
        }
    }
}

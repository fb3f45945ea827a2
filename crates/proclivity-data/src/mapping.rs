//! A declarative mapping from the columns of one's own log to events, and of one's own table to
//! items.

use std::collections::BTreeMap;

use proclivity_schema::{EventKind, Language};
use serde::{Deserialize, Serialize};

/// Which column says what about an event. All names are those of columns.
///
/// Serde reads it from JSON, TOML or whatever else; only `user` and `kind` have to be given.
///
/// | field | what the column holds | where it is empty or not given |
/// |---|---|---|
/// | `user` | the user's id | the row is quarantined |
/// | `item` | the item's id | quarantined for kinds that have an item |
/// | `kind` | see [`KindSource`] | quarantined |
/// | `time` | see [`TimeSource`] | quarantined if given, else the order of rows is all there is |
/// | `value` | whatever belongs to the kind: query, rating, quantity, …, and nothing else | as below |
/// | `text` | a query, the name of what is followed, a comment | quarantined for search and follow |
/// | `follow_target` | `topic`, `user` or `group` | a topic |
/// | `quantity` | of a purchase or return, a whole number | 1 |
/// | `rating` | of a rating, a finite number | quarantined |
/// | `position` | of an impression, a whole number from 0 | quarantined |
/// | `fraction` | of a watch, a number from 0 | quarantined |
/// | `price` | see [`PriceSource`] | no value |
/// | `session`, `domain`, `context` | kept as [`EventDetails`](proclivity_schema::EventDetails) | left out |
/// | `title` | the item's title, where there is no table of items | untitled |
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the table documents each")]
pub struct EventMapping {
    pub user: String,
    pub kind: KindSource,
    #[serde(default)]
    pub item: Option<String>,
    #[serde(default)]
    pub time: Option<TimeSource>,
    #[serde(default)]
    pub value: Option<String>,
    #[serde(default)]
    pub text: Option<String>,
    #[serde(default)]
    pub follow_target: Option<String>,
    #[serde(default)]
    pub quantity: Option<String>,
    #[serde(default)]
    pub rating: Option<String>,
    #[serde(default)]
    pub position: Option<String>,
    #[serde(default)]
    pub fraction: Option<String>,
    #[serde(default)]
    pub price: Option<PriceSource>,
    #[serde(default)]
    pub session: Option<String>,
    #[serde(default)]
    pub domain: Option<String>,
    #[serde(default)]
    pub context: Vec<String>,
    #[serde(default)]
    pub title: Option<String>,
    /// The language of `title`; default not known.
    #[serde(default = "undetermined")]
    pub language: Language,
    /// Whether ids that a spreadsheet made decimal (`14850.0`) are whole numbers (`14850`).
    #[serde(default)]
    pub whole_number_ids: bool,
    /// Whether a purchase of a negative quantity is a return of the positive one.
    #[serde(default)]
    pub negative_quantity_is_return: bool,
}

impl EventMapping {
    /// Users and kinds alone, to be filled in by struct update.
    pub fn new(user: &str, kind: KindSource) -> Self {
        Self {
            user: user.to_owned(),
            kind,
            item: None,
            time: None,
            value: None,
            text: None,
            follow_target: None,
            quantity: None,
            rating: None,
            position: None,
            fraction: None,
            price: None,
            session: None,
            domain: None,
            context: Vec::new(),
            title: None,
            language: Language::UNDETERMINED,
            whole_number_ids: false,
            negative_quantity_is_return: false,
        }
    }

    /// What this project itself writes: `user_id,item_id,event,timestamp,value`.
    pub fn canonical() -> Self {
        Self {
            item: Some("item_id".to_owned()),
            time: Some(TimeSource::new("timestamp")),
            value: Some("value".to_owned()),
            ..Self::new("user_id", KindSource::column("event"))
        }
    }
}

/// What kind of event a row is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum KindSource {
    /// The same for all rows.
    Constant(EventKind),
    /// What a column says.
    Column {
        /// The column.
        name: String,
        /// What the log's own names mean; names that stand here are read as they are, and all
        /// others as [`EventKind`]'s.
        #[serde(default)]
        names: BTreeMap<String, EventKind>,
    },
}

impl KindSource {
    /// A column that has [`EventKind`]'s names.
    pub fn column(name: &str) -> Self {
        Self::Column { name: name.to_owned(), names: BTreeMap::new() }
    }
}

/// When an event was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimeSource {
    /// The column.
    pub column: String,
    /// How it is written; default [`TimeFormat::Auto`].
    #[serde(default)]
    pub format: TimeFormat,
    /// The time zone of times that don't say one, as an IANA name (`Asia/Shanghai`); default UTC.
    /// An hour that a change of clocks repeats is the first of both, one that it leaves out is put
    /// forward.
    #[serde(default)]
    pub zone: Option<String>,
}

impl TimeSource {
    /// A column with whatever [`TimeFormat::Auto`] reads.
    pub fn new(column: &str) -> Self {
        Self { column: column.to_owned(), format: TimeFormat::Auto, zone: None }
    }

    /// A column in a certain format.
    pub fn with_format(column: &str, format: TimeFormat) -> Self {
        Self { format, ..Self::new(column) }
    }
}

/// How times are written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimeFormat {
    /// Seconds since 1970, RFC 3339, or `2021-01-01 10:00:00`.
    #[default]
    Auto,
    /// Seconds since 1970; decimals and exponents too.
    Seconds,
    /// Milliseconds since 1970.
    Milliseconds,
    /// Microseconds since 1970.
    Microseconds,
    /// A pattern of [`strftime`](jiff::fmt::strtime) such as `%m/%d/%Y %I:%M:%S %p`; a date alone
    /// is its midnight.
    Pattern(String),
}

/// What one unit cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriceSource {
    /// The column with the amount.
    pub column: String,
    /// The ISO 4217 code of all amounts.
    pub currency: String,
}

fn undetermined() -> Language {
    Language::UNDETERMINED
}

/// Which column says what about an item. All names are those of columns; only `id` and `title` have
/// to be given.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ItemMapping {
    /// The item's id.
    pub id: String,
    /// Its title; an item without one is [`UNTITLED`](crate::UNTITLED) and counted.
    pub title: String,
    /// A column with a year, which follows the title in parentheses where it has four digits.
    #[serde(default)]
    pub year: Option<String>,
    /// The language of all texts; default not known.
    #[serde(default = "undetermined")]
    pub language: Language,
    /// Descriptions, one after the other.
    #[serde(default)]
    pub description: Vec<String>,
    /// Columns of categories, and how each is written.
    #[serde(default)]
    pub categories: Vec<CategorySource>,
    /// The brand.
    #[serde(default)]
    pub brand: Option<String>,
    /// The price; where it is no amount, the row is a bad one.
    #[serde(default)]
    pub price: Option<PriceSource>,
    /// When the item came out.
    #[serde(default)]
    pub published: Option<TimeSource>,
    /// Columns that are kept as attributes under their own names.
    #[serde(default)]
    pub attributes: Vec<String>,
    /// Whether ids that a spreadsheet made decimal are whole numbers.
    #[serde(default)]
    pub whole_number_ids: bool,
    /// Whether an article at a title's end comes to its front, as in `Matrix, The (1999)`.
    #[serde(default)]
    pub article_first: bool,
}

impl ItemMapping {
    /// Ids and titles alone, to be filled in by struct update.
    pub fn new(id: &str, title: &str, language: Language) -> Self {
        Self {
            id: id.to_owned(),
            title: title.to_owned(),
            year: None,
            language,
            description: Vec::new(),
            categories: Vec::new(),
            brand: None,
            price: None,
            published: None,
            attributes: Vec::new(),
            whole_number_ids: false,
            article_first: false,
        }
    }
}

/// How a column of categories is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum CategorySource {
    /// Tags or genres, each a category of its own.
    Tags {
        /// The column.
        column: String,
        /// What stands between two tags; lists of JSON and Parquet need none.
        #[serde(default)]
        separator: Option<String>,
    },
    /// A category of the column's own name, for items where it holds `1`, `true` or `yes`.
    Flag {
        /// The column.
        column: String,
    },
    /// One path from the root to a leaf.
    Path {
        /// The column or columns.
        columns: Vec<String>,
        /// What stands between two parts; lists of JSON and Parquet need none.
        #[serde(default)]
        separator: Option<String>,
    },
}

impl CategorySource {
    /// Tags between a text such as `|`.
    pub fn tags(column: &str, separator: &str) -> Self {
        Self::Tags { column: column.to_owned(), separator: Some(separator.to_owned()) }
    }
}

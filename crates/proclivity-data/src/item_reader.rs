//! A catalog from the rows of any table of items, by a mapping.

use std::borrow::Cow;

use proclivity_schema::{Catalog, Interner, Item, ItemId, ItemText, Price, SchemaError};

use crate::account::Account;
use crate::event_row::whole_number_id;
use crate::film_title::spoken_title;
use crate::rows::{Fault, ReadRows, Rows, with_rows};
use crate::time::TimeParser;
use crate::{
    CategorySource, DataError, ErrorPolicy, Format, Input, ItemMapping, ReadReport, Reason,
};

/// The title of an item that has none. It is the same for all such items: it says nothing about
/// them, and doesn't pretend to.
pub const UNTITLED: &str = "(untitled)";

/// Reads tables of items: a row is accepted or quarantined with its place and reason. An item that
/// comes a second time is a bad row.
///
/// ```
/// use proclivity_data::{CategorySource, Format, Input, ItemMapping, ItemReader};
/// use proclivity_schema::Language;
///
/// let mapping = ItemMapping {
///     categories: vec![CategorySource::tags("genres", "|")],
///     ..ItemMapping::new("id", "name", Language::ENGLISH)
/// };
/// let table = "id,name,genres\n7,Night trains,Documentary|Travel\n";
/// let (catalog, report) = ItemReader::new(mapping, Format::csv())
///     .read([Input::reader("films.csv", table.as_bytes())])?;
/// assert_eq!(catalog.items()[0].texts()[0].category_parts(), ["Documentary", "Travel"]);
/// assert_eq!(report.accepted(), 1);
/// # Ok::<(), proclivity_data::DataError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct ItemReader {
    mapping: ItemMapping,
    format: Format,
    policy: ErrorPolicy,
}

impl ItemReader {
    /// A reader that stops at the first bad row.
    pub fn new(mapping: ItemMapping, format: Format) -> Self {
        Self { mapping, format, policy: ErrorPolicy::Fail }
    }

    /// The same reader with another policy for bad rows.
    pub fn with_policy(self, policy: ErrorPolicy) -> Self {
        Self { policy, ..self }
    }

    /// Reads all items, in their order.
    ///
    /// # Errors
    /// Those of [`EventReader::read_with`](crate::EventReader::read_with).
    pub fn read<'i>(
        &self,
        inputs: impl IntoIterator<Item = Input<'i>>,
    ) -> Result<(Catalog, ReadReport), DataError> {
        let mut table = Table {
            account: Account::new(self.policy)?,
            ids: Interner::default(),
            items: Vec::new(),
            untitled: 0,
        };
        for input in inputs {
            with_rows(
                input,
                &self.format,
                ReadItems { mapping: &self.mapping, table: &mut table },
            )?;
        }
        let report = table.account.finish(0, table.untitled)?;
        Ok((Catalog::new(table.items)?, report))
    }
}

struct Table {
    account: Account,
    ids: Interner<ItemId>,
    items: Vec<Item>,
    untitled: usize,
}

struct ReadItems<'r> {
    mapping: &'r ItemMapping,
    table: &'r mut Table,
}

impl ReadRows for ReadItems<'_> {
    type Output = ();

    fn read(self, rows: &mut impl Rows) -> Result<(), DataError> {
        let columns = ItemColumns::new(self.mapping, rows)?;
        let table = self.table;
        table.account.begin(rows.file());
        while rows.advance()? {
            let item =
                rows.check().and_then(|()| columns.item(self.mapping, rows)).and_then(|item| {
                    let known = table.ids.position(item.id().as_str()).is_some();
                    if known { Err((Some(columns.id), Reason::RepeatedItem)) } else { Ok(item) }
                });
            match item {
                Ok(item) => {
                    table.ids.intern(item.id().clone())?;
                    table.untitled += usize::from(item.texts()[0].title == UNTITLED);
                    table.items.push(item);
                    table.account.accept(1);
                }
                Err(fault) => table.account.refuse(rows.quarantined(fault))?,
            }
        }
        Ok(())
    }
}

/// A mapping whose columns were found in a file.
struct ItemColumns {
    id: usize,
    title: usize,
    year: Option<usize>,
    description: Vec<usize>,
    categories: Vec<Categories>,
    brand: Option<usize>,
    price: Option<(usize, String)>,
    published: Option<(usize, TimeParser)>,
    attributes: Vec<usize>,
}

struct Categories {
    columns: Vec<usize>,
    separator: Option<String>,
    shape: Shape,
}

enum Shape {
    Tags,
    Path,
    Flag(String),
}

impl ItemColumns {
    fn new(mapping: &ItemMapping, rows: &mut impl Rows) -> Result<Self, DataError> {
        let mut find_all = |names: &[String]| {
            names.iter().map(|name| rows.column(name)).collect::<Result<Vec<_>, _>>()
        };
        let categories = mapping.categories.iter().map(|source| match source {
            CategorySource::Tags { column, separator } => Ok(Categories {
                columns: find_all(std::slice::from_ref(column))?,
                separator: separator.clone(),
                shape: Shape::Tags,
            }),
            CategorySource::Flag { column } => Ok(Categories {
                columns: find_all(std::slice::from_ref(column))?,
                separator: None,
                shape: Shape::Flag(column.clone()),
            }),
            CategorySource::Path { columns, separator } => Ok(Categories {
                columns: find_all(columns)?,
                separator: separator.clone(),
                shape: Shape::Path,
            }),
        });
        Ok(Self {
            categories: categories.collect::<Result<_, DataError>>()?,
            description: find_all(&mapping.description)?,
            attributes: find_all(&mapping.attributes)?,
            id: rows.column(&mapping.id)?,
            title: rows.column(&mapping.title)?,
            year: mapping.year.as_ref().map(|name| rows.column(name)).transpose()?,
            brand: mapping.brand.as_ref().map(|name| rows.column(name)).transpose()?,
            price: match &mapping.price {
                Some(price) => {
                    Price::new(0.0, &price.currency)?;
                    Some((rows.column(&price.column)?, price.currency.clone()))
                }
                None => None,
            },
            published: match &mapping.published {
                Some(time) => Some((rows.column(&time.column)?, TimeParser::new(time)?)),
                None => None,
            },
        })
    }

    fn item(&self, mapping: &ItemMapping, row: &impl Rows) -> Result<Item, Fault> {
        let id = row.field(self.id)?;
        let id = if mapping.whole_number_ids { whole_number_id(&id) } else { &id };
        let reason = if id.is_empty() { Reason::EmptyItem } else { Reason::InvalidItem };
        let id = ItemId::new(id).map_err(|_| (Some(self.id), reason))?;
        let title = self.title(mapping, row)?;
        let description =
            self.description.iter().map(|&place| row.text(place)).collect::<Result<Vec<_>, _>>()?;
        let mut text = ItemText::title(mapping.language.clone(), title);
        text.description = joined(&description);
        for source in &self.categories {
            text.categories.extend(source.read(row)?);
        }
        let invalid = |_: SchemaError| (Some(self.id), Reason::InvalidItem);
        let mut item = Item::new(id, vec![text]).map_err(invalid)?;
        if let Some(place) = self.brand {
            let brand = row.field(place)?;
            if !brand.is_empty() {
                item = item.with_brand(brand);
            }
        }
        if let Some((place, currency)) = &self.price {
            let amount = row.field(*place)?;
            if !amount.is_empty() {
                let price = amount.parse().ok().and_then(|n| Price::new(n, currency).ok());
                item = item.with_price(price.ok_or((Some(*place), Reason::InvalidPrice))?);
            }
        }
        if let Some((place, parser)) = &self.published {
            let time = row.field(*place)?;
            if !time.is_empty() {
                let time = parser.parse(&time).map_err(|reason| (Some(*place), reason))?;
                item = item.with_published(time);
            }
        }
        for (&place, name) in self.attributes.iter().zip(&mapping.attributes) {
            let value = row.field(place)?;
            if !value.is_empty() {
                item = item.with_attribute(name, value);
            }
        }
        Ok(item)
    }
}

impl ItemColumns {
    fn title(&self, mapping: &ItemMapping, row: &impl Rows) -> Result<String, Fault> {
        let mut title = match row.field(self.title)? {
            title if title.is_empty() => return Ok(UNTITLED.to_owned()),
            title if mapping.article_first => spoken_title(&title),
            title => title.into_owned(),
        };
        if let Some(place) = self.year {
            let year = row.field(place)?;
            if year.len() == 4 && year.bytes().all(|byte| byte.is_ascii_digit()) {
                title.push_str(&format!(" ({year})"));
            }
        }
        Ok(title)
    }
}

impl Categories {
    fn read(&self, row: &impl Rows) -> Result<Vec<Vec<String>>, Fault> {
        let mut parts = Vec::new();
        for &column in &self.columns {
            if let Some(elements) = row.elements(column) {
                parts.extend(elements);
                continue;
            }
            let field = row.field(column)?;
            let split: Vec<&str> = match &self.separator {
                Some(separator) if !separator.is_empty() => field.split(separator).collect(),
                _ => vec![&field],
            };
            let parts_of_field = split.into_iter().map(str::trim).filter(|part| !part.is_empty());
            parts.extend(parts_of_field.map(str::to_owned));
        }
        let is_set = |part: &String| matches!(part.as_str(), "1" | "true" | "yes");
        Ok(match &self.shape {
            Shape::Path if parts.is_empty() => Vec::new(),
            Shape::Path => vec![parts],
            Shape::Tags => parts.into_iter().map(|tag| vec![tag]).collect(),
            Shape::Flag(name) if parts.iter().any(is_set) => vec![vec![name.clone()]],
            Shape::Flag(_) => Vec::new(),
        })
    }
}

fn joined(texts: &[Cow<'_, str>]) -> String {
    let texts: Vec<&str> =
        texts.iter().map(|text| &**text).filter(|text| !text.is_empty()).collect();
    texts.join(" ")
}

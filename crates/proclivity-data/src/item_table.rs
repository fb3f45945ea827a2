//! Items files: a catalog from one row for each item.

use std::io::Read;

use proclivity_schema::{Catalog, Item, ItemId, ItemText, Language, SchemaError};

use crate::event_csv::ITEM;
use crate::table::{Fault, Table};
use crate::{DataError, Reason};

/// The title of an item that has none. It is the same for all such items: it says nothing about
/// them, and doesn't pretend to.
pub const UNTITLED: &str = "(untitled)";

/// What a row says about its item.
pub(crate) struct Description<'a> {
    /// Its id.
    pub(crate) id: &'a str,
    /// Its title; may be empty.
    pub(crate) title: String,
    /// Its categories.
    pub(crate) categories: Vec<Vec<String>>,
}

/// The catalog of all rows that are left, which all have to be good, and how many have no title.
pub(crate) fn read_items<R: Read>(
    table: &mut Table<R>,
    language: &Language,
    describe: impl Fn(&Table<R>) -> Result<Description<'_>, Fault>,
) -> Result<(Catalog, usize), DataError> {
    let mut items = Vec::new();
    let mut lines = Vec::new();
    let mut untitled = 0;
    while table.advance()? {
        let item = table
            .check_field_count()
            .and_then(|()| describe(table))
            .and_then(|description| {
                untitled += usize::from(description.title.is_empty());
                described_item(description, language.clone())
            })
            .map_err(|fault| table.fault(fault))?;
        items.push(item);
        lines.push(table.line());
    }
    let catalog = Catalog::new(items).map_err(|source| DataError::Schema {
        file: table.file().to_owned(),
        line: match &source {
            SchemaError::DuplicateItem { second, .. } => lines.get(*second).copied(),
            _ => lines.last().copied(),
        }
        .unwrap_or(1),
        source,
    })?;
    Ok((catalog, untitled))
}

fn described_item(description: Description<'_>, language: Language) -> Result<Item, Fault> {
    let invalid = match description.id {
        "" => (Some(ITEM), Reason::EmptyItem),
        _ => (Some(ITEM), Reason::InvalidItem),
    };
    let title = match description.title.as_str() {
        "" => UNTITLED.to_owned(),
        _ => description.title,
    };
    let text = ItemText { categories: description.categories, ..ItemText::title(language, title) };
    ItemId::new(description.id).and_then(|id| Item::new(id, vec![text])).map_err(|_| invalid)
}

/// The parts of a field that are not empty, each a category of its own.
pub(crate) fn tags(field: &str, separator: char) -> Vec<Vec<String>> {
    let tags = field.split(separator).map(str::trim).filter(|tag| !tag.is_empty());
    tags.map(|tag| vec![tag.to_owned()]).collect()
}

//! Texts in one Unicode form, on one line.

use proclivity_schema::{Action, Catalog, Event, Item};
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfkc_quick};

use crate::DataError;

/// The catalog with normalised texts; `changed` grows by the items that have others now.
pub(super) fn normalize_catalog(
    catalog: Catalog,
    changed: &mut usize,
) -> Result<Catalog, DataError> {
    let catalog = catalog.map(|_, item| {
        let mut texts = item.texts().to_vec();
        for text in &mut texts {
            // A title of nothing but `&nbsp;` stays: an item can't be without.
            let title = normalized(&text.title);
            if !title.is_empty() {
                text.title = title;
            }
            text.description = normalized(&text.description);
            for path in &mut text.categories {
                *path = path.iter().map(|part| normalized(part)).collect();
                path.retain(|part| !part.is_empty());
            }
            text.categories.retain(|path| !path.is_empty());
        }
        if texts == item.texts() {
            return Ok(item);
        }
        *changed += 1;
        Item::with_texts(item, texts)
    })?;
    Ok(catalog)
}

/// The event with a normalised query, name or comment.
pub(super) fn normalize_event(mut event: Event, changed: &mut usize) -> Event {
    if let Action::Search { query: text }
    | Action::Follow { name: text, .. }
    | Action::Comment { text, .. } = &mut event.action
    {
        let clean = normalized(text);
        // A query of nothing but invisible characters stays: it can't be empty.
        if clean != **text && !clean.is_empty() {
            *text = clean.into();
            *changed += 1;
        }
    }
    event
}

fn normalized(text: &str) -> String {
    let resolved = html_escape::decode_html_entities(text);
    let one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    match is_nfkc_quick(resolved.chars()) {
        IsNormalized::Yes => one_line(&resolved),
        _ => one_line(&resolved.nfkc().collect::<String>()),
    }
}

//! Bare sequences: each user's items in order, without times, and a table of items beside them.

use std::collections::HashSet;
use std::path::Path;

use proclivity_schema::{Action, Event, ItemIndex, Language};

use super::recbole::header;
use crate::event_reader::{Items, Sink};
use crate::rows::{Fault, Lines};
use crate::{
    CategorySource, DataError, Dataset, ErrorPolicy, Format, Input, ItemMapping, ItemReader,
    QuarantinedRow, Reason,
};

/// Reads sequences in either of the two shapes that sequential recommenders exchange, and their
/// items.
///
/// `events` has a user and then one or more of their items a line, between white space, in order:
/// all of a user's items on one line (S3-Rec), or one item a line and as many lines as there are
/// events (SASRec). A line of two words means the same in both shapes, so nothing has to be
/// guessed; a file that mixes them (a line of several items, and a user who comes twice) is refused,
/// since it is most likely a table with more columns than these two. Every item becomes a view
/// without a time. Repeats are events: the order is all there is to tell them apart.
///
/// `items` is separated by tabs and has a header with `item_id`, `title` and perhaps `genres`
/// (between `|`), which become the category; other columns are left alone. Its order is that of the
/// catalog. Where a title is missing the item is called [`UNTITLED`](crate::UNTITLED), and
/// [`Dataset::untitled`] counts it. The texts' language is not
/// known.
///
/// # Errors
/// - those of [`EventReader::read_with`](crate::EventReader::read_with) under this policy, which
///   is for lines: a bad one is set aside as a whole;
/// - [`DataError::MixedSequences`] for a file in neither shape.
pub fn sequences(events: &Path, items: &Path, policy: ErrorPolicy) -> Result<Dataset, DataError> {
    read(events, ItemMapping::new("item_id", "title", Language::UNDETERMINED), items, policy)
}

/// [`sequences`] with what is known of the items.
pub(super) fn read(
    events: &Path,
    mut mapping: ItemMapping,
    items: &Path,
    policy: ErrorPolicy,
) -> Result<Dataset, DataError> {
    if header(items)?.iter().any(|column| column == "genres") {
        mapping.categories.push(CategorySource::tags("genres", "|"));
    }
    let (catalog, item_report) =
        ItemReader::new(mapping, Format::tsv()).with_policy(policy).read([Input::path(items)])?;
    let name = events.display().to_string();
    let mut sink = Sink::new(policy, Items::Known(&catalog))?;
    let mut lines = Lines::new(Input::path(events).open()?, name.as_str().into());
    sink.account.begin(lines.file());
    let mut shape = Shape::default();
    let mut line_items = Vec::new();
    while lines.advance_to_row()? {
        let number = lines.place().line;
        let user = match parse(lines.bytes(), &mut sink, &mut line_items) {
            Ok(user) => user,
            Err((_, reason)) => {
                sink.account.refuse(quarantined(&lines, reason))?;
                continue;
            }
        };
        shape.observe(user, line_items.len(), number);
        if let (Some(long_line), Some(repeated_line)) = (shape.long_line, shape.repeated_line) {
            return Err(DataError::MixedSequences { file: name, long_line, repeated_line });
        }
        let user = sink
            .user(user, None)
            .map_err(|(_, reason)| DataError::Row { row: Box::new(quarantined(&lines, reason)) })?;
        sink.account.accept(line_items.len());
        for &item in &line_items {
            sink.push(Event::new(user, None, Action::View { item }));
        }
    }
    let (log, report, _) = sink.finish(false)?;
    Ok(Dataset { catalog, log, report, item_report: Some(item_report) })
}

/// The user of a line; their items go to `items`.
fn parse<'l>(
    line: &'l [u8],
    sink: &mut Sink<'_>,
    items: &mut Vec<ItemIndex>,
) -> Result<&'l str, Fault> {
    items.clear();
    let line = std::str::from_utf8(line).map_err(|_| (None, Reason::InvalidEncoding))?;
    let mut words = line.split_whitespace();
    let user = words.next().unwrap_or_default();
    if user.chars().any(char::is_control) {
        return Err((None, Reason::InvalidUser));
    }
    for id in words {
        items.push(sink.item(id, None, None)?);
    }
    if items.is_empty() { Err((None, Reason::EmptyItem)) } else { Ok(user) }
}

fn quarantined<R: std::io::BufRead>(lines: &Lines<R>, reason: Reason) -> QuarantinedRow {
    let place = lines.place();
    QuarantinedRow {
        file: lines.file().clone(),
        line: place.line,
        byte: place.byte,
        column: None,
        reason,
        raw: String::from_utf8_lossy(lines.bytes()).into_owned(),
    }
}

/// Which of the two shapes the lines so far have.
#[derive(Default)]
struct Shape {
    users: HashSet<Box<str>>,
    long_line: Option<u64>,
    repeated_line: Option<u64>,
}

impl Shape {
    fn observe(&mut self, user: &str, items: usize, line: u64) {
        if items > 1 {
            self.long_line.get_or_insert(line);
        }
        if self.users.contains(user) {
            self.repeated_line.get_or_insert(line);
        } else {
            self.users.insert(user.into());
        }
    }
}

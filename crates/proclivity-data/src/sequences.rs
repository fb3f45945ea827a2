//! Bare sequences: each user's items in order, without times, and a table of items beside them.

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use proclivity_schema::{Action, Catalog, Language, UserId};

use crate::account::Account;
use crate::event_csv::{self, ITEM};
use crate::item_table::{Description, read_items, tags};
use crate::table::{Fault, Separator, Table, without_line_end};
use crate::{DataError, Dataset, ErrorPolicy, QuarantinedRow, Reason};

const TITLE: &str = "title";
const GENRES: &str = "genres";

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
/// [`ReadReport::untitled`](crate::ReadReport::untitled) counts it. The texts' language is not
/// known.
///
/// # Errors
/// - [`DataError::Io`] and [`DataError::Csv`] where a file can't be read;
/// - [`DataError::MissingColumn`] and [`DataError::DuplicateColumn`] for a bad header;
/// - [`DataError::Row`] for the first bad line, such as one with an item that `items` lacks;
/// - [`DataError::Schema`] for an item that comes twice in `items`;
/// - [`DataError::MixedSequences`] for a file in neither shape;
/// - [`DataError::EmptyLog`] when there is no event.
pub fn sequences(events: &Path, items: &Path) -> Result<Dataset, DataError> {
    read(events, items, &Language::UNDETERMINED, str::to_owned)
}

/// [`sequences`] with titles in a known language, put as its speakers would.
pub(crate) fn read(
    events: &Path,
    items: &Path,
    language: &Language,
    title: fn(&str) -> String,
) -> Result<Dataset, DataError> {
    let (catalog, untitled) = read_catalog(items, language, title)?;
    let name = events.display().to_string();
    let file = File::open(events).map_err(DataError::io(events))?;
    let mut account = Account::new(&name, ErrorPolicy::Fail)?;
    let mut lines = Lines::new(BufReader::new(file));
    let mut shape = Shape::default();
    while lines.advance().map_err(DataError::io(events))? {
        let parsed = parse(&lines.text, &catalog).map_err(|fault| DataError::Row {
            file: name.clone(),
            row: Box::new(lines.quarantined(fault)),
        })?;
        let Some((user, actions)) = parsed else {
            continue;
        };
        shape.observe(&user, actions.len(), lines.number);
        for action in actions {
            account.push((user.clone(), None, action), || lines.number)?;
        }
        if let (Some(long_line), Some(repeated_line)) = (shape.long_line, shape.repeated_line) {
            return Err(DataError::MixedSequences { file: name, long_line, repeated_line });
        }
    }
    let (log, mut report) = account.finish_repeating()?;
    report.untitled = untitled;
    Ok(Dataset { catalog, log, report })
}

fn read_catalog(
    path: &Path,
    language: &Language,
    spoken: fn(&str) -> String,
) -> Result<(Catalog, usize), DataError> {
    let mut table = Table::open(path, Separator::Tab)?;
    let id = table.column(ITEM)?;
    let title = table.column(TITLE)?;
    let genres = table.optional_column(GENRES)?;
    read_items(&mut table, language, |row| {
        Ok(Description {
            id: row.field(id, ITEM)?,
            title: spoken(row.field(title, TITLE)?),
            categories: match genres {
                Some(genres) => tags(row.field(genres, GENRES)?, '|'),
                None => Vec::new(),
            },
        })
    })
}

/// A user and their items; nothing for a blank line.
fn parse(line: &[u8], catalog: &Catalog) -> Result<Option<(UserId, Vec<Action>)>, Fault> {
    let line = std::str::from_utf8(line).map_err(|_| (None, Reason::InvalidUtf8))?;
    let mut words = line.split_whitespace();
    let Some(user) = words.next() else {
        return Ok(None);
    };
    let user = event_csv::user_id(user)?;
    let actions = words
        .map(|id| event_csv::item_index(id, catalog).map(|item| Action::View { item }))
        .collect::<Result<Vec<_>, _>>()?;
    if actions.is_empty() {
        return Err((Some(ITEM), Reason::EmptyItem));
    }
    Ok(Some((user, actions)))
}

/// Which of the two shapes the lines so far have.
#[derive(Default)]
struct Shape {
    users: HashSet<UserId>,
    long_line: Option<u64>,
    repeated_line: Option<u64>,
}

impl Shape {
    fn observe(&mut self, user: &UserId, items: usize, line: u64) {
        if items > 1 {
            self.long_line.get_or_insert(line);
        }
        if self.users.contains(user) {
            self.repeated_line.get_or_insert(line);
        } else {
            self.users.insert(user.clone());
        }
    }
}

/// The lines of a file, with their places.
struct Lines<R> {
    reader: R,
    text: Vec<u8>,
    number: u64,
    byte: u64,
    next_byte: u64,
}

impl<R: BufRead> Lines<R> {
    fn new(reader: R) -> Self {
        Self { reader, text: Vec::new(), number: 0, byte: 0, next_byte: 0 }
    }

    /// Goes to the next line; false at the end.
    fn advance(&mut self) -> std::io::Result<bool> {
        self.text.clear();
        let count = self.reader.read_until(b'\n', &mut self.text)?;
        self.byte = self.next_byte;
        self.next_byte += count as u64;
        self.number += 1;
        if self.number == 1 && self.text.starts_with("\u{feff}".as_bytes()) {
            self.text.drain(.."\u{feff}".len());
        }
        Ok(count > 0)
    }

    fn quarantined(&self, (column, reason): Fault) -> QuarantinedRow {
        QuarantinedRow {
            line: self.number,
            byte: self.byte,
            column,
            reason,
            raw: without_line_end(&self.text),
        }
    }
}

//! Events from the rows of any log, by a mapping.

use std::borrow::Cow;

use proclivity_schema::{
    Catalog, Event, Interner, Item, ItemId, ItemIndex, ItemText, Log, LogBuilder,
};
use proclivity_schema::{Language, UserIndex};

use crate::account::Account;
use crate::event_row::EventColumns;
use crate::rows::{Fault, ReadRows, Rows, with_rows};
use crate::{
    DataError, Dataset, ErrorPolicy, EventMapping, Format, Input, ReadReport, Reason, UNTITLED,
};

/// Reads event logs so that nothing is lost in silence: every row is accepted, a duplicate, or
/// quarantined with its place and reason.
///
/// Files are read as streams; in memory are the events, the ids and what was quarantined.
///
/// ```
/// use proclivity_data::{EventMapping, EventReader, Format, Input, KindSource, TimeSource};
///
/// let mapping = EventMapping {
///     item: Some("sku".into()),
///     time: Some(TimeSource { zone: Some("Asia/Shanghai".into()), ..TimeSource::new("at") }),
///     ..EventMapping::new("uid", KindSource::column("what"))
/// };
/// let log = "uid\twhat\tsku\tat\n7\tview\tA-1\t2021-01-01 18:00:00\n";
/// let dataset = EventReader::new(mapping, Format::tsv())
///     .read([Input::reader("log.tsv", log.as_bytes())])?;
/// assert_eq!((dataset.report.read(), dataset.report.accepted()), (1, 1));
/// let time = dataset.log.events()[0].time.map(|time| time.to_string());
/// assert_eq!(time.as_deref(), Some("2021-01-01T10:00:00Z"));
/// # Ok::<(), proclivity_data::DataError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct EventReader {
    mapping: EventMapping,
    format: Format,
    policy: ErrorPolicy,
    remove_duplicates: bool,
}

impl EventReader {
    /// A reader that stops at the first bad row, and removes exact duplicates if rows have times.
    pub fn new(mapping: EventMapping, format: Format) -> Self {
        let remove_duplicates = mapping.time.is_some();
        Self { mapping, format, policy: ErrorPolicy::Fail, remove_duplicates }
    }

    /// The same reader with another policy for bad rows.
    pub fn with_policy(self, policy: ErrorPolicy) -> Self {
        Self { policy, ..self }
    }

    /// Whether rows that repeat an earlier one in all that the mapping reads are removed and
    /// counted: the same user, time, action and details.
    pub fn with_duplicates_removed(self, remove_duplicates: bool) -> Self {
        Self { remove_duplicates, ..self }
    }

    /// Reads a log whose items are those of a catalog; a row about any other is a bad row.
    ///
    /// # Errors
    /// - [`DataError::Row`] for the first bad row under [`ErrorPolicy::Fail`],
    ///   [`DataError::TooManyQuarantined`] for more of them than [`ErrorPolicy::Quarantine`] allows,
    ///   [`DataError::NothingAccepted`] when no event is left;
    /// - [`DataError::MissingColumn`] and [`DataError::DuplicateColumn`] for a bad header,
    ///   [`DataError::UnknownZone`], [`DataError::UnknownEncoding`] and [`DataError::Separator`] for
    ///   a mapping or format that makes no sense;
    /// - [`DataError::Io`] and [`DataError::Parquet`] for a file that can't be
    ///   read at all.
    pub fn read_with<'i>(
        &self,
        inputs: impl IntoIterator<Item = Input<'i>>,
        catalog: &Catalog,
    ) -> Result<(Log, ReadReport), DataError> {
        let mut sink = Sink::new(self.policy, Items::Known(catalog))?;
        self.read_into(&mut sink, inputs)?;
        let (log, report, _) = sink.finish(self.remove_duplicates)?;
        Ok((log, report))
    }

    /// Reads a log whose items are those that it names, in order of first appearance; their titles
    /// come from [`EventMapping::title`], the first that isn't empty, or are missing.
    ///
    /// # Errors
    /// Those of [`EventReader::read_with`].
    pub fn read<'i>(
        &self,
        inputs: impl IntoIterator<Item = Input<'i>>,
    ) -> Result<Dataset, DataError> {
        let items = Items::FromEvents { ids: Interner::default(), titles: Vec::new() };
        let mut sink = Sink::new(self.policy, items)?;
        self.read_into(&mut sink, inputs)?;
        let (log, mut report, items) = sink.finish(self.remove_duplicates)?;
        let (catalog, untitled) = items.into_catalog(&self.mapping.language)?;
        report.untitled = untitled;
        Ok(Dataset { catalog, log, report, item_report: None })
    }

    fn read_into<'i>(
        &self,
        sink: &mut Sink<'_>,
        inputs: impl IntoIterator<Item = Input<'i>>,
    ) -> Result<(), DataError> {
        for input in inputs {
            with_rows(input, &self.format, ReadEvents { mapping: &self.mapping, sink })?;
        }
        Ok(())
    }
}

struct ReadEvents<'r, 'c> {
    mapping: &'r EventMapping,
    sink: &'r mut Sink<'c>,
}

impl ReadRows for ReadEvents<'_, '_> {
    type Output = ();

    fn read(self, rows: &mut impl Rows) -> Result<(), DataError> {
        let columns = EventColumns::new(self.mapping, rows)?;
        self.sink.account.begin(rows.file());
        while rows.advance()? {
            let parsed = rows.check().and_then(|()| columns.event(rows, self.sink));
            match parsed {
                Ok(event) => {
                    self.sink.push(event);
                    self.sink.account.accept(1);
                }
                Err(fault) => self.sink.account.refuse(rows.quarantined(fault))?,
            }
        }
        Ok(())
    }
}

/// Where good rows go.
pub(crate) struct Sink<'c> {
    pub(crate) account: Account,
    builder: LogBuilder,
    items: Items<'c>,
}

/// Which items there are.
pub(crate) enum Items<'c> {
    Known(&'c Catalog),
    FromEvents { ids: Interner<ItemId>, titles: Vec<Option<Box<str>>> },
}

impl<'c> Sink<'c> {
    pub(crate) fn new(policy: ErrorPolicy, items: Items<'c>) -> Result<Self, DataError> {
        Ok(Self { account: Account::new(policy)?, builder: LogBuilder::new(), items })
    }

    /// Adds an event; the account of its row is the caller's.
    pub(crate) fn push(&mut self, event: Event) {
        self.builder.push_event(event);
    }

    /// The index of a user, who is added when new.
    pub(crate) fn user(&mut self, id: &str, column: Option<usize>) -> Result<UserIndex, Fault> {
        self.builder.user(id).map_err(|_| (column, Reason::InvalidUser))
    }

    /// The index of an item, which is added when new and the catalog isn't given.
    pub(crate) fn item(
        &mut self,
        id: &str,
        title: Option<&str>,
        column: Option<usize>,
    ) -> Result<ItemIndex, Fault> {
        if id.is_empty() {
            return Err((column, Reason::EmptyItem));
        }
        match &mut self.items {
            Items::Known(catalog) => catalog.index(id).map_err(|_| (column, Reason::UnknownItem)),
            Items::FromEvents { ids, titles } => {
                let index = ids.intern_text(id).map_err(|_| (column, Reason::InvalidItem))?;
                let place = index as usize;
                if place == titles.len() {
                    titles.push(None);
                }
                if titles[place].is_none() {
                    titles[place] = title.filter(|title| !title.is_empty()).map(Into::into);
                }
                Ok(ItemIndex(index))
            }
        }
    }

    pub(crate) fn finish(
        mut self,
        remove_duplicates: bool,
    ) -> Result<(Log, ReadReport, Items<'c>), DataError> {
        let duplicates = if remove_duplicates { self.builder.remove_duplicates() } else { 0 };
        let report = self.account.finish(duplicates, 0)?;
        Ok((self.builder.build(), report, self.items))
    }
}

impl Items<'_> {
    /// The catalog of all items seen, and how many have no title.
    fn into_catalog(self, language: &Language) -> Result<(Catalog, usize), DataError> {
        let Self::FromEvents { ids, titles } = self else {
            return Ok((Catalog::new(Vec::new())?, 0));
        };
        let mut untitled = 0;
        let items = ids.into_ids().into_iter().zip(titles).map(|(id, title)| {
            untitled += usize::from(title.is_none());
            let title: Cow<'_, str> =
                title.map_or(UNTITLED.into(), |title| String::from(title).into());
            Item::new(id, vec![ItemText::title(language.clone(), title)])
        });
        let items = items.collect::<Result<Vec<_>, _>>()?;
        Ok((Catalog::new(items)?, untitled))
    }
}

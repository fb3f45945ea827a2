//! MIND, the Microsoft News Dataset: `behaviors.tsv` and `news.tsv`.

use std::collections::HashSet;
use std::path::Path;

use proclivity_schema::{Action, Event, Language};

use super::existing;
use crate::event_reader::{Items, Sink};
use crate::rows::{Fault, ReadRows, Rows, with_rows};
use crate::time::TimeParser;
use crate::{
    CategorySource, DataError, Dataset, ErrorPolicy, Format, Input, ItemMapping, ItemReader,
    Reason, TimeFormat, TimeSource,
};

const BEHAVIOURS: [&str; 5] = ["impression_id", "user_id", "time", "history", "impressions"];
const NEWS: [&str; 8] = [
    "news_id",
    "category",
    "subcategory",
    "title",
    "abstract",
    "url",
    "title_entities",
    "abstract_entities",
];

/// A row is one visit: what was clicked before, which has no times, and what was shown now.
///
/// Of each user's first row the history becomes clicks without a time; the histories of their later
/// rows repeat it. What was shown becomes an impression, its position that in the row, and a click
/// on it where there was one. The report counts these events; a row with anything wrong in it is
/// set aside as a whole.
pub(super) fn mind(dir: &Path, policy: ErrorPolicy) -> Result<Dataset, DataError> {
    let news = ItemMapping {
        description: vec!["abstract".to_owned()],
        categories: vec![CategorySource::Path {
            columns: vec!["category".to_owned(), "subcategory".to_owned()],
            separator: None,
        }],
        ..ItemMapping::new("news_id", "title", Language::ENGLISH)
    };
    let (catalog, item_report) = ItemReader::new(news, Format::tsv().with_columns(&NEWS))
        .with_policy(policy)
        .read([Input::path(existing(dir, "news.tsv")?)])?;
    let mut sink = Sink::new(policy, Items::Known(&catalog))?;
    let behaviours = Input::path(existing(dir, "behaviors.tsv")?);
    let format = Format::tsv().with_columns(&BEHAVIOURS);
    with_rows(behaviours, &format, ReadBehaviours { sink: &mut sink })?;
    let (log, report, _) = sink.finish(false)?;
    Ok(Dataset { catalog, log, report, item_report: Some(item_report) })
}

struct ReadBehaviours<'s, 'c> {
    sink: &'s mut Sink<'c>,
}

impl ReadRows for ReadBehaviours<'_, '_> {
    type Output = ();

    fn read(self, rows: &mut impl Rows) -> Result<(), DataError> {
        let format = TimeFormat::Pattern("%m/%d/%Y %I:%M:%S %p".to_owned());
        let time = TimeParser::new(&TimeSource::with_format("time", format))?;
        let mut columns = [0; BEHAVIOURS.len()];
        for (place, name) in columns.iter_mut().zip(BEHAVIOURS) {
            *place = rows.column(name)?;
        }
        self.sink.account.begin(rows.file());
        let mut users_seen = HashSet::new();
        while rows.advance()? {
            match rows.check().and_then(|()| visit(rows, columns, &time, self.sink)) {
                Ok((history, shown)) => {
                    let user = history.first().or(shown.first()).map(|event| event.user);
                    let is_first = user.is_some_and(|user| users_seen.insert(user));
                    let history = history.into_iter().filter(|_| is_first);
                    let events: Vec<Event> = history.chain(shown).collect();
                    self.sink.account.accept(events.len());
                    events.into_iter().for_each(|event| self.sink.push(event));
                }
                Err(fault) => self.sink.account.refuse(rows.quarantined(fault))?,
            }
        }
        Ok(())
    }
}

/// The clicks before, and what was shown.
fn visit(
    row: &impl Rows,
    [_, user, time, history, impressions]: [usize; 5],
    parser: &TimeParser,
    sink: &mut Sink<'_>,
) -> Result<(Vec<Event>, Vec<Event>), Fault> {
    let id = row.field(user)?;
    if id.is_empty() {
        return Err((Some(user), Reason::EmptyUser));
    }
    let when = parser.parse(&row.field(time)?).map_err(|reason| (Some(time), reason))?;
    let mut item = |id: &str, column| sink.item(id, None, Some(column));
    let clicked = row
        .field(history)?
        .split_whitespace()
        .map(|id| item(id, history))
        .collect::<Result<Vec<_>, _>>()?;
    let invalid = (Some(impressions), Reason::InvalidImpressions);
    let mut shown = Vec::new();
    for (position, entry) in row.field(impressions)?.split_whitespace().enumerate() {
        let (id, was_clicked) = entry.rsplit_once('-').ok_or(invalid)?;
        let item = item(id, impressions)?;
        let position = u32::try_from(position).map_err(|_| invalid)?;
        shown.push(Action::Impression { item, position });
        match was_clicked {
            "1" => shown.push(Action::Click { item }),
            "0" => {}
            _ => return Err(invalid),
        }
    }
    if shown.is_empty() {
        return Err(invalid);
    }
    let user = sink.user(&id, Some(user))?;
    let clicks = clicked.into_iter().map(|item| Event::new(user, None, Action::Click { item }));
    let shown = shown.into_iter().map(|action| Event::new(user, Some(when), action));
    Ok((clicks.collect(), shown.collect()))
}

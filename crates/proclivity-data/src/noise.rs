//! A clean log written as the CSV that a data engineer really gets.

use std::io::Write;

use proclivity_schema::{Action, Catalog, Event, Log};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::DataError;

/// How much of what is added to a clean log, as shares of its events.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Noise {
    /// Rows repeated exactly; default 0.01.
    pub duplicates: f64,
    /// Rows that can't be read: wrong number of fields, unknown event, no time, a time in 1969 or
    /// 2999, NaN as a rating, no user; default 0.005.
    pub malformed: f64,
    /// Rows about items that the catalog doesn't have; default 0.002.
    pub unknown_items: f64,
    /// The only source of chance.
    pub seed: u64,
}

impl Default for Noise {
    fn default() -> Self {
        Self { duplicates: 0.01, malformed: 0.005, unknown_items: 0.002, seed: 7 }
    }
}

/// What was written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NoiseReport {
    /// Rows of the clean log.
    pub clean: u64,
    /// Rows written a second time.
    pub duplicates: u64,
    /// Rows that can't be read.
    pub malformed: u64,
    /// Rows about unknown items.
    pub unknown_items: u64,
}

impl Noise {
    /// Writes all users' events in one stream, in order of time, with noise between them; no row
    /// of the clean log is lost. Whom a follow is about and details have no column and are left out;
    /// an event without a time becomes a row that can't be read.
    ///
    /// Columns: `user_id,item_id,event,timestamp,value`, as
    /// [`read_event_csv`](crate::read_event_csv) reads them.
    ///
    /// # Errors
    /// [`DataError::Parameter`] for a share outside of 0 to 1, and what the writer says.
    pub fn write_csv(
        &self,
        log: &Log,
        catalog: &Catalog,
        writer: impl Write,
    ) -> Result<NoiseReport, DataError> {
        for (name, value) in [
            ("duplicates", self.duplicates),
            ("malformed", self.malformed),
            ("unknown_items", self.unknown_items),
        ] {
            if !(0.0..=1.0).contains(&value) {
                return Err(DataError::Parameter { name, value, expected: "a share from 0 to 1" });
            }
        }
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        let mut report = NoiseReport::default();
        // Malformed rows have a wrong number of fields, which only a flexible writer lets through.
        let mut csv = csv::WriterBuilder::new().flexible(true).from_writer(writer);
        csv.write_record(["user_id", "item_id", "event", "timestamp", "value"])?;
        let mut events: Vec<&Event> = log.events().iter().collect();
        events.sort_by_key(|event| event.time);
        for event in events {
            let row = row(event, log, catalog);
            csv.write_record(&row)?;
            report.clean += 1;
            if rng.random_bool(self.duplicates) {
                csv.write_record(&row)?;
                report.duplicates += 1;
            }
            if rng.random_bool(self.malformed) {
                csv.write_record(malformed(row.clone(), &mut rng))?;
                report.malformed += 1;
            }
            if rng.random_bool(self.unknown_items) {
                let mut row = row;
                row[1] = format!("sku-{}", rng.random_range(100_000..999_999));
                row[2] = "view".to_owned();
                row[4].clear();
                csv.write_record(&row)?;
                report.unknown_items += 1;
            }
        }
        csv.flush()?;
        Ok(report)
    }
}

fn row(event: &Event, log: &Log, catalog: &Catalog) -> Vec<String> {
    let item = event.action.item().map(|item| catalog.item(item).id().to_string());
    let value = match &event.action {
        Action::Search { query: text }
        | Action::Follow { name: text, .. }
        | Action::Comment { text, .. } => text.to_string(),
        Action::Rate { rating, .. } => rating.get().to_string(),
        Action::Purchase { quantity, .. } | Action::Return { quantity, .. } => quantity.to_string(),
        Action::Impression { position, .. } => position.to_string(),
        Action::Watch { fraction, .. } => fraction.get().to_string(),
        _ => String::new(),
    };
    let time = event.time.map(|time| {
        // `2021-01-01T10:00:00Z` as most shops write it.
        time.to_string().replace('T', " ").trim_end_matches('Z').to_owned()
    });
    vec![
        log.user_id(event.user).to_string(),
        item.unwrap_or_default(),
        event.action.kind().to_string(),
        time.unwrap_or_default(),
        value,
    ]
}

fn malformed(mut row: Vec<String>, rng: &mut impl Rng) -> Vec<String> {
    match rng.random_range(0..7) {
        0 => row.truncate(3),
        1 => row.push("extra".to_owned()),
        2 => row[2] = "veiw".to_owned(),
        3 => row[3] = "yesterday".to_owned(),
        4 => row[3] = "1969-07-20 20:17:40".to_owned(),
        5 => row[3] = "2999-01-01 00:00:00".to_owned(),
        _ => row[0].clear(),
    }
    row
}

//! Cleaning in composable steps, each of which says what it removed and changed.

mod bots;
mod k_core;
mod repeats;
mod returns;
mod sessions;
mod text;

use std::collections::HashSet;
use std::fmt;

use proclivity_schema::{Action, Event, EventKind, ItemId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::error::in_range;
use crate::{DataError, Dataset, UNTITLED};

/// One step of a [`Cleaning`].
///
/// Times are in seconds. Events without a time are never near another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum CleaningStep {
    /// Removes events that equal an earlier one of their user in everything, their time and details
    /// included.
    ExactDuplicates,
    /// Removes events that do the same as an earlier one of their user, which was kept and is at
    /// most `seconds` older: double clicks, forms sent twice.
    NearDuplicates {
        /// How much later a repeat may be.
        seconds: u32,
    },
    /// Removes views of an item that the same user viewed at most `seconds` before, counted from
    /// the last view that was kept: reloads.
    RepeatedViews {
        /// How much later a repeat may be.
        seconds: u32,
    },
    /// Removes events before `from`, or at `until` and later, and those without a time.
    TimeBounds {
        /// The first time that stays.
        #[serde(default)]
        from: Option<Timestamp>,
        /// The first time that goes.
        #[serde(default)]
        until: Option<Timestamp>,
    },
    /// Removes events of all other kinds.
    Kinds {
        /// The kinds that stay.
        keep: Vec<EventKind>,
    },
    /// Removes events about items without a title, of which a language model knows nothing.
    UnknownItems,
    /// Removes events about these items: postage, discounts, test articles.
    RemoveItems {
        /// The items that go.
        items: Vec<ItemId>,
    },
    /// Removes ratings below a threshold; other events stay.
    MinimumRating {
        /// The lowest rating that stays.
        rating: f32,
    },
    /// Removes users who act like machines: too fast, or too regular.
    Bots(Bots),
    /// Takes returns off the latest earlier purchases of the same item by the same user. What is
    /// left of a purchase stays; a return that no purchase in the log explains stays too.
    NetReturns,
    /// Removes users and items with few events about items, again and again until all that are
    /// left have enough.
    KCore {
        /// The fewest events of a user.
        user: usize,
        /// The fewest events about an item.
        item: usize,
    },
    /// Numbers the sessions of events that have none: a new one begins after a pause.
    Sessions {
        /// The shortest pause between two sessions.
        gap_seconds: u32,
    },
    /// Puts all texts of items and events in Unicode form NFKC on one line, with HTML entities
    /// resolved.
    NormalizeText,
}

/// Which users act like machines.
///
/// | parameter | default | purpose | range |
/// |---|---|---|---|
/// | `events_per_hour` | 600 | more events than that within any hour are too fast | from 1 |
/// | `regularity` | 0.1 | a coefficient of variation of the pauses below that is too regular | 0 to 1 |
/// | `fewest_events` | 50 | users with fewer events are not judged by regularity | from 3 |
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "the table documents each")]
pub struct Bots {
    pub events_per_hour: usize,
    pub regularity: f64,
    pub fewest_events: usize,
}

impl Default for Bots {
    fn default() -> Self {
        Self { events_per_hour: 600, regularity: 0.1, fewest_events: 50 }
    }
}

/// Steps, one after the other.
///
/// ```
/// # use proclivity_data::{Cleaning, CleaningStep, EventMapping, EventReader, Format, Input};
/// # let csv = "user_id,item_id,event,timestamp,value\n1,a,view,100,\n1,a,view,130,\n1,b,view,500,\n";
/// # let dataset = EventReader::new(EventMapping::canonical(), Format::csv())
/// #     .read([Input::reader("log.csv", csv.as_bytes())])?;
/// let cleaning = Cleaning::new([
///     CleaningStep::RepeatedViews { seconds: 60 },
///     CleaningStep::KCore { user: 2, item: 1 },
/// ]);
/// let (dataset, report) = cleaning.run(dataset)?;
/// assert_eq!(dataset.log.event_count(), 2);
/// assert_eq!(report.steps[0].removed, 1);
/// # Ok::<(), proclivity_data::DataError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cleaning {
    steps: Vec<CleaningStep>,
}

/// What one step did: `before = removed + after`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StepReport {
    /// The step's name.
    pub step: &'static str,
    /// Events before it.
    pub before: usize,
    /// Events that it removed.
    pub removed: usize,
    /// Events or items that it changed.
    pub changed: usize,
    /// Events after it.
    pub after: usize,
    /// Users with events after it.
    pub users: usize,
}

/// What each step did, in their order. It prints as a table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct CleaningReport {
    /// A report for each step.
    pub steps: Vec<StepReport>,
}

impl Cleaning {
    /// These steps, in this order.
    pub fn new(steps: impl IntoIterator<Item = CleaningStep>) -> Self {
        Self { steps: steps.into_iter().collect() }
    }

    /// Runs all steps. Users and items keep their indices, also those that have no events left;
    /// the dataset's reading reports stay what they were.
    ///
    /// # Errors
    /// [`DataError::Parameter`] for a parameter out of its range; nothing has been done then.
    pub fn run(&self, mut dataset: Dataset) -> Result<(Dataset, CleaningReport), DataError> {
        self.steps.iter().try_for_each(CleaningStep::validate)?;
        let mut report = CleaningReport::default();
        for step in &self.steps {
            let before = dataset.log.event_count();
            let changed = step.run(&mut dataset)?;
            let after = dataset.log.event_count();
            let log = &dataset.log;
            report.steps.push(StepReport {
                step: step.name(),
                before,
                removed: before - after,
                changed,
                after,
                users: log.users().filter(|&user| !log.history(user).is_empty()).count(),
            });
        }
        Ok((dataset, report))
    }
}

impl CleaningStep {
    /// The name, as in reports and in serialized form.
    pub fn name(&self) -> &'static str {
        match self {
            Self::ExactDuplicates => "exact_duplicates",
            Self::NearDuplicates { .. } => "near_duplicates",
            Self::RepeatedViews { .. } => "repeated_views",
            Self::TimeBounds { .. } => "time_bounds",
            Self::Kinds { .. } => "kinds",
            Self::UnknownItems => "unknown_items",
            Self::RemoveItems { .. } => "remove_items",
            Self::MinimumRating { .. } => "minimum_rating",
            Self::Bots(_) => "bots",
            Self::NetReturns => "net_returns",
            Self::KCore { .. } => "k_core",
            Self::Sessions { .. } => "sessions",
            Self::NormalizeText => "normalize_text",
        }
    }

    fn validate(&self) -> Result<(), DataError> {
        match self {
            Self::MinimumRating { rating } => {
                in_range("rating", f64::from(*rating), !rating.is_nan(), "a number")
            }
            Self::Bots(bots) => {
                let rate = bots.events_per_hour;
                in_range("events_per_hour", rate as f64, rate >= 1, "1 or more")?;
                let regular = (0.0..=1.0).contains(&bots.regularity);
                in_range("regularity", bots.regularity, regular, "0 to 1")?;
                let fewest = bots.fewest_events;
                in_range("fewest_events", fewest as f64, fewest >= 3, "3 or more")
            }
            _ => Ok(()),
        }
    }

    /// Runs the step and says how many events or items it changed.
    fn run(&self, dataset: &mut Dataset) -> Result<usize, DataError> {
        let Dataset { catalog, log, .. } = dataset;
        let whole = std::mem::take(log);
        let mut changed = 0;
        *log =
            match self {
                Self::ExactDuplicates => whole.without_duplicates(),
                Self::NearDuplicates { seconds } => {
                    whole.map_histories(|history| repeats::near_duplicates(history, *seconds))
                }
                Self::RepeatedViews { seconds } => {
                    whole.map_histories(|history| repeats::repeated_views(history, *seconds))
                }
                Self::TimeBounds { from, until } => keep(whole, |event| {
                    event.time.is_some_and(|time| {
                        from.is_none_or(|from| time >= from)
                            && until.is_none_or(|until| time < until)
                    })
                }),
                Self::Kinds { keep: kinds } => {
                    keep(whole, |event| kinds.contains(&event.action.kind()))
                }
                Self::UnknownItems => keep(whole, |event| {
                    let title = |item| &catalog.item(item).texts()[0].title;
                    event.action.item().is_none_or(|item| title(item) != UNTITLED)
                }),
                Self::RemoveItems { items } => {
                    let items: HashSet<&ItemId> = items.iter().collect();
                    keep(whole, |event| {
                        let id = event.action.item().map(|item| catalog.item(item).id());
                        id.is_none_or(|id| !items.contains(id))
                    })
                }
                Self::MinimumRating { rating } => keep(whole, |event| match event.action {
                    Action::Rate { rating: given, .. } => given.get() >= *rating,
                    _ => true,
                }),
                Self::Bots(bots) => whole.map_histories(|history| {
                    if bots::is_bot(&history, bots) { Vec::new() } else { history }
                }),
                Self::NetReturns => whole.map_histories(|history| {
                    let (history, reduced) = returns::net(history);
                    changed += reduced;
                    history
                }),
                Self::KCore { user, item } => k_core::k_core(whole, catalog.len(), *user, *item),
                Self::Sessions { gap_seconds } => whole.map_histories(|history| {
                    let (history, numbered) = sessions::number(history, *gap_seconds);
                    changed += numbered;
                    history
                }),
                Self::NormalizeText => {
                    let items =
                        std::mem::replace(catalog, proclivity_schema::Catalog::new(Vec::new())?);
                    *catalog = text::normalize_catalog(items, &mut changed)?;
                    whole.filter_map(|event| Some(text::normalize_event(event, &mut changed)))
                }
            };
        Ok(changed)
    }
}

fn keep(log: proclivity_schema::Log, keep: impl Fn(&Event) -> bool) -> proclivity_schema::Log {
    log.filter_map(|event| keep(&event).then_some(event))
}

/// Microseconds from one event to a later one, where both have a time.
fn micros_between(earlier: &Event, later: &Event) -> Option<i64> {
    Some(later.time?.as_micros() - earlier.time?.as_micros())
}

impl fmt::Display for CleaningReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:<18}{:>12}{:>12}{:>12}{:>10}",
            "step", "removed", "changed", "events", "users"
        )?;
        for step in &self.steps {
            write!(
                f,
                "\n{:<18}{:>12}{:>12}{:>12}{:>10}",
                step.step, step.removed, step.changed, step.after, step.users
            )?;
        }
        Ok(())
    }
}

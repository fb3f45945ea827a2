//! One row of a log as an event.

use std::collections::BTreeMap;

use proclivity_schema::{
    Action, Event, EventDetails, EventKind, FollowTarget, Fraction, Price, Rating, UserIndex,
};

use crate::event_reader::Sink;
use crate::rows::{Fault, Rows};
use crate::time::TimeParser;
use crate::{DataError, EventMapping, KindSource, Reason};

/// A mapping whose columns were found in a file.
pub(crate) struct EventColumns {
    user: usize,
    item: Option<usize>,
    kind: Kind,
    time: Option<(usize, TimeParser)>,
    value: Option<usize>,
    text: Option<usize>,
    follow_target: Option<usize>,
    quantity: Option<usize>,
    rating: Option<usize>,
    position: Option<usize>,
    fraction: Option<usize>,
    price: Option<(usize, String)>,
    session: Option<usize>,
    domain: Option<usize>,
    context: Vec<(usize, Box<str>)>,
    title: Option<usize>,
    whole_number_ids: bool,
    negative_quantity_is_return: bool,
    has_details: bool,
}

enum Kind {
    Constant(EventKind),
    Column { place: usize, names: BTreeMap<String, EventKind> },
}

impl EventColumns {
    pub(crate) fn new(mapping: &EventMapping, rows: &mut impl Rows) -> Result<Self, DataError> {
        let mut find =
            |name: &Option<String>| name.as_ref().map(|name| rows.column(name)).transpose();
        let columns = Self {
            item: find(&mapping.item)?,
            value: find(&mapping.value)?,
            text: find(&mapping.text)?,
            follow_target: find(&mapping.follow_target)?,
            quantity: find(&mapping.quantity)?,
            rating: find(&mapping.rating)?,
            position: find(&mapping.position)?,
            fraction: find(&mapping.fraction)?,
            session: find(&mapping.session)?,
            domain: find(&mapping.domain)?,
            title: find(&mapping.title)?,
            user: rows.column(&mapping.user)?,
            kind: match &mapping.kind {
                KindSource::Constant(kind) => Kind::Constant(*kind),
                KindSource::Column { name, names } => {
                    Kind::Column { place: rows.column(name)?, names: names.clone() }
                }
            },
            time: match &mapping.time {
                Some(time) => Some((rows.column(&time.column)?, TimeParser::new(time)?)),
                None => None,
            },
            price: match &mapping.price {
                Some(price) => {
                    // A wrong currency is an error of the mapping, not of the rows.
                    Price::new(0.0, &price.currency)?;
                    Some((rows.column(&price.column)?, price.currency.clone()))
                }
                None => None,
            },
            context: mapping
                .context
                .iter()
                .map(|name| Ok((rows.column(name)?, name.as_str().into())))
                .collect::<Result<_, DataError>>()?,
            whole_number_ids: mapping.whole_number_ids,
            negative_quantity_is_return: mapping.negative_quantity_is_return,
            has_details: mapping.session.is_some()
                || mapping.domain.is_some()
                || mapping.price.is_some()
                || !mapping.context.is_empty(),
        };
        Ok(columns)
    }

    pub(crate) fn event(&self, row: &impl Rows, sink: &mut Sink<'_>) -> Result<Event, Fault> {
        // An id is entered only once the rest of the row is known to be good.
        let user = row.field(self.user)?;
        let user = if self.whole_number_ids { whole_number_id(&user) } else { &user };
        if user.is_empty() {
            return Err((Some(self.user), Reason::EmptyUser));
        }
        if user.chars().any(char::is_control) {
            return Err((Some(self.user), Reason::InvalidUser));
        }
        let kind = self.kind(row)?;
        let time = match &self.time {
            Some((place, parser)) => {
                let parsed = parser.parse(&row.field(*place)?);
                Some(parsed.map_err(|reason| (Some(*place), reason))?)
            }
            None => None,
        };
        let details = if self.has_details { self.details(row)? } else { EventDetails::default() };
        let payload = self.payload(kind, row)?;
        let action = self.action(kind, payload, row, sink)?;
        let user: UserIndex = sink.user(user, Some(self.user))?;
        Ok(Event::new(user, time, action).with_details(details))
    }

    fn kind(&self, row: &impl Rows) -> Result<EventKind, Fault> {
        match &self.kind {
            Kind::Constant(kind) => Ok(*kind),
            Kind::Column { place, names } => {
                let name = row.field(*place)?;
                let own = names.get(&*name).copied();
                own.or_else(|| name.parse().ok()).ok_or((Some(*place), Reason::UnknownEvent))
            }
        }
    }

    /// What belongs to the kind, from its own column or from the one for all kinds.
    fn payload(&self, kind: EventKind, row: &impl Rows) -> Result<Payload, Fault> {
        let own = match kind {
            EventKind::Search | EventKind::Follow | EventKind::Comment => self.text,
            EventKind::Purchase | EventKind::Return => self.quantity,
            EventKind::Rate => self.rating,
            EventKind::Impression => self.position,
            EventKind::Watch => self.fraction,
            _ => None,
        };
        let place = own.or(self.value);
        let text = match place {
            Some(place) => row.field(place)?,
            None => "".into(),
        };
        let wrong = |reason| (place, reason);
        match kind {
            EventKind::Search | EventKind::Follow if text.is_empty() => {
                Err(wrong(Reason::EmptyText))
            }
            EventKind::Search | EventKind::Follow | EventKind::Comment => {
                Ok(Payload::Text((&*text).into()))
            }
            EventKind::Purchase | EventKind::Return if text.is_empty() => {
                Ok(Payload::Quantity { count: 1, negative: false })
            }
            EventKind::Purchase | EventKind::Return => {
                let number = whole_number(&text).filter(|&number| {
                    number > 0
                        || number < 0
                            && self.negative_quantity_is_return
                            && kind == EventKind::Purchase
                });
                number
                    .and_then(|n| {
                        let count = u32::try_from(n.unsigned_abs()).ok()?;
                        Some(Payload::Quantity { count, negative: n < 0 })
                    })
                    .ok_or(wrong(Reason::InvalidQuantity))
            }
            EventKind::Rate => text
                .parse()
                .ok()
                .and_then(|value| Rating::new(value).ok())
                .map(Payload::Rating)
                .ok_or(wrong(Reason::InvalidRating)),
            EventKind::Watch => text
                .parse()
                .ok()
                .and_then(|value| Fraction::new(value).ok())
                .map(Payload::Fraction)
                .ok_or(wrong(Reason::InvalidFraction)),
            EventKind::Impression => whole_number(&text)
                .and_then(|number| u32::try_from(number).ok())
                .map(Payload::Position)
                .ok_or(wrong(Reason::InvalidPosition)),
            _ if text.is_empty() => Ok(Payload::None),
            _ => Err(wrong(Reason::UnexpectedValue)),
        }
    }

    fn action(
        &self,
        kind: EventKind,
        payload: Payload,
        row: &impl Rows,
        sink: &mut Sink<'_>,
    ) -> Result<Action, Fault> {
        let id = match self.item {
            Some(place) => row.field(place)?,
            None => "".into(),
        };
        if !kind.has_item() {
            if !id.is_empty() {
                return Err((self.item, Reason::UnexpectedItem));
            }
            let Payload::Text(text) = payload else { return Err((self.text, Reason::EmptyText)) };
            return match kind {
                EventKind::Search => Ok(Action::Search { query: text }),
                _ => Ok(Action::Follow { target: self.follow_target(row)?, name: text }),
            };
        }
        let id = if self.whole_number_ids { whole_number_id(&id) } else { &id };
        let title = self.title.map(|place| row.text(place)).transpose()?;
        let item = sink.item(id, title.as_deref(), self.item)?;
        Ok(match (kind, payload) {
            (EventKind::Purchase, Payload::Quantity { count: quantity, negative: false }) => {
                Action::Purchase { item, quantity }
            }
            (_, Payload::Quantity { count: quantity, .. }) => Action::Return { item, quantity },
            (_, Payload::Rating(rating)) => Action::Rate { item, rating },
            (_, Payload::Fraction(fraction)) => Action::Watch { item, fraction },
            (_, Payload::Position(position)) => Action::Impression { item, position },
            (_, Payload::Text(text)) => Action::Comment { item, text },
            (EventKind::Click, Payload::None) => Action::Click { item },
            (EventKind::AddToCart, Payload::None) => Action::AddToCart { item },
            (EventKind::RemoveFromCart, Payload::None) => Action::RemoveFromCart { item },
            (EventKind::Like, Payload::None) => Action::Like { item },
            (EventKind::Dislike, Payload::None) => Action::Dislike { item },
            (EventKind::Share, Payload::None) => Action::Share { item },
            (EventKind::Skip, Payload::None) => Action::Skip { item },
            (EventKind::Dismiss, Payload::None) => Action::Dismiss { item },
            // All kinds with a payload have been seen above.
            (_, Payload::None) => Action::View { item },
        })
    }

    fn follow_target(&self, row: &impl Rows) -> Result<FollowTarget, Fault> {
        let Some(place) = self.follow_target else { return Ok(FollowTarget::default()) };
        match &*row.field(place)? {
            "" => Ok(FollowTarget::default()),
            name => name.parse().map_err(|_| (Some(place), Reason::UnknownFollowTarget)),
        }
    }

    fn details(&self, row: &impl Rows) -> Result<EventDetails, Fault> {
        let text = |place: Option<usize>| -> Result<Option<Box<str>>, Fault> {
            let Some(place) = place else { return Ok(None) };
            let text = row.field(place)?;
            Ok((!text.is_empty()).then(|| (&*text).into()))
        };
        let value = match &self.price {
            Some((place, currency)) => match &*row.field(*place)? {
                "" => None,
                amount => {
                    let price = amount.parse().ok().and_then(|n| Price::new(n, currency).ok());
                    Some(price.ok_or((Some(*place), Reason::InvalidPrice))?)
                }
            },
            None => None,
        };
        let mut context = BTreeMap::new();
        for (place, name) in &self.context {
            if let Some(text) = text(Some(*place))? {
                context.insert(name.clone(), text);
            }
        }
        Ok(EventDetails {
            session: text(self.session)?,
            domain: text(self.domain)?,
            value,
            context,
        })
    }
}

/// What belongs to a kind of event.
enum Payload {
    None,
    Text(Box<str>),
    Quantity { count: u32, negative: bool },
    Rating(Rating),
    Fraction(Fraction),
    Position(u32),
}

/// A whole number, also where a spreadsheet made it decimal: `3`, `3.0`.
fn whole_number(text: &str) -> Option<i64> {
    whole_number_id(text).parse().ok()
}

/// `14850` for `14850.0`, and any other text as it is.
pub(crate) fn whole_number_id(id: &str) -> &str {
    match id.split_once('.') {
        Some((whole, decimals))
            if !decimals.is_empty()
                && decimals.bytes().all(|byte| byte == b'0')
                && whole.trim_start_matches('-').bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            whole
        }
        _ => id,
    }
}

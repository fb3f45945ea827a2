//! Events: who did what, when, and in which circumstances.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Action, Price, Timestamp, UserIndex};

/// One deed of one user. Logs without timestamps (a mere order) have `time: None`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// Who.
    pub user: UserIndex,
    /// When, if the log says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<Timestamp>,
    /// What.
    pub action: Action,
    /// In which circumstances, if the log says so; most logs don't, and pay one word for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<Box<EventDetails>>,
}

impl Event {
    /// An event without details.
    pub fn new(user: UserIndex, time: Option<Timestamp>, action: Action) -> Self {
        Self { user, time, action, details: None }
    }

    /// The same event in these circumstances. Details that say nothing are none.
    pub fn with_details(mut self, details: EventDetails) -> Self {
        self.details = (!details.is_empty()).then(|| Box::new(details));
        self
    }

    /// The session that the event belongs to, if the log says so.
    pub fn session(&self) -> Option<&str> {
        self.details.as_ref()?.session.as_deref()
    }

    /// The domain in which it happened (`shop`, `video`, …), if the log says so.
    pub fn domain(&self) -> Option<&str> {
        self.details.as_ref()?.domain.as_deref()
    }
}

/// The circumstances of an event, as far as the log tells them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct EventDetails {
    /// The session, visit or invoice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<Box<str>>,
    /// The domain in which it happened, such as `shop` or `video`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain: Option<Box<str>>,
    /// The money that changed hands, for one unit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Price>,
    /// Whatever else there is by name: device, country, campaign, ….
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub context: BTreeMap<Box<str>, Box<str>>,
}

impl EventDetails {
    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        self.session.is_none()
            && self.domain.is_none()
            && self.value.is_none()
            && self.context.is_empty()
    }
}

//! Logs simulated from known interests, with the truth beside them.

mod config;
mod draw;
mod follow_up;
mod season;
mod slate;
mod truth;
mod user;
mod world;

use proclivity_schema::{Action, Event, EventDetails, LogBuilder, Timestamp, UserId};
use rayon::prelude::*;

pub use config::{Season, Simulator, Slate};
pub use truth::{Choice, Shown, Simulation, UserTruth};

use self::user::Deed;
use self::world::World;
use crate::{DataError, Domain, Showcase};

/// 2021-01-03T00:00:00Z.
const START: i64 = 1_609_632_000;
const DAY: i64 = 86_400;
/// How many users are simulated before their events go into the log.
const CHUNK: u64 = 4_096;

impl Simulator {
    /// Draws everyone's interests and behaviour.
    ///
    /// Each user draws θ₀ ~ Dirichlet(prior), acts in one domain of the showcase or several, and
    /// has θ_d there, which is θ₀ or drawn around it. At each visit to a domain they *view* items
    /// independently from P(x|θ) = Σₖ θₖ φₖ(x), φₖ(x) ∝ popularity(x) · (affinityₖ(x) + floor):
    /// the views are the evidence about θ. What follows a view (cart, purchase, like, comment, …)
    /// depends on the item's quality and fit, a search on the item viewed next. In the shop neither
    /// says more about θ, given the views. Impressions are drawn by popularity; some of those that
    /// don't fit θ are dismissed or skipped.
    ///
    /// With [`slate`](Simulator::slate) users choose from what they are shown instead, see
    /// [`Slate`]. With [`drift`](Simulator::drift) θ_d,k(t) ∝ θ_d,k(0) exp(Wₖ(t)), where the user's
    /// Wₖ are independent Brownian motions of variance drift² a day, from their first visit on.
    /// With [`seasons`](Simulator::seasons) θₖ sₖ(t) / Σⱼ θⱼ sⱼ(t) takes the place of θ, see
    /// [`Season`].
    ///
    /// Where the showcase has several domains, events say theirs. A user's behaviour depends on
    /// the seed and their own number only; users are simulated in parallel.
    ///
    /// # Errors
    /// [`DataError::Parameter`] that names a parameter outside of its range,
    /// [`DataError::Value`] for a season of an unknown interest or more events than time has room
    /// for.
    pub fn run(&self, showcase: &Showcase) -> Result<Simulation, DataError> {
        self.validate()?;
        let world = World::new(self, showcase)?;
        let mut log = LogBuilder::new();
        let mut truth = Vec::new();
        if let Some(&[a, b, c, d, e]) = showcase.worked_example() {
            for (user, items, start) in
                [(1, [a, b, c], "2021-01-01 10:00:00"), (2, [a, d, e], "2021-01-02 09:30:00")]
            {
                let start = start.parse::<Timestamp>()?.as_micros() / 1_000_000;
                let deeds = (0..).zip(items).map(|(step, item)| Deed {
                    seconds: start + step * 300,
                    domain: Domain::Shop,
                    action: Action::View { item },
                });
                push(&mut log, showcase, user, deeds)?;
                truth.push(None);
            }
        }
        let users = self.users as u64;
        for first in (0..users).step_by(CHUNK as usize) {
            let chunk: Vec<_> = (first..users.min(first + CHUNK))
                .into_par_iter()
                .map(|number| user::simulate(&world, number))
                .collect::<Result<_, _>>()?;
            for (number, (user, deeds)) in (first..).zip(chunk) {
                push(&mut log, showcase, 10_001 + number, deeds)?;
                truth.push(Some(user));
            }
        }
        let likelihood = world.likelihood();
        let World { prior, seasons, .. } = world;
        Ok(Simulation { log: log.build(), truth, prior, likelihood, seasons })
    }
}

fn push(
    log: &mut LogBuilder,
    showcase: &Showcase,
    user: u64,
    deeds: impl IntoIterator<Item = Deed>,
) -> Result<(), DataError> {
    let user = log.user(UserId::from(user).as_str())?;
    for Deed { seconds, domain, action } in deeds {
        let mut event = Event::new(user, Some(Timestamp::from_seconds(seconds)?), action);
        if showcase.domains().len() > 1 {
            let domain = Some(domain.as_str().into());
            event = event.with_details(EventDetails { domain, ..EventDetails::default() });
        }
        log.push_event(event);
    }
    Ok(())
}

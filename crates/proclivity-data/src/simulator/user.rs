//! One user: their interests, how these move, and what the user does about them.

use std::sync::Arc;

use proclivity_schema::{Action, ItemIndex, Language, Timestamp};
use rand::seq::index::sample;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Poisson, StandardNormal};

use super::draw::{dirichlet, gamma, pick};
use super::world::{Place, World};
use super::{Choice, DAY, START, UserTruth, slate};
use crate::{DataError, Domain};

/// An event of a user who is known.
pub(super) struct Deed {
    pub(super) seconds: i64,
    pub(super) domain: Domain,
    pub(super) action: Action,
}

/// A user's interests and whatever they did, in order of time.
pub(super) fn simulate(
    world: &World<'_>,
    number: u64,
) -> Result<(UserTruth, Vec<Deed>), DataError> {
    let mut rng = ChaCha8Rng::seed_from_u64(world.config.seed);
    rng.set_stream(number + 1);
    User::draw(world, number, rng).live()
}

/// A user in the making.
pub(super) struct User<'a> {
    pub(super) world: &'a World<'a>,
    pub(super) rng: ChaCha8Rng,
    pub(super) language: Language,
    pub(super) clock: i64,
    shares: Arc<[f64]>,
    homes: Vec<Home<'a>>,
    walk: Vec<f64>,
    walked_until: i64,
    deeds: Vec<Deed>,
    choices: Vec<Choice>,
}

/// A domain that the user acts in, with θ_d at the start.
struct Home<'a> {
    place: &'a Place,
    shares: Arc<[f64]>,
}

impl<'a> User<'a> {
    fn draw(world: &'a World<'a>, number: u64, mut rng: ChaCha8Rng) -> Self {
        let shares: Arc<[f64]> = dirichlet(&world.prior, &mut rng).into();
        let language = if number.is_multiple_of(2) { Language::CHINESE } else { Language::ENGLISH };
        let places = match &world.places[..] {
            [place] => vec![place],
            places => {
                let count = match rng.random_bool(world.config.cross_domain_share) {
                    true => rng.random_range(2..=places.len()),
                    false => 1,
                };
                sample(&mut rng, places.len(), count).iter().map(|place| &places[place]).collect()
            }
        };
        let spread = world.config.domain_spread;
        let homes = places
            .into_iter()
            .map(|place| {
                if spread == 0.0 {
                    return Home { place, shares: shares.clone() };
                }
                let concentration: Vec<f64> = shares.iter().map(|share| share / spread).collect();
                Home { place, shares: dirichlet(&concentration, &mut rng).into() }
            })
            .collect();
        let walk = vec![0.0; shares.len()];
        let (deeds, choices) = (Vec::new(), Vec::new());
        Self {
            world,
            rng,
            language,
            clock: 0,
            shares,
            homes,
            walk,
            walked_until: 0,
            deeds,
            choices,
        }
    }

    fn live(mut self) -> Result<(UserTruth, Vec<Deed>), DataError> {
        let config = self.world.config;
        // A Poisson of a Gamma is the negative binomial.
        let rate = gamma(2.0, &mut self.rng) * config.mean_further_views / 2.0;
        let further =
            Poisson::new(rate.max(1e-9)).map_or(0.0, |poisson| poisson.sample(&mut self.rng));
        let views = config.fewest_views.saturating_add(further as usize).min(config.most_views);
        self.clock = START + self.rng.random_range(0..60 * DAY);
        let mut home = 0;
        for view in 0..views {
            if view == 0 || self.rng.random_bool(0.25) {
                self.clock += self.rng.random_range(DAY / 2..6 * DAY);
                if view == 0 {
                    self.walked_until = self.clock;
                }
                if self.homes.len() > 1 {
                    home = self.rng.random_range(0..self.homes.len());
                }
                if config.slate.is_none() {
                    self.shelf(home);
                }
            }
            self.choose(home)?;
        }
        let domains = self.homes.iter().map(|home| (home.place.domain, home.shares.clone()));
        let domains = domains.collect();
        let Self { shares, language, choices, deeds, .. } = self;
        Ok((UserTruth { shares, domains, language, choices }, deeds))
    }

    /// θ_d as it is now.
    fn shares_now(&mut self, home: usize) -> Arc<[f64]> {
        let start = &self.homes[home].shares;
        let drift = self.world.config.drift;
        if drift == 0.0 {
            return start.clone();
        }
        let days = (self.clock - self.walked_until) as f64 / DAY as f64;
        self.walked_until = self.clock;
        let deviation = drift * days.sqrt();
        for step in &mut self.walk {
            *step += deviation * self.rng.sample::<f64, _>(StandardNormal);
        }
        let logs: Vec<f64> = start.iter().zip(&self.walk).map(|(s, w)| s.ln() + w).collect();
        let largest = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let mut shares: Vec<f64> = logs.iter().map(|log| (log - largest).exp()).collect();
        let total: f64 = shares.iter().sum();
        shares.iter_mut().for_each(|share| *share /= total);
        shares.into()
    }

    /// Chooses an item from a slate or from all there are, and says so in the log.
    fn choose(&mut self, home: usize) -> Result<(), DataError> {
        let world = self.world;
        let place = self.homes[home].place;
        let time = Timestamp::from_seconds(self.clock)?;
        let shares = self.shares_now(home);
        let seasonal = world.seasons.apply(&shares, self.clock as f64);
        let (slate, chosen) = match &world.config.slate {
            None => {
                let interest = pick(&seasonal, &mut self.rng);
                (Vec::new(), Some(place.draw(interest, &mut self.rng)))
            }
            Some(slate) => {
                let (shown, chosen) = slate::show(world, place, slate, &seasonal, &mut self.rng);
                for (position, shown) in (0..).zip(&shown) {
                    self.push(place, Action::Impression { item: shown.item, position });
                }
                for (position, shown) in shown.iter().enumerate() {
                    if shown.examined && chosen != Some(position) {
                        self.turn_down(place, shown.item, &shares);
                    }
                }
                let chosen = chosen.map(|position| shown[position].item);
                (shown, chosen)
            }
        };
        if let Some(item) = chosen {
            if slate.is_empty() && self.rng.random_bool(0.15) {
                let text = world.showcase.catalog().item(item).text(&self.language);
                let query = text.leaf_category().unwrap_or(&text.title).into();
                self.then(10..60, place, Action::Search { query });
            }
            self.take(place, item, !slate.is_empty(), &shares);
        } else {
            self.clock += self.rng.random_range(5..60);
        }
        let domain = place.domain;
        self.choices.push(Choice { time, domain, shares, slate, chosen });
        Ok(())
    }

    /// Four items drawn by popularity are shown; some that don't fit are turned down.
    fn shelf(&mut self, home: usize) {
        let place = self.homes[home].place;
        let shares = self.shares_now(home);
        let mut popularity = place.popularity.clone();
        for position in 0..4 {
            let local = pick(&popularity, &mut self.rng);
            popularity[local] = 0.0;
            let item = place.item(local);
            self.clock += 1;
            self.push(place, Action::Impression { item, position });
            self.turn_down(place, item, &shares);
        }
    }

    fn turn_down(&mut self, place: &Place, item: ItemIndex, shares: &[f64]) {
        if self.world.fit(item, shares) < 0.05 && self.rng.random_bool(0.1) {
            let action = match place.domain {
                Domain::Video => Action::Skip { item },
                Domain::Shop | Domain::Social => Action::Dismiss { item },
            };
            self.then(1..5, place, action);
        }
    }

    /// Logs what is done so many seconds later.
    pub(super) fn then(&mut self, seconds: std::ops::Range<i64>, place: &Place, action: Action) {
        self.clock += self.rng.random_range(seconds);
        self.push(place, action);
    }

    fn push(&mut self, place: &Place, action: Action) {
        self.deeds.push(Deed { seconds: self.clock, domain: place.domain, action });
    }
}

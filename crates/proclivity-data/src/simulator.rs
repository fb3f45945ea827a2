//! A shop's log simulated from known interests, with the truth beside it.

use proclivity_schema::{
    Action, ItemIndex, Language, Log, LogBuilder, Rating, Timestamp, UserId, UserIndex,
};
use rand::seq::SliceRandom;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::weighted::WeightedIndex;
use rand_distr::{Distribution, Gamma, Poisson};
use serde::{Deserialize, Serialize};

use crate::{DataError, Shop};

/// Items of the worked example, which no simulated user meets.
const EXAMPLE_ITEMS: [&str; 5] = ["1001", "1002", "1003", "1004", "1005"];
/// 2021-01-03T00:00:00Z.
const START: i64 = 1_609_632_000;
const DAY: i64 = 86_400;

/// How many users there are and how they behave.
///
/// | parameter | default | purpose | range |
/// |---|---|---|---|
/// | `users` | 2400 | simulated users, beside the two of the worked example | from 1 |
/// | `concentration` | 2 | Σ of the Dirichlet that θ is drawn from: small means few interests each | above 0 |
/// | `fewest_views` | 4 | views of every user | from 1 |
/// | `mean_further_views` | 9 | mean of the negative binomial number of further views | above 0 |
/// | `most_views` | 40 | views are cut there | from `fewest_views` |
/// | `popularity_exponent` | 0.6 | Zipf exponent of the items' popularity | from 0 |
/// | `affinity_floor` | 0.004 | affinity of every item to every interest | above 0 |
/// | `seed` | 2021 | the only source of chance | any |
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "the table documents each")]
pub struct Simulator {
    pub users: usize,
    pub concentration: f64,
    pub fewest_views: usize,
    pub mean_further_views: f64,
    pub most_views: usize,
    pub popularity_exponent: f64,
    pub affinity_floor: f64,
    pub seed: u64,
}

impl Default for Simulator {
    fn default() -> Self {
        Self {
            users: 2_400,
            concentration: 2.0,
            fewest_views: 4,
            mean_further_views: 9.0,
            most_views: 40,
            popularity_exponent: 0.6,
            affinity_floor: 0.004,
            seed: 2021,
        }
    }
}

/// A log and the truth that it was drawn from.
#[derive(Debug, Clone, PartialEq)]
pub struct Simulation {
    /// Every event, those of users 1 and 2 of the worked example included.
    pub log: Log,
    /// Each user's true θ and language by user index; `None` for users 1 and 2.
    pub truth: Vec<Option<UserTruth>>,
    /// The concentration of the Dirichlet that every θ was drawn from.
    pub prior: Vec<f64>,
    /// φₖ(x): what each interest makes a user view, `[interests][items]`, rows sum to one.
    pub likelihood: Vec<Vec<f64>>,
}

/// What is true of one simulated user.
#[derive(Debug, Clone, PartialEq)]
pub struct UserTruth {
    /// θ, the shares of the user's interests.
    pub shares: Vec<f64>,
    /// The language that the user reads and searches in.
    pub language: Language,
}

impl Simulator {
    /// Draws everyone's interests and behaviour.
    ///
    /// Each user draws θ ~ Dirichlet(prior) and then *views* items independently from
    /// P(x|θ) = Σₖ θₖ φₖ(x), φₖ(x) ∝ popularity(x) · (affinityₖ(x) + floor): the views are the
    /// evidence about θ. What follows a view (cart, purchase, rating) depends on the item's
    /// quality, a search on the item viewed next: given the views, neither says more about θ.
    /// Impressions are drawn by popularity; some of those that don't fit θ are dismissed.
    ///
    /// A user's behaviour depends on the seed and their own number only.
    ///
    /// # Errors
    /// [`DataError::Parameter`] that names a parameter outside of its range.
    pub fn run(&self, shop: &Shop) -> Result<Simulation, DataError> {
        self.validate()?;
        let world = World::new(self, shop)?;
        let mut builder = LogBuilder::new();
        let mut truth = Vec::with_capacity(self.users + 2);
        for (user, items, start) in [
            (1, ["1001", "1002", "1003"], "2021-01-01 10:00:00"),
            (2, ["1001", "1004", "1005"], "2021-01-02 09:30:00"),
        ] {
            let start: Timestamp = start.parse()?;
            for (step, item) in items.iter().enumerate() {
                let time = Timestamp::from_micros(start.as_micros() + step as i64 * 300_000_000)?;
                let item = shop.catalog().index(item)?;
                builder.push(UserId::from(user), Some(time), Action::View { item })?;
            }
            truth.push(None);
        }
        for number in 0..self.users as u64 {
            let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
            rng.set_stream(number + 1);
            let user = world.user(number, &mut rng);
            for (time, action) in world.events(&user, &mut rng) {
                let time = Timestamp::from_seconds(time)?;
                builder.push(UserId::from(10_001 + number), Some(time), action)?;
            }
            truth.push(Some(user));
        }
        Ok(Simulation {
            log: builder.build(),
            truth,
            prior: world.prior.clone(),
            likelihood: world.likelihood.clone(),
        })
    }

    fn validate(&self) -> Result<(), DataError> {
        let check = |name, value: f64, valid: bool, expected| match valid {
            true => Ok(()),
            false => Err(DataError::Parameter { name, value, expected }),
        };
        let positive = |x: f64| x > 0.0 && x.is_finite();
        check("users", self.users as f64, self.users > 0, "a number from 1")?;
        let concentration = self.concentration;
        check("concentration", concentration, positive(concentration), "a positive number")?;
        check("fewest_views", self.fewest_views as f64, self.fewest_views > 0, "a number from 1")?;
        let mean = self.mean_further_views;
        check("mean_further_views", mean, positive(mean), "a positive number")?;
        let most = self.most_views;
        check("most_views", most as f64, most >= self.fewest_views, "at least fewest_views")?;
        let exponent = self.popularity_exponent;
        let valid = exponent >= 0.0 && exponent.is_finite();
        check("popularity_exponent", exponent, valid, "a finite number from 0")?;
        let floor = self.affinity_floor;
        check("affinity_floor", floor, positive(floor), "a positive number")
    }
}

/// What all users share.
struct World<'a> {
    config: &'a Simulator,
    shop: &'a Shop,
    prior: Vec<f64>,
    likelihood: Vec<Vec<f64>>,
    choices: Vec<WeightedIndex<f64>>,
    popularity: Vec<f64>,
    quality: Vec<f64>,
}

impl<'a> World<'a> {
    fn new(config: &'a Simulator, shop: &'a Shop) -> Result<Self, DataError> {
        let mut rng = ChaCha8Rng::seed_from_u64(config.seed);
        let items = shop.catalog().len();
        let mut ranks: Vec<usize> = (0..items).collect();
        ranks.shuffle(&mut rng);
        let mut popularity: Vec<f64> = ranks
            .iter()
            .map(|&rank| (1.0 + rank as f64).powf(-config.popularity_exponent))
            .collect();
        for id in EXAMPLE_ITEMS {
            popularity[shop.catalog().index(id)?.get()] = 0.0;
        }
        let quality = (0..items).map(|_| rng.random_range(0.2..1.0)).collect();
        let interests = shop.interests().len();
        let mean: Vec<f64> = (0..interests).map(|_| rng.random_range(0.5..1.5)).collect();
        let total: f64 = mean.iter().sum();
        let prior = mean.iter().map(|mean| config.concentration * mean / total).collect();
        let likelihood: Vec<Vec<f64>> = (0..interests)
            .map(|interest| {
                let weights: Vec<f64> = popularity
                    .iter()
                    .zip(shop.affinities())
                    .map(|(p, affinities)| p * (affinities[interest] + config.affinity_floor))
                    .collect();
                let total: f64 = weights.iter().sum();
                weights.iter().map(|weight| weight / total).collect()
            })
            .collect();
        let choices =
            likelihood.iter().map(WeightedIndex::new).collect::<Result<_, _>>().map_err(|_| {
                DataError::Count { what: "items to choose from", expected: 1, got: 0 }
            })?;
        Ok(Self { config, shop, prior, likelihood, choices, popularity, quality })
    }

    fn user(&self, number: u64, rng: &mut impl Rng) -> UserTruth {
        let mut shares: Vec<f64> = self.prior.iter().map(|&a| gamma(a, rng)).collect();
        let total: f64 = shares.iter().sum();
        shares.iter_mut().for_each(|share| *share /= total);
        let language = if number.is_multiple_of(2) { Language::CHINESE } else { Language::ENGLISH };
        UserTruth { shares, language }
    }

    /// Events in order of time, which is in whole seconds and never the same twice.
    fn events(&self, user: &UserTruth, rng: &mut impl Rng) -> Vec<(i64, Action)> {
        let config = self.config;
        // A Poisson of a Gamma is the negative binomial.
        let rate = gamma(2.0, rng) * config.mean_further_views / 2.0;
        let further = Poisson::new(rate.max(1e-9)).map_or(0.0, |poisson| poisson.sample(rng));
        let views = (config.fewest_views + further as usize).min(config.most_views);
        let mut clock = START + rng.random_range(0..60 * DAY);
        let mut events = Vec::new();
        for view in 0..views {
            if view == 0 || rng.random_bool(0.25) {
                clock += rng.random_range(DAY / 2..6 * DAY);
                self.shelf(user, &mut clock, &mut events, rng);
            }
            let interest = pick(&user.shares, rng);
            let item = ItemIndex(self.choices[interest].sample(rng) as u32);
            if rng.random_bool(0.15) {
                clock += rng.random_range(10..60);
                let text = self.shop.catalog().item(item).text(&user.language);
                let query = text.leaf_category().unwrap_or(&text.title).into();
                events.push((clock, Action::Search { query }));
            }
            clock += rng.random_range(20..240);
            events.push((clock, Action::View { item }));
            self.follow_up(item, &mut clock, &mut events, rng);
        }
        events
    }

    /// Four items drawn by popularity are shown; some that don't fit are dismissed.
    fn shelf(
        &self,
        user: &UserTruth,
        clock: &mut i64,
        events: &mut Vec<(i64, Action)>,
        rng: &mut impl Rng,
    ) {
        let mut popularity = self.popularity.clone();
        for position in 0..4 {
            let index = pick(&popularity, rng);
            popularity[index] = 0.0;
            let item = ItemIndex(index as u32);
            *clock += 1;
            events.push((*clock, Action::Impression { item, position }));
            let affinities = &self.shop.affinities()[index];
            let fit: f64 = affinities.iter().zip(&user.shares).map(|(a, s)| a * s).sum();
            if fit < 0.05 && rng.random_bool(0.1) {
                *clock += rng.random_range(1..5);
                events.push((*clock, Action::Dismiss { item }));
            }
        }
    }

    fn follow_up(
        &self,
        item: ItemIndex,
        clock: &mut i64,
        events: &mut Vec<(i64, Action)>,
        rng: &mut impl Rng,
    ) {
        let quality = self.quality[item.get()];
        let mut then = |seconds: std::ops::Range<i64>, action, rng: &mut dyn Rng| {
            *clock += rng.random_range(seconds);
            events.push((*clock, action));
        };
        if !rng.random_bool(0.35 * quality) {
            return;
        }
        then(10..120, Action::AddToCart { item }, rng);
        if !rng.random_bool(0.5) {
            return;
        }
        then(30..300, Action::Purchase { item, quantity: 1 }, rng);
        if rng.random_bool(0.5) {
            let stars = (1.0 + 4.0 * quality + rng.random_range(-1.0..1.0)).round().clamp(1.0, 5.0);
            if let Ok(rating) = Rating::new(stars) {
                then(3_600..7_200, Action::Rate { item, rating }, rng);
            }
        }
    }
}

fn gamma(shape: f64, rng: &mut impl Rng) -> f64 {
    // At least the smallest positive number, so that shares can always be normalised.
    Gamma::new(shape, 1.0).map_or(1.0, |gamma| gamma.sample(rng)).max(f64::MIN_POSITIVE)
}

/// An index drawn in proportion to weights.
fn pick(weights: &[f64], rng: &mut impl Rng) -> usize {
    let mut left = rng.random::<f64>() * weights.iter().sum::<f64>();
    let drawn = weights.iter().position(|weight| {
        left -= weight;
        left < 0.0
    });
    drawn.unwrap_or(weights.len() - 1)
}

impl Simulation {
    /// The truth about a user of the log; `None` for users 1 and 2 of the worked example.
    pub fn truth(&self, user: UserIndex) -> Option<&UserTruth> {
        self.truth.get(user.get()).and_then(Option::as_ref)
    }
}

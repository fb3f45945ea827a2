//! A synthetic catalog and users whose true shares are known.

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::weighted::WeightedIndex;
use rand_distr::{Distribution, Exp1, Gamma, StandardNormal};

pub(crate) const INTERESTS: usize = 8;
pub(crate) const EMBEDDING_DIM: usize = 16;
const ITEMS: usize = 2_000;
const USERS: usize = 500;
const EVENTS: usize = 20;
/// Of each interest, in the Dirichlet prior of the shares.
const CONCENTRATION: f64 = 0.3;

pub(crate) struct Item {
    pub(crate) category: u32,
    /// Days, 200 on average.
    pub(crate) age: f64,
    /// P(interest | item) of a user with equal shares.
    pub(crate) interests: [f64; INTERESTS],
}

pub(crate) struct User {
    pub(crate) id: String,
    /// The posterior mean of θ.
    pub(crate) shares: [f64; INTERESTS],
    /// Whether an item was seen.
    pub(crate) seen: Vec<bool>,
    /// Log probability of each next item by the posterior.
    pub(crate) predictive: Vec<f64>,
    /// Its probability by the true shares, given that it wasn't seen.
    pub(crate) truth: Vec<f64>,
}

pub(crate) struct World {
    pub(crate) items: Vec<Item>,
    /// `[items, EMBEDDING_DIM]`
    pub(crate) embeddings: Vec<f32>,
    pub(crate) users: Vec<User>,
}

impl World {
    pub(crate) fn new(seed: u64) -> Result<Self, Box<dyn std::error::Error>> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let centers: Vec<_> =
            (0..INTERESTS).map(|_| direction(&mut rng, &[0.0; EMBEDDING_DIM])).collect();
        // φₖ(x) ∝ popularity · exp(8 · cosine to the interest's center): clusters that overlap.
        let mut weights = vec![Vec::new(); INTERESTS];
        let mut embeddings = Vec::with_capacity(ITEMS * EMBEDDING_DIM);
        let mut items = Vec::with_capacity(ITEMS);
        for _ in 0..ITEMS {
            let category = rng.random_range(0..INTERESTS);
            let embedding = direction(&mut rng, &centers[category].map(|x| 4.0 * x));
            let popularity = rng.random_range(0.001..1.0_f64).recip();
            for (center, weights) in centers.iter().zip(&mut weights) {
                let cosine: f64 = embedding.iter().zip(center).map(|(x, y)| x * y).sum();
                weights.push(popularity * (8.0 * cosine).exp());
            }
            let days: f64 = rng.sample(Exp1);
            embeddings.extend(embedding.map(|x| x as f32));
            items.push(Item {
                category: category as u32,
                age: 200.0 * days,
                interests: [0.0; INTERESTS],
            });
        }
        weights.iter_mut().for_each(|weights| normalize(weights));
        for (index, item) in items.iter_mut().enumerate() {
            item.interests = std::array::from_fn(|interest| weights[interest][index]);
            normalize(&mut item.interests);
        }
        let by_interest = weights.iter().map(WeightedIndex::new).collect::<Result<Vec<_>, _>>()?;
        let prior = Gamma::new(CONCENTRATION, 1.0)?;
        let users = (0..USERS).map(|user| {
            // A stream of its own for each user.
            rng.set_stream(user as u64 + 1);
            User::new(user, &prior, &weights, &by_interest, &mut rng)
        });
        let users = users.collect::<Result<_, _>>()?;
        Ok(Self { items, embeddings, users })
    }
}

impl User {
    fn new(
        user: usize,
        prior: &Gamma<f64>,
        likelihood: &[Vec<f64>],
        by_interest: &[WeightedIndex<f64>],
        rng: &mut impl Rng,
    ) -> Result<Self, rand_distr::weighted::Error> {
        let mut theta: [f64; INTERESTS] = std::array::from_fn(|_| prior.sample(rng));
        normalize(&mut theta);
        let choice = WeightedIndex::new(theta)?;
        // Each event's interest is known, so that the posterior is Dirichlet(prior + counts).
        let mut shares = [CONCENTRATION; INTERESTS];
        let mut seen = vec![false; ITEMS];
        for _ in 0..EVENTS {
            let interest = choice.sample(rng);
            shares[interest] += 1.0;
            seen[by_interest[interest].sample(rng)] = true;
        }
        normalize(&mut shares);
        let mixture = |shares: &[f64; INTERESTS], item: usize| -> f64 {
            shares.iter().zip(likelihood).map(|(share, row)| share * row[item]).sum()
        };
        let predictive = (0..ITEMS).map(|item| mixture(&shares, item).ln()).collect();
        let unseen = |item: usize| f64::from(u8::from(!seen[item]));
        let mut truth: Vec<f64> =
            (0..ITEMS).map(|item| unseen(item) * mixture(&theta, item)).collect();
        normalize(&mut truth);
        Ok(Self { id: format!("user-{user}"), shares, seen, predictive, truth })
    }
}

/// A unit vector around a mean.
fn direction(rng: &mut impl Rng, mean: &[f64; EMBEDDING_DIM]) -> [f64; EMBEDDING_DIM] {
    let vector = mean.map(|x| {
        let noise: f64 = rng.sample(StandardNormal);
        x + noise
    });
    let norm = vector.iter().map(|x| x * x).sum::<f64>().sqrt();
    vector.map(|x| x / norm)
}

fn normalize(weights: &mut [f64]) {
    let total: f64 = weights.iter().sum();
    weights.iter_mut().for_each(|x| *x /= total);
}

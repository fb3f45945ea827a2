//! What every recommender has to beat.

mod ease;
mod item_knn;
mod popularity;
mod random;
mod recency;

pub use ease::EaseBaseline;
pub use item_knn::{ItemKnn, ItemKnnConfig};
pub use popularity::Popularity;
pub use random::Random;
pub use recency::Recency;

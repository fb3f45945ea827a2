//! What a user does with an item that they chose, by domain.

use proclivity_schema::{Action, FollowTarget, Fraction, ItemIndex, Language, Rating};
use rand::RngExt;

use super::DAY;
use super::user::User;
use super::world::Place;
use crate::Domain;

const COMMENTS_CHINESE: [&str; 4] =
    ["说得太对了，收藏了。", "有没有新手能看懂的版本？", "我试过，确实管用。", "求更新后续！"];
const COMMENTS_ENGLISH: [&str; 4] = [
    "So true, saving this.",
    "Is there a version for beginners?",
    "Tried it, it really works.",
    "Please keep us posted!",
];

impl User<'_> {
    /// The choice as the domain logs it, and what follows.
    pub(super) fn take(
        &mut self,
        place: &Place,
        item: ItemIndex,
        from_slate: bool,
        shares: &[f64],
    ) {
        match place.domain {
            Domain::Shop => {
                let choice =
                    if from_slate { Action::Click { item } } else { Action::View { item } };
                self.then(20..240, place, choice);
                self.buy(place, item);
            }
            Domain::Video => self.watch(place, item, shares),
            Domain::Social => {
                self.then(20..240, place, Action::View { item });
                self.engage(place, item);
            }
        }
    }

    fn buy(&mut self, place: &Place, item: ItemIndex) {
        let quality = place.quality(item);
        if !self.rng.random_bool(0.35 * quality) {
            return;
        }
        self.then(10..120, place, Action::AddToCart { item });
        if !self.rng.random_bool(0.5) {
            return;
        }
        self.then(30..300, place, Action::Purchase { item, quantity: 1 });
        if self.rng.random_bool(0.5) {
            let stars = 1.0 + 4.0 * quality + self.rng.random_range(-1.0..1.0);
            if let Ok(rating) = Rating::new(stars.round().clamp(1.0, 5.0)) {
                self.then(3_600..7_200, place, Action::Rate { item, rating });
            }
        }
        let returned = self.world.config.return_probability;
        if returned > 0.0 && self.rng.random_bool(returned) {
            // Days later, while the visit goes on now.
            let now = self.clock;
            self.then(DAY..10 * DAY, place, Action::Return { item, quantity: 1 });
            self.clock = now;
        }
    }

    /// Good videos that fit are watched for longer, liked when seen, disliked when given up.
    fn watch(&mut self, place: &Place, item: ItemIndex, shares: &[f64]) {
        let quality = place.quality(item);
        let fit = self.world.fit(item, shares);
        let part = 0.1 + 0.5 * quality + 0.4 * fit + self.rng.random_range(-0.3..0.3);
        let part = (100.0 * part.clamp(0.02, 1.0)).round() / 100.0;
        let Ok(fraction) = Fraction::new(part) else { return };
        self.then(20..600, place, Action::Watch { item, fraction });
        if part > 0.6 && self.rng.random_bool(0.4 * quality) {
            self.then(1..10, place, Action::Like { item });
        } else if part < 0.35 && self.rng.random_bool(0.2) {
            self.then(1..10, place, Action::Dislike { item });
        }
    }

    fn engage(&mut self, place: &Place, item: ItemIndex) {
        let quality = place.quality(item);
        if self.rng.random_bool(0.4 * quality) {
            self.then(1..20, place, Action::Like { item });
        }
        if self.rng.random_bool(0.15 * quality) {
            let chinese = self.language == Language::CHINESE;
            let comments = if chinese { COMMENTS_CHINESE } else { COMMENTS_ENGLISH };
            let text = comments[self.rng.random_range(0..comments.len())].into();
            self.then(10..90, place, Action::Comment { item, text });
        }
        if self.rng.random_bool(0.1 * quality) {
            self.then(5..30, place, Action::Share { item });
        }
        if self.rng.random_bool(0.08 * quality) {
            let text = self.world.showcase.catalog().item(item).text(&self.language);
            let name = text.leaf_category().unwrap_or(&text.title).into();
            self.then(2..20, place, Action::Follow { target: FollowTarget::Topic, name });
        }
    }
}

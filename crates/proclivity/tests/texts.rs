//! The worked example at small scale: recommendations follow the items' texts, and no identifier.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::HashMap;
use std::sync::OnceLock;

use proclivity::data::{Showcase, Simulation, Simulator, split_users};
use proclivity::encoder::{ComputeDevice, TextEncoder, TrainConfig};
use proclivity::schema::{Catalog, Item, ItemId, Language, Log, LogBuilder, UserId, UserIndex};
use proclivity::{LearnConfig, Learned, LearningData, learn};

fn simulated() -> &'static (Showcase, Simulation) {
    static SIMULATED: OnceLock<(Showcase, Simulation)> = OnceLock::new();
    SIMULATED.get_or_init(|| {
        let shop = Showcase::shop().unwrap();
        let simulation = Simulator { users: 600, ..Simulator::default() }.run(&shop).unwrap();
        (shop, simulation)
    })
}

fn learned(catalog: &Catalog, log: &Log) -> Learned {
    let (shop, simulation) = simulated();
    let config = LearnConfig {
        training: TrainConfig { epochs: 5, tokens_per_epoch: 90_000, ..TrainConfig::default() },
        ..LearnConfig::default()
    };
    // Users 1 and 2 come first, the simulated ones after them.
    let groups = split_users(600, &[0.85, 0.15], 1).unwrap();
    let group = |at: usize| -> Vec<UserIndex> {
        groups[at].iter().map(|user| UserIndex(user.0 + 2)).collect()
    };
    let language =
        |user| simulation.truth(user).map_or(Language::CHINESE, |truth| truth.language.clone());
    let (training, validation) = (group(0), group(1));
    let data = LearningData {
        catalog,
        interests: shop.interests(),
        log,
        training: &training,
        validation: &validation,
    };
    let device: ComputeDevice = "flex".parse().unwrap();
    learn(&config, data, language, &device, &mut |_| {}).unwrap()
}

/// The catalog with the text fields of two items exchanged; ids, positions and prices stay.
fn exchanged(catalog: &Catalog, pairs: &[(&str, &str)]) -> Catalog {
    let partner: HashMap<&str, &str> = pairs.iter().flat_map(|&(a, b)| [(a, b), (b, a)]).collect();
    let items = catalog.items().iter().map(|item| {
        let Some(other) = partner.get(item.id().as_str()) else { return item.clone() };
        let texts = catalog.item(catalog.index(other).unwrap()).texts().to_vec();
        Item::new(item.id().clone(), texts).unwrap().with_price(item.price().unwrap().clone())
    });
    Catalog::new(items.collect()).unwrap()
}

/// What is recommended to a user of the worked example: the best five of the whole catalog, and
/// the better one of the example's items.
fn recommended(learned: &Learned, log: &Log, user: &str) -> (Vec<String>, String) {
    let recommender = &learned.recommender;
    let mut state = recommender.new_user();
    for event in log.history(log.user(user).unwrap()) {
        recommender.observe(&mut state, &event.action).unwrap();
    }
    let id = |item: u32| recommender.catalog().items()[item as usize].id().to_string();
    let ranking = recommender.recommend(&state, usize::MAX).unwrap();
    let ranked: Vec<String> = ranking.items.iter().map(|ranked| id(ranked.item)).collect();
    let best = ranked.iter().find(|id| id.starts_with("100") && id.len() == 4).unwrap().clone();
    (ranked[..5].to_vec(), best)
}

#[test]
fn recommendations_follow_the_texts() {
    let (shop, simulation) = simulated();
    for (pairs, next_of_1, next_of_2) in [
        (&[][..], "1004", "1003"),
        (&[("1004", "1005")][..], "1005", "1003"),
        (&[("1002", "1003")][..], "1004", "1002"),
        (&[("1004", "1005"), ("1002", "1003")][..], "1005", "1002"),
    ] {
        let learned = learned(&exchanged(shop.catalog(), pairs), &simulation.log);
        for (user, next) in [("1", next_of_1), ("2", next_of_2)] {
            let (top, best) = recommended(&learned, &simulation.log, user);
            assert_eq!(best, next, "user {user}, exchanged {pairs:?}");
            assert!(top.iter().any(|id| id == next), "user {user}, exchanged {pairs:?}: {top:?}");
        }
    }
}

#[test]
fn renaming_everyone_and_everything_changes_nothing_else() {
    let (shop, simulation) = simulated();
    let items = shop.catalog().items().iter().enumerate().map(|(position, item)| {
        let id = ItemId::new(&format!("sku/{:04}", (position * 7_919) % 10_007)).unwrap();
        Item::new(id, item.texts().to_vec()).unwrap()
    });
    let catalog = Catalog::new(items.collect()).unwrap();
    let mut log = LogBuilder::new();
    for event in simulation.log.events() {
        let id = UserId::new(&format!("u-{}", (event.user.get() * 7_919) % 100_003)).unwrap();
        log.push(id, event.time, event.action.clone()).unwrap();
    }
    let (before, after) =
        (learned(shop.catalog(), &simulation.log), learned(&catalog, &log.build()));
    assert_eq!(before.model.fingerprint(), after.model.fingerprint());
    for user in 0..20 {
        let states = [&before, &after].map(|learned| {
            let mut state = learned.recommender.new_user();
            for event in simulation.log.history(UserIndex(user)) {
                learned.recommender.observe(&mut state, &event.action).unwrap();
            }
            learned.recommender.log_probs(&state).unwrap()
        });
        assert_eq!(states[0], states[1]);
    }
}

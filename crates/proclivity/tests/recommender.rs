//! The recommender on vectors made by hand: laws, explanations, and what it refuses.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use ndarray::{Array2, array};
use proclivity::data::{Dataset, Preset};
use proclivity::posterior::Predictive;
use proclivity::schema::{
    Action, Catalog, Embedding, Interest, Item, ItemIndex, ItemText, Language,
};
use proclivity::{
    ProclivityError, Recommender, RecommenderConfig, Source, TrainingData, UserState, ViewWeights,
    fuse_item_views,
};

fn catalog(items: usize) -> Catalog {
    let item = |n: usize| {
        let text = ItemText::title(Language::ENGLISH, format!("item {n}"));
        Item::new((n as u64).into(), vec![text]).unwrap()
    };
    Catalog::new((0..items).map(item).collect()).unwrap()
}

#[test]
fn pictures_tell_apart_what_texts_do_not() {
    let picture = |values: [f32; 2]| Embedding::new(values.to_vec()).unwrap();
    let pictures = [Some(picture([1.0, 0.0])), Some(picture([0.0, 1.0])), None];
    let catalog = catalog(3)
        .map(|index, item| {
            Ok(match pictures[index.get()].clone() {
                Some(embedding) => item.with_image(embedding),
                None => item,
            })
        })
        .unwrap();
    let texts = array![[1.0, 0.0], [1.0, 0.0], [1.0, 0.0]];
    let weights = ViewWeights { image: 1.0, ..ViewWeights::default() };
    let fused = fuse_item_views(texts.view(), &catalog, &weights).unwrap();
    assert_eq!(fused.dim(), (3, 4), "no item has a sound");
    assert!((fused.row(0).dot(&fused.row(1)) - 0.5).abs() < 1e-6);
    assert!((fused.row(0).dot(&fused.row(2)) - 0.5_f32.sqrt()).abs() < 1e-6);
    let mixed = catalog
        .map(|index, item| {
            Ok(if index.get() == 2 { item.with_image(Embedding::new(vec![1.0])?) } else { item })
        })
        .unwrap();
    assert!(matches!(
        fuse_item_views(texts.view(), &mixed, &weights),
        Err(ProclivityError::Count { expected: 2, got: 1, .. })
    ));
}

fn interests() -> Vec<Interest> {
    ["a", "b"].map(|id| Interest { id: id.to_owned(), texts: Vec::new() }).to_vec()
}

/// Items 0 to 2 are about the first interest, 3 to 5 about the second.
fn embeddings() -> Array2<f32> {
    array![[1.0, 0.0], [0.96, 0.28], [0.8, 0.6], [0.6, 0.8], [0.28, 0.96], [0.0, 1.0]]
}

fn data<'a>(sequences: &'a [&'a [u32]]) -> TrainingData<'a> {
    TrainingData {
        item_embeddings: embeddings(),
        interest_embeddings: array![[1.0, 0.0], [0.0, 1.0]],
        sequences,
        validation: sequences,
        first_item: None,
    }
}

fn recommender() -> Recommender {
    let sequences: [&[u32]; 6] = [&[0, 1, 2], &[1, 0], &[3, 4, 5], &[5, 3], &[2, 1, 0], &[4, 5, 3]];
    let config = RecommenderConfig::default();
    Recommender::fit(config, catalog(6), interests(), data(&sequences)).unwrap()
}

fn view(item: u32) -> Action {
    Action::View { item: ItemIndex(item) }
}

fn user(recommender: &Recommender, actions: &[Action]) -> UserState {
    let mut state = recommender.new_user();
    for action in actions {
        recommender.observe(&mut state, action).unwrap();
    }
    state
}

#[test]
fn probabilities_sum_to_one_and_follow_the_history() {
    let recommender = recommender();
    for actions in [vec![], vec![view(0)], vec![view(4), Action::Dismiss { item: ItemIndex(0) }]] {
        let log_probs = recommender.log_probs(&user(&recommender, &actions)).unwrap();
        // The kernel's weights are f32.
        assert!((log_probs.iter().map(|p| p.exp()).sum::<f64>() - 1.0).abs() < 1e-6);
    }
    let state = user(&recommender, &[view(0), view(1)]);
    let ranking = recommender.recommend(&state, 2).unwrap();
    assert_eq!(ranking.items[0].item, 2, "what was seen is left out, what is alike comes first");
    let mut out = [0.0; 6];
    Predictive::log_probs(&recommender, &[0, 1], &mut out);
    assert_eq!(out.to_vec(), recommender.log_probs(&state).unwrap());
}

#[test]
fn an_explanation_is_the_whole_probability() {
    let recommender = recommender();
    let dismissed = Action::Dismiss { item: ItemIndex(5) };
    let state = user(&recommender, &[view(0), dismissed, view(1), view(0)]);
    let shares = recommender.explain(&state, 2).unwrap();
    assert!((shares.iter().map(|s| s.share).sum::<f64>() - 1.0).abs() < 1e-9);
    let of = |source| shares.iter().find(|s| s.source == source).map_or(0.0, |s| s.share);
    assert!(of(Source::Event(2)) > 0.1);
    assert_eq!(of(Source::Event(1)), 0.0, "a dismissal gives nothing to what it is not about");
    assert_eq!(recommender.explain(&recommender.new_user(), 2).unwrap().len(), 5 - 4);
}

#[test]
fn a_described_user_starts_from_their_words() {
    let recommender = recommender();
    let state = recommender.new_user_from_text(array![0.0_f32, 1.0].view(), 6.0).unwrap();
    let top = recommender.recommend(&state, 3).unwrap();
    assert!(top.items.iter().all(|ranked| ranked.item >= 3), "{top:?}");
    let prior = recommender.new_user().prior().strength();
    assert!((state.prior().strength() - prior - 6.0).abs() < 1e-9);
    let shares = recommender.explain(&state, 5).unwrap();
    assert_eq!(shares[0].source, Source::Prior);
    assert!(recommender.new_user_from_text(array![1.0_f32].view(), 6.0).is_err());
    assert!(recommender.new_user_from_text(array![f32::NAN, 0.0].view(), 6.0).is_err());
    assert!(recommender.new_user_from_text(array![1.0_f32, 0.0].view(), -99.0).is_err());
}

#[test]
fn a_list_longer_than_the_catalog_is_short_and_says_so() {
    let recommender = recommender();
    let ranking = recommender.recommend(&user(&recommender, &[view(0)]), 99).unwrap();
    assert!(ranking.is_short());
    assert_eq!((ranking.items.len(), ranking.admissible, ranking.requested), (5, 5, 99));
    let all: Vec<Action> = (0..6).map(view).collect();
    assert!(recommender.recommend(&user(&recommender, &all), 3).unwrap().items.is_empty());
}

#[test]
fn a_catalog_of_one_item_works() {
    let data = TrainingData {
        item_embeddings: array![[1.0, 0.0]],
        interest_embeddings: array![[1.0, 0.0], [0.0, 1.0]],
        sequences: &[],
        validation: &[&[0]],
        first_item: None,
    };
    let config = RecommenderConfig::default();
    let recommender = Recommender::fit(config, catalog(1), interests(), data).unwrap();
    let ranking = recommender.recommend(&recommender.new_user(), 1).unwrap();
    assert!((ranking.items[0].probability - 1.0).abs() < 1e-12);
}

#[test]
fn what_does_not_fit_together_is_refused_and_leaves_no_trace() {
    let sequences: [&[u32]; 1] = [&[0, 1]];
    let fit = |catalog, interests, data| {
        Recommender::fit(RecommenderConfig::default(), catalog, interests, data).map(|_| ())
    };
    assert!(matches!(
        fit(catalog(0), interests(), data(&sequences)),
        Err(ProclivityError::Empty { what: "items" })
    ));
    assert!(matches!(
        fit(catalog(5), interests(), data(&sequences)),
        Err(ProclivityError::Count { what: "item embeddings", expected: 5, got: 6 })
    ));
    assert!(matches!(
        fit(catalog(6), Vec::new(), data(&sequences)),
        Err(ProclivityError::Empty { what: "interests" })
    ));
    let outside: [&[u32]; 1] = [&[0, 6]];
    assert!(fit(catalog(6), interests(), data(&outside)).is_err());
    assert!(fit(catalog(6), interests(), data(&[])).is_err(), "an empty log");

    let recommender = recommender();
    let mut state = user(&recommender, &[view(0)]);
    let before = state.clone();
    assert!(matches!(recommender.observe(&mut state, &view(6)), Err(ProclivityError::Schema(_))));
    assert_eq!(state, before);
    let json = serde_json::to_string(&state).unwrap();
    assert_eq!(serde_json::from_str::<UserState>(&json).unwrap(), state);
    assert!(serde_json::from_str::<UserState>(&json[..json.len() / 2]).is_err());
}

#[test]
fn an_unknown_data_set_says_which_there_are() {
    let error = "netflix".parse::<Preset>().unwrap_err().to_string();
    assert!(error.contains("ml-100k"), "{error}");
    let missing = proclivity::data::load(Preset::Beauty, std::path::Path::new("/nowhere"));
    assert!(missing.map(|_: Dataset| ()).unwrap_err().to_string().contains("/nowhere"));
}

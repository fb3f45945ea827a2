//! A small shop in two languages, and events in it.

use proclivity_schema::{
    Action, Catalog, Event, FollowTarget, Fraction, Item, ItemId, ItemIndex, ItemText, Language,
    Rating, UserIndex,
};

const ZH: Language = Language::CHINESE;
const EN: Language = Language::ENGLISH;

pub(crate) const A: ItemIndex = ItemIndex(0);
pub(crate) const B: ItemIndex = ItemIndex(1);
pub(crate) const C: ItemIndex = ItemIndex(2);

pub(crate) fn event(action: Action) -> Event {
    Event::new(UserIndex(0), None, action)
}

pub(crate) fn text(
    language: Language,
    title: &str,
    category: &[&str],
    description: &str,
) -> ItemText {
    ItemText {
        categories: vec![category.iter().map(|part| (*part).to_owned()).collect()],
        description: description.to_owned(),
        ..ItemText::title(language, title)
    }
}

/// A catalog of items with these ids; their titles stay the same.
pub(crate) fn catalog_with_ids(ids: [ItemId; 3]) -> Catalog {
    let texts = [
        vec![
            text(ZH, "35mm 胶片相机", &["摄影", "胶片摄影"], "全机械快门，附皮套。"),
            text(EN, "35mm film camera", &["Photography", "Film photography"], "Fully mechanical."),
        ],
        vec![
            text(ZH, "黑白胶卷", &["摄影", "胶片摄影"], "ISO 400"),
            text(EN, "Black-and-white film", &["Photography", "Film photography"], "ISO 400"),
        ],
        vec![text(ZH, "手冲咖啡壶", &[], ""), text(EN, "Pour-over kettle", &[], "")],
    ];
    let items = ids.into_iter().zip(texts);
    Catalog::new(items.map(|(id, texts)| Item::new(id, texts).unwrap()).collect()).unwrap()
}

pub(crate) fn catalog() -> Catalog {
    catalog_with_ids([1001.into(), 1002.into(), 1003.into()])
}

/// Every kind, some of them more than once in a row.
pub(crate) fn every_kind() -> Vec<Event> {
    let rating = |value| Rating::new(value).unwrap();
    let follow = |target, name: &str| Action::Follow { target, name: name.into() };
    [
        Action::View { item: A },
        Action::View { item: B },
        Action::View { item: C },
        Action::Search { query: "咖啡豆".into() },
        Action::Search { query: "men's \"shoes\"".into() },
        Action::Click { item: C },
        Action::AddToCart { item: A },
        Action::AddToCart { item: C },
        Action::RemoveFromCart { item: C },
        Action::Purchase { item: A, quantity: 1 },
        Action::Purchase { item: B, quantity: 3 },
        Action::Return { item: A, quantity: 1 },
        Action::Return { item: B, quantity: 2 },
        Action::Rate { item: A, rating: rating(5.0) },
        Action::Rate { item: B, rating: rating(4.5) },
        Action::Like { item: A },
        Action::Dislike { item: B },
        follow(FollowTarget::Topic, "摄影"),
        follow(FollowTarget::User, "Ann"),
        follow(FollowTarget::Group, "胶片社"),
        Action::Share { item: A },
        Action::Comment { item: A, text: "很好“用”".into() },
        Action::Comment { item: B, text: "".into() },
        Action::Watch { item: C, fraction: Fraction::new(0.375).unwrap() },
        Action::Watch { item: A, fraction: Fraction::new(1.0).unwrap() },
        Action::Skip { item: B },
        Action::Dismiss { item: C },
        Action::Impression { item: A, position: 0 },
    ]
    .map(event)
    .to_vec()
}

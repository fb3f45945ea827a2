//! E-commerce, online video and social media logs fit the schema and survive JSON.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use proclivity_schema::{
    Action, Catalog, Embedding, Event, EventDetails, FollowTarget, Fraction, Item, ItemIndex,
    ItemText, Language, Log, LogBuilder, Price, Rating, Timestamp, UserId,
};

const FIRST: ItemIndex = ItemIndex(0);

fn item(id: u64, title: &str, categories: &[&[&str]]) -> Item {
    let path = |path: &&[&str]| path.iter().map(|&part| part.to_owned()).collect();
    let mut text = ItemText::title(Language::ENGLISH, title);
    text.categories = categories.iter().map(path).collect();
    Item::new(id.into(), vec![text]).unwrap()
}

fn log(actions: Vec<(Action, EventDetails)>) -> Log {
    let mut builder = LogBuilder::new();
    for (second, (action, details)) in (1_609_495_200..).zip(actions) {
        let user = builder.user("u-1").unwrap();
        let time = Timestamp::from_seconds(second).unwrap();
        builder.push_event(Event::new(user, Some(time), action).with_details(details));
    }
    builder.build()
}

fn survives(catalog: &Catalog, log: &Log) {
    let json = serde_json::to_string(log).unwrap();
    assert_eq!(serde_json::from_str::<Log>(&json).unwrap(), *log);
    let json = serde_json::to_string(catalog).unwrap();
    assert_eq!(serde_json::from_str::<Catalog>(&json).unwrap(), *catalog);
}

fn none() -> EventDetails {
    EventDetails::default()
}

#[test]
fn a_shop() {
    let kettle = item(1001, "Pour-over kettle", &[&["Kitchen", "Kettles"], &["Gifts"]])
        .with_brand("Hearthline")
        .with_price(Price::new(59.9, "EUR").unwrap())
        .with_attribute("colour", "black")
        .with_image(Embedding::new(vec![0.6, 0.8]).unwrap());
    assert_eq!(kettle.texts()[0].leaf_category(), Some("Kettles"));
    assert_eq!(kettle.texts()[0].category_parts(), ["Kitchen", "Kettles", "Gifts"]);
    let invoice = EventDetails {
        session: Some("536365".into()),
        value: Some(Price::new(49.9, "EUR").unwrap()),
        context: [("country".into(), "France".into())].into(),
        ..none()
    };
    let log = log(vec![
        (Action::Search { query: "kettle".into() }, none()),
        (Action::Impression { item: FIRST, position: 3 }, none()),
        (Action::Click { item: FIRST }, none()),
        (Action::View { item: FIRST }, none()),
        (Action::AddToCart { item: FIRST }, none()),
        (Action::RemoveFromCart { item: FIRST }, none()),
        (Action::Purchase { item: FIRST, quantity: 2 }, invoice.clone()),
        (Action::Return { item: FIRST, quantity: 1 }, invoice),
        (Action::Rate { item: FIRST, rating: Rating::new(4.5).unwrap() }, none()),
    ]);
    assert_eq!(log.events()[6].session(), Some("536365"));
    survives(&Catalog::new(vec![kettle]).unwrap(), &log);
}

#[test]
fn a_video_platform() {
    let film = item(7, "Night trains", &[&["Documentary"], &["Travel"]])
        .with_domain("video")
        .with_published("2020-05-01T00:00:00Z".parse().unwrap())
        .with_audio(Embedding::new(vec![1.0]).unwrap());
    let on_tv = EventDetails {
        domain: Some("video".into()),
        context: [("device".into(), "tv".into())].into(),
        ..none()
    };
    let log = log(vec![
        (Action::Watch { item: FIRST, fraction: Fraction::new(0.83).unwrap() }, on_tv),
        (Action::Like { item: FIRST }, none()),
        (Action::Dislike { item: FIRST }, none()),
        (Action::Skip { item: FIRST }, none()),
        (Action::Dismiss { item: FIRST }, none()),
    ]);
    assert_eq!(log.events()[0].domain(), Some("video"));
    survives(&Catalog::new(vec![film]).unwrap(), &log);
}

#[test]
fn a_social_network() {
    let post = item(99, "First loaf of the year", &[&["Baking"]]);
    let follow = |target, name: &str| Action::Follow { target, name: name.into() };
    let log = log(vec![
        (follow(FollowTarget::User, "@miller"), none()),
        (follow(FollowTarget::Group, "Sourdough beginners"), none()),
        (follow(FollowTarget::Topic, "rye"), none()),
        (Action::Comment { item: FIRST, text: "烤得真漂亮！".into() }, none()),
        (Action::Share { item: FIRST }, none()),
    ]);
    survives(&Catalog::new(vec![post]).unwrap(), &log);
}

#[test]
fn foreign_and_damaged_forms_are_refused() {
    let log = log(vec![(Action::View { item: FIRST }, none())]);
    let json = serde_json::to_string(&log).unwrap();
    for (from, to, error) in [
        (r#""schema_version":1"#, r#""schema_version":2"#, "schema version 2, expected 1"),
        (r#""user":0"#, r#""user":1"#, "event 0 (from 0) is of user 1"),
        (r#"["u-1"]"#, r#"["u-1","u-1"]"#, "stands twice"),
        (r#""kind":"view""#, r#""kind":"veiw""#, "unknown variant"),
        (r#""item":0"#, r#""item":0,"colour":1"#, "unknown field"),
    ] {
        let damaged = json.replacen(from, to, 1);
        assert_ne!(damaged, json, "{from}");
        let got = serde_json::from_str::<Log>(&damaged).unwrap_err().to_string();
        assert!(got.contains(error), "{got}");
    }
}

#[test]
fn events_are_small() {
    assert_eq!(size_of::<Event>(), 48);
    assert_eq!(size_of::<Option<Timestamp>>(), 8);
}

#[test]
fn logs_merge_by_user_id() {
    let view = |user: u64, item| {
        let mut builder = LogBuilder::new();
        builder.push(user.into(), None, Action::View { item: ItemIndex(item) }).unwrap();
        builder.build()
    };
    let merged = view(1, 0).merge(view(2, 1)).unwrap().merge(view(1, 2)).unwrap();
    assert_eq!(merged.user_ids(), [UserId::from(1), UserId::from(2)]);
    assert_eq!(merged.history(merged.user("1").unwrap()).len(), 2);
}

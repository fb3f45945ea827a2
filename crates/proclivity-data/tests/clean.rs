//! Each cleaning step, and that what it removes and keeps add up.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use proclivity_data::{
    Bots, Cleaning, CleaningReport, CleaningStep, DataError, Dataset, EventMapping, EventReader,
    Format, Input,
};
use proclivity_schema::{Action, Event, EventDetails, EventKind, Item, ItemText, Language};
use proptest::prelude::*;

fn dataset(rows: &str) -> Dataset {
    let csv = format!("user_id,item_id,event,timestamp,value\n{rows}");
    EventReader::new(EventMapping::canonical(), Format::csv())
        .with_duplicates_removed(false)
        .read([Input::reader("log.csv", csv.as_bytes())])
        .unwrap()
}

fn clean(rows: &str, step: CleaningStep) -> (Dataset, CleaningReport) {
    Cleaning::new([step]).run(dataset(rows)).unwrap()
}

/// `user item kind seconds` of every event that is left.
fn left(dataset: &Dataset) -> Vec<String> {
    let of_event = |event: &Event| {
        let item = event.action.item().map(|item| dataset.catalog.item(item).id().to_string());
        let seconds = event.time.unwrap().as_micros() / 1_000_000;
        let (user, kind) = (dataset.log.user_id(event.user), event.action.kind());
        format!("{user} {} {kind} {seconds}", item.unwrap_or_default())
    };
    dataset.log.events().iter().map(of_event).collect()
}

#[test]
fn repeats_are_counted_from_the_last_that_was_kept() {
    let rows = "u,a,view,0,\nu,a,view,0,\nu,a,view,5,\nu,a,view,9,\nu,b,view,9,\nu,a,view,11,\nu,a,click,11,\n\
                u,a,purchase,20,1\nu,a,purchase,21,1\nu,a,purchase,22,2\nv,a,view,5,\n";
    let (exact, report) = clean(rows, CleaningStep::ExactDuplicates);
    assert_eq!((report.steps[0].removed, exact.log.event_count()), (1, 10));
    let (near, _) = clean(rows, CleaningStep::NearDuplicates { seconds: 10 });
    assert_eq!(
        left(&near),
        [
            "u a view 0",
            "u b view 9",
            "u a view 11",
            "u a click 11",
            "u a purchase 20",
            "u a purchase 22",
            "v a view 5"
        ]
    );
    let (views, _) = clean(rows, CleaningStep::RepeatedViews { seconds: 5 });
    let kept = ["u a view 0", "u a view 9", "u b view 9", "u a click 11", "u a purchase 20"];
    assert_eq!(left(&views)[..5], kept);
    assert_eq!(views.log.event_count(), 8);
}

#[test]
fn bounds_kinds_and_ratings() {
    let rows = "u,a,view,10,\nu,a,rate,20,2\nu,a,rate,30,4\nu,,search,40,tea\n";
    let at = |seconds: i64| Some(proclivity_schema::Timestamp::from_seconds(seconds).unwrap());
    let (bounded, _) = clean(rows, CleaningStep::TimeBounds { from: at(20), until: at(40) });
    assert_eq!(left(&bounded), ["u a rate 20", "u a rate 30"]);
    let (kinds, _) = clean(rows, CleaningStep::Kinds { keep: vec![EventKind::Search] });
    assert_eq!(left(&kinds), ["u  search 40"]);
    let items = vec!["a".to_owned().try_into().unwrap()];
    let (without, _) = clean(rows, CleaningStep::RemoveItems { items });
    assert_eq!(left(&without), ["u  search 40"]);
    let (rated, _) = clean(rows, CleaningStep::MinimumRating { rating: 3.0 });
    assert_eq!(left(&rated), ["u a view 10", "u a rate 30", "u  search 40"]);
}

#[test]
fn machines_go_and_people_stay() {
    // One event each minute to the second; one a second for an hour; a person.
    let regular: String = (0..60).map(|n| format!("clock,a,view,{},\n", n * 60)).collect();
    let fast: String = (0..900).map(|n| format!("fast,a,view,{},\n", n + n % 3)).collect();
    let person: String =
        (0_i64..60).map(|n| format!("person,a,view,{},\n", n * n * 97 + n % 7)).collect();
    let (dataset, report) =
        clean(&[regular, fast, person].concat(), CleaningStep::Bots(Bots::default()));
    assert_eq!(report.steps[0].users, 1);
    assert_eq!(dataset.log.history(dataset.log.user("person").unwrap()).len(), 60);
    // Users keep their index.
    assert_eq!(dataset.log.user_count(), 3);
    // An import without a clock is no machine.
    let at_once: String = (0..100).map(|_| "u,a,view,5,\n").collect();
    let (dataset, _) = clean(&at_once, CleaningStep::Bots(Bots::default()));
    assert_eq!(dataset.log.event_count(), 100);
}

#[test]
fn returns_are_taken_off_the_latest_purchases() {
    let (dataset, report) = clean(
        "u,a,purchase,1,3\nu,a,purchase,2,2\nu,b,purchase,3,1\nu,a,return,4,3\nu,b,return,5,2\nu,a,purchase,6,1\n\
         v,a,return,1,1\n",
        CleaningStep::NetReturns,
    );
    let of = |id: &str| -> Vec<Action> {
        let history = dataset.log.history(dataset.log.user(id).unwrap());
        history.iter().map(|event| event.action.clone()).collect()
    };
    let [a, b] = ["a", "b"].map(|id| dataset.catalog.index(id).unwrap());
    assert_eq!(
        of("u"),
        [
            Action::Purchase { item: a, quantity: 2 },
            Action::Return { item: b, quantity: 1 },
            Action::Purchase { item: a, quantity: 1 },
        ]
    );
    assert_eq!(of("v"), [Action::Return { item: a, quantity: 1 }]);
    assert_eq!((report.steps[0].removed, report.steps[0].changed), (3, 2));
}

#[test]
fn sessions_begin_after_a_pause_and_given_ones_stay() {
    let (dataset, report) = clean(
        "u,a,view,0,\nu,a,view,10,\nu,a,view,100,\nv,a,view,5,\n",
        CleaningStep::Sessions { gap_seconds: 60 },
    );
    let sessions: Vec<_> =
        dataset.log.events().iter().map(|event| event.session().unwrap()).collect();
    assert_eq!(sessions, ["1", "1", "2", "1"]);
    assert_eq!(report.steps[0].changed, 4);
    let (again, report) =
        Cleaning::new([CleaningStep::Sessions { gap_seconds: 1 }]).run(dataset.clone()).unwrap();
    assert_eq!((again, report.steps[0].changed), (dataset, 0));
    // A session of the log's own that is called 1 stays alone.
    let mut own = self::dataset("u,a,view,0,\nu,a,view,10,\n");
    let mut first = true;
    own.log = own.log.filter_map(|event| {
        let details = EventDetails { session: Some("1".into()), ..EventDetails::default() };
        Some(if std::mem::take(&mut first) { event.with_details(details) } else { event })
    });
    let (own, _) = Cleaning::new([CleaningStep::Sessions { gap_seconds: 60 }]).run(own).unwrap();
    let sessions: Vec<_> = own.log.events().iter().filter_map(Event::session).collect();
    assert_eq!(sessions, ["1", "2"]);
}

#[test]
fn texts_come_into_one_form() {
    let mut dataset = dataset("u,a,view,0,\nu,,search,1,\"ｔｅａ &amp;\n  cup\"\n");
    dataset.catalog = dataset
        .catalog
        .map(|_, item| {
            Item::new(
                item.id().clone(),
                vec![ItemText::title(Language::ENGLISH, "Ｔea&#39;s \u{a0}cup")],
            )
        })
        .unwrap();
    let (clean, report) = Cleaning::new([CleaningStep::NormalizeText]).run(dataset).unwrap();
    assert_eq!(clean.catalog.items()[0].texts()[0].title, "Tea's cup");
    assert_eq!(clean.log.events()[1].action, Action::Search { query: "tea & cup".into() });
    assert_eq!(report.steps[0].changed, 2);

    // Nothing is left of such a title, which stays.
    let mut blank = self::dataset("u,a,view,0,\n");
    let texts = vec![ItemText::title(Language::ENGLISH, "&nbsp;")];
    blank.catalog = blank.catalog.map(|_, item| item.with_texts(texts.clone())).unwrap();
    let (clean, report) = Cleaning::new([CleaningStep::NormalizeText]).run(blank).unwrap();
    assert_eq!(clean.catalog.items()[0].texts(), texts);
    assert_eq!(report.steps[0].changed, 0);
}

#[test]
fn odd_histories_take_time_in_proportion() {
    // A quadratic step would not come back from these.
    let doubles: String = (0..100_000).map(|n| format!("u,i{n},click,5,\n")).collect();
    let (clean, _) = self::clean(&doubles, CleaningStep::NearDuplicates { seconds: 10 });
    assert_eq!(clean.log.event_count(), 100_000);
    let returns: String = (0..200_000).map(|n| format!("u,a,return,{n},1\n")).collect();
    let (clean, _) = self::clean(&returns, CleaningStep::NetReturns);
    assert_eq!(clean.log.event_count(), 200_000);
    // A chain of users and items falls apart from its end, one after the other.
    let chain: String =
        (0..100_000).map(|n| format!("u{n},i{n},view,0,\nu{n},i{},view,1,\n", n + 1)).collect();
    let (clean, _) = self::clean(&chain, CleaningStep::KCore { user: 2, item: 2 });
    assert_eq!(clean.log.event_count(), 0);
}

#[test]
fn untitled_items_are_unknown() {
    let (dataset, _) = clean("u,a,view,0,\nu,,search,1,tea\n", CleaningStep::UnknownItems);
    assert_eq!(left(&dataset), ["u  search 1"]);
}

#[test]
fn parameters_out_of_range_are_named_and_steps_are_data() {
    for (step, parameter) in [
        (CleaningStep::MinimumRating { rating: f32::NAN }, "rating"),
        (CleaningStep::Bots(Bots { events_per_hour: 0, ..Bots::default() }), "events_per_hour"),
        (CleaningStep::Bots(Bots { regularity: f64::NAN, ..Bots::default() }), "regularity"),
        (CleaningStep::Bots(Bots { fewest_events: 2, ..Bots::default() }), "fewest_events"),
    ] {
        match Cleaning::new([step]).run(dataset("u,a,view,0,\n")).unwrap_err() {
            DataError::Parameter { name, .. } => assert_eq!(name, parameter),
            other => panic!("{other}"),
        }
    }
    let json = r#"["exact_duplicates",{"k_core":{"user":5,"item":5}},{"bots":{"regularity":0.2}}]"#;
    let cleaning: Cleaning = serde_json::from_str(json).unwrap();
    let expected = Bots { regularity: 0.2, ..Bots::default() };
    assert_eq!(
        cleaning,
        Cleaning::new([
            CleaningStep::ExactDuplicates,
            CleaningStep::KCore { user: 5, item: 5 },
            CleaningStep::Bots(expected),
        ])
    );
}

proptest! {
    #[test]
    fn the_k_core_is_that_of_a_naive_loop(
        pairs in prop::collection::vec((0_u8..6, 0_u8..6), 1..60),
        user in 0_usize..4,
        item in 0_usize..4,
    ) {
        let rows: String = pairs
            .iter()
            .enumerate()
            .map(|(second, (user, item))| format!("u{user},i{item},view,{second},\n"))
            .collect();
        let mut naive = pairs.clone();
        loop {
            let (mut users, mut items) = (BTreeMap::new(), BTreeMap::new());
            for (user, item) in &naive {
                *users.entry(*user).or_insert(0) += 1;
                *items.entry(*item).or_insert(0) += 1;
            }
            let before = naive.len();
            naive.retain(|pair| users[&pair.0] >= user && items[&pair.1] >= item);
            if naive.len() == before {
                break;
            }
        }
        let (dataset, report) = clean(&rows, CleaningStep::KCore { user, item });
        let mut got: Vec<(String, String)> = dataset
            .log
            .events()
            .iter()
            .map(|event| {
                let item = dataset.catalog.item(event.action.item().unwrap()).id().to_string();
                (dataset.log.user_id(event.user).to_string(), item)
            })
            .collect();
        let mut expected: Vec<(String, String)> =
            naive.iter().map(|(user, item)| (format!("u{user}"), format!("i{item}"))).collect();
        got.sort();
        expected.sort();
        prop_assert_eq!(got, expected);
        let step = &report.steps[0];
        prop_assert_eq!(step.before, step.removed + step.after);
    }

    #[test]
    fn netting_keeps_every_balance(rows in prop::collection::vec((any::<bool>(), 0_u8..2, 1_u32..4), 1..20)) {
        let csv: String = rows
            .iter()
            .enumerate()
            .map(|(second, (buys, item, quantity))| {
                let kind = if *buys { "purchase" } else { "return" };
                format!("u,i{item},{kind},{second},{quantity}\n")
            })
            .collect();
        let balance = |dataset: &Dataset| -> BTreeMap<String, i64> {
            let mut balance = BTreeMap::new();
            for event in dataset.log.events() {
                let (item, change) = match event.action {
                    Action::Purchase { item, quantity } => (item, i64::from(quantity)),
                    Action::Return { item, quantity } => (item, -i64::from(quantity)),
                    _ => unreachable!(),
                };
                *balance.entry(dataset.catalog.item(item).id().to_string()).or_insert(0) += change;
            }
            balance.retain(|_, &mut balance| balance != 0);
            balance
        };
        let (netted, _) = clean(&csv, CleaningStep::NetReturns);
        prop_assert_eq!(balance(&netted), balance(&dataset(&csv)));
    }
}

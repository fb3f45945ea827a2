//! The manners of the rich form: groups, orders, relative times, counts, ratings in words.

use crate::shop::{A, B, C, catalog, event, every_kind};
use proclivity_schema::{Action, Event, EventDetails, Rating, Timestamp, UserIndex};
use proclivity_text::{Grouping, Locale, Order, RatingScale, RichOptions, history_text};
use proptest::prelude::*;

fn at(time: &str, session: &str, action: Action) -> Event {
    let event = Event::new(UserIndex(0), Some(time.parse().unwrap()), action);
    let session = (!session.is_empty()).then(|| session.into());
    event.with_details(EventDetails { session, ..EventDetails::default() })
}

fn events() -> Vec<Event> {
    let rate = |item, rating| Action::Rate { item, rating: Rating::new(rating).unwrap() };
    vec![
        at("2020-12-31 23:59:59", "x", Action::View { item: A }),
        at("2021-01-03 08:00:00", "y", Action::View { item: B }),
        at("2021-01-03 08:01:00", "y", Action::Search { query: "film".into() }),
        at("2021-01-03 08:02:00", "y", Action::View { item: B }),
        at("2021-01-03 09:00:00", "", Action::Purchase { item: B, quantity: 2 }),
        at("2021-01-03 09:00:00", "", Action::Purchase { item: B, quantity: 2 }),
        at("2021-01-04 10:00:00", "x", Action::View { item: C }),
        at("2021-01-04 10:00:00", "x", rate(C, 5.0)),
        at("2021-01-04 10:00:30", "x", rate(A, 2.0)),
        event(Action::Like { item: A }),
    ]
}

fn said(options: &RichOptions) -> String {
    [Locale::chinese(), Locale::english()]
        .map(|locale| history_text(&events(), &catalog(), locale, options))
        .join("\n")
}

fn now() -> Option<Timestamp> {
    Some("2021-01-04 10:01:00".parse().unwrap())
}

#[test]
fn by_kind() {
    let options = RichOptions { grouping: Grouping::Kind, ..RichOptions::default() };
    insta::assert_snapshot!(said(&options), @r#"
    浏览「35mm 胶片相机」「黑白胶卷」「黑白胶卷」「手冲咖啡壶」。搜索“film”。购买「黑白胶卷」2 件，「黑白胶卷」2 件。给「手冲咖啡壶」打 5 分，「35mm 胶片相机」打 2 分。点赞「35mm 胶片相机」。
    Viewed "35mm film camera", "Black-and-white film", "Black-and-white film" and "Pour-over kettle". Searched for 'film'. Bought "Black-and-white film" ×2, "Black-and-white film" ×2. Rated "Pour-over kettle" 5, "35mm film camera" 2. Liked "35mm film camera".
    "#);
    let options =
        RichOptions { with_counts: true, order: Order::NewestFirst, now: now(), ..options };
    insta::assert_snapshot!(said(&options), @r#"
    点赞「35mm 胶片相机」。给「35mm 胶片相机」打 2 分（刚刚），「手冲咖啡壶」打 5 分（1 分钟前）。浏览「手冲咖啡壶」（1 分钟前），「黑白胶卷」2 次（1 天前），「35mm 胶片相机」（3 天前）。购买「黑白胶卷」2 件（2 次）（1 天前）。搜索“film”（1 天前）。
    Liked "35mm film camera". Rated "35mm film camera" 2 (just now), "Pour-over kettle" 5 (1 minute ago). Viewed "Pour-over kettle" (1 minute ago), "Black-and-white film" 2 times (1 day ago), "35mm film camera" (3 days ago). Bought "Black-and-white film" ×2 (2 times) (1 day ago). Searched for 'film' (1 day ago).
    "#);
}

#[test]
fn by_day() {
    let options = RichOptions { grouping: Grouping::Day, ..RichOptions::default() };
    insta::assert_snapshot!(said(&options), @r#"
    2020 年 12 月 31 日：浏览「35mm 胶片相机」。1 月 3 日：浏览「黑白胶卷」。搜索“film”。浏览「黑白胶卷」。购买「黑白胶卷」2 件。购买「黑白胶卷」2 件。1 月 4 日：浏览「手冲咖啡壶」。给「手冲咖啡壶」打 5 分。给「35mm 胶片相机」打 2 分。日期不详：点赞「35mm 胶片相机」。
    December 31, 2020: Viewed "35mm film camera". January 3: Viewed "Black-and-white film". Searched for 'film'. Viewed "Black-and-white film". Bought "Black-and-white film" ×2. Bought "Black-and-white film" ×2. January 4: Viewed "Pour-over kettle". Rated "Pour-over kettle" 5. Rated "35mm film camera" 2. On an unknown day: Liked "35mm film camera".
    "#);
    let options = RichOptions { order: Order::NewestFirst, now: now(), ..options };
    insta::assert_snapshot!(said(&options), @r#"
    日期不详：点赞「35mm 胶片相机」。1 月 4 日（刚刚）：给「35mm 胶片相机」打 2 分。给「手冲咖啡壶」打 5 分。浏览「手冲咖啡壶」。1 月 3 日（1 天前）：购买「黑白胶卷」2 件。购买「黑白胶卷」2 件。浏览「黑白胶卷」。搜索“film”。浏览「黑白胶卷」。2020 年 12 月 31 日（3 天前）：浏览「35mm 胶片相机」。
    On an unknown day: Liked "35mm film camera". January 4 (just now): Rated "35mm film camera" 2. Rated "Pour-over kettle" 5. Viewed "Pour-over kettle". January 3 (1 day ago): Bought "Black-and-white film" ×2. Bought "Black-and-white film" ×2. Viewed "Black-and-white film". Searched for 'film'. Viewed "Black-and-white film". December 31, 2020 (3 days ago): Viewed "35mm film camera".
    "#);
}

#[test]
fn by_session() {
    let options =
        RichOptions { grouping: Grouping::Session, with_counts: true, ..RichOptions::default() };
    insta::assert_snapshot!(said(&options), @r#"
    会话 1：浏览「35mm 胶片相机」。浏览「手冲咖啡壶」。给「手冲咖啡壶」打 5 分。给「35mm 胶片相机」打 2 分。会话 2：浏览「黑白胶卷」2 次。搜索“film”。会话之外：购买「黑白胶卷」2 件（2 次）。点赞「35mm 胶片相机」。
    Session 1: Viewed "35mm film camera". Viewed "Pour-over kettle". Rated "Pour-over kettle" 5. Rated "35mm film camera" 2. Session 2: Viewed "Black-and-white film" 2 times. Searched for 'film'. Outside of sessions: Bought "Black-and-white film" ×2 (2 times). Liked "35mm film camera".
    "#);
    let options = RichOptions { order: Order::NewestFirst, now: now(), ..options };
    insta::assert_snapshot!(said(&options), @r#"
    会话之外（1 天前）：点赞「35mm 胶片相机」。购买「黑白胶卷」2 件（2 次）。会话 1（刚刚）：给「35mm 胶片相机」打 2 分。给「手冲咖啡壶」打 5 分。浏览「手冲咖啡壶」。浏览「35mm 胶片相机」。会话 2（1 天前）：浏览「黑白胶卷」2 次。搜索“film”。
    Outside of sessions (1 day ago): Liked "35mm film camera". Bought "Black-and-white film" ×2 (2 times). Session 1 (just now): Rated "35mm film camera" 2. Rated "Pour-over kettle" 5. Viewed "Pour-over kettle". Viewed "35mm film camera". Session 2 (1 day ago): Viewed "Black-and-white film" 2 times. Searched for 'film'.
    "#);
}

#[test]
fn ungrouped() {
    let scale = Some(RatingScale::new(1.0, 5.0).unwrap());
    let options = RichOptions { with_counts: true, rating_scale: scale, ..RichOptions::default() };
    insta::assert_snapshot!(said(&options), @r#"
    浏览「35mm 胶片相机」。浏览「黑白胶卷」2 次。搜索“film”。购买「黑白胶卷」2 件（2 次）。浏览「手冲咖啡壶」。评价「手冲咖啡壶」：非常喜欢。评价「35mm 胶片相机」：不喜欢。点赞「35mm 胶片相机」。
    Viewed "35mm film camera". Viewed "Black-and-white film" 2 times. Searched for 'film'. Bought "Black-and-white film" ×2 (2 times). Viewed "Pour-over kettle". Rated "Pour-over kettle": loved it. Rated "35mm film camera": disliked it. Liked "35mm film camera".
    "#);
    let options = RichOptions { now: now(), order: Order::NewestFirst, ..options };
    insta::assert_snapshot!(said(&options), @r#"
    点赞「35mm 胶片相机」。刚刚评价「35mm 胶片相机」：不喜欢。1 分钟前评价「手冲咖啡壶」：非常喜欢。1 分钟前浏览「手冲咖啡壶」。1 天前购买「黑白胶卷」2 件（2 次）。1 天前浏览「黑白胶卷」2 次。1 天前搜索“film”。3 天前浏览「35mm 胶片相机」。
    Liked "35mm film camera". Rated "35mm film camera": disliked it just now. Rated "Pour-over kettle": loved it 1 minute ago. Viewed "Pour-over kettle" 1 minute ago. Bought "Black-and-white film" ×2 (2 times) 1 day ago. Viewed "Black-and-white film" 2 times 1 day ago. Searched for 'film' 1 day ago. Viewed "35mm film camera" 3 days ago.
    "#);
}

#[test]
fn how_long_ago() {
    const MINUTE: i64 = 60;
    const HOUR: i64 = 60 * MINUTE;
    const DAY: i64 = 24 * HOUR;
    let ages = [
        -1,
        0,
        MINUTE - 1,
        MINUTE,
        2 * MINUTE,
        HOUR - 1,
        HOUR,
        DAY - 1,
        DAY,
        30 * DAY - 1,
        30 * DAY,
        364 * DAY,
        365 * DAY,
        20 * 365 * DAY,
    ];
    let now = 1_600_000_000;
    let options =
        RichOptions { now: Some(Timestamp::from_seconds(now).unwrap()), ..RichOptions::default() };
    let said: Vec<String> = [Locale::chinese(), Locale::english()]
        .into_iter()
        .map(|locale| {
            let events = ages.map(|age| {
                let time = Timestamp::from_seconds(now - age).unwrap();
                Event::new(UserIndex(0), Some(time), Action::View { item: C })
            });
            history_text(&events, &catalog(), locale, &options)
        })
        .collect();
    insta::assert_snapshot!(said.join("\n"), @r#"
    浏览「手冲咖啡壶」。刚刚浏览「手冲咖啡壶」。刚刚浏览「手冲咖啡壶」。1 分钟前浏览「手冲咖啡壶」。2 分钟前浏览「手冲咖啡壶」。59 分钟前浏览「手冲咖啡壶」。1 小时前浏览「手冲咖啡壶」。23 小时前浏览「手冲咖啡壶」。1 天前浏览「手冲咖啡壶」。29 天前浏览「手冲咖啡壶」。1 个月前浏览「手冲咖啡壶」。11 个月前浏览「手冲咖啡壶」。1 年前浏览「手冲咖啡壶」。19 年前浏览「手冲咖啡壶」。
    Viewed "Pour-over kettle". Viewed "Pour-over kettle" just now. Viewed "Pour-over kettle" just now. Viewed "Pour-over kettle" 1 minute ago. Viewed "Pour-over kettle" 2 minutes ago. Viewed "Pour-over kettle" 59 minutes ago. Viewed "Pour-over kettle" 1 hour ago. Viewed "Pour-over kettle" 23 hours ago. Viewed "Pour-over kettle" 1 day ago. Viewed "Pour-over kettle" 29 days ago. Viewed "Pour-over kettle" 1 month ago. Viewed "Pour-over kettle" 11 months ago. Viewed "Pour-over kettle" 1 year ago. Viewed "Pour-over kettle" 19 years ago.
    "#);
}

#[test]
fn ratings_find_their_word() {
    let scale = RatingScale::new(0.5, 5.0).unwrap();
    let options = RichOptions {
        rating_scale: Some(scale),
        grouping: Grouping::Kind,
        ..RichOptions::default()
    };
    let rated = [-3.0, 0.5, 1.0, 2.0, 2.75, 3.5, 4.5, 5.0, 99.0]
        .map(|rating| event(Action::Rate { item: C, rating: Rating::new(rating).unwrap() }));
    let said = [Locale::chinese(), Locale::english()]
        .map(|locale| history_text(&rated, &catalog(), locale, &options));
    insta::assert_snapshot!(said.join("\n"), @r#"
    评价「手冲咖啡壶」：很不喜欢，「手冲咖啡壶」：很不喜欢，「手冲咖啡壶」：很不喜欢，「手冲咖啡壶」：不喜欢，「手冲咖啡壶」：一般，「手冲咖啡壶」：喜欢，「手冲咖啡壶」：非常喜欢，「手冲咖啡壶」：非常喜欢，「手冲咖啡壶」：非常喜欢。
    Rated "Pour-over kettle": hated it, "Pour-over kettle": hated it, "Pour-over kettle": hated it, "Pour-over kettle": disliked it, "Pour-over kettle": thought it was okay, "Pour-over kettle": liked it, "Pour-over kettle": loved it, "Pour-over kettle": loved it, "Pour-over kettle": loved it.
    "#);
    for (worst, best) in [(1.0, 1.0), (5.0, 1.0), (f32::NAN, 1.0), (0.0, f32::INFINITY)] {
        assert!(RatingScale::new(worst, best).is_err());
    }
}

#[test]
fn options_are_data() {
    let options: RichOptions = serde_json::from_str(
        r#"{"grouping": "day", "order": "newest_first", "rating_scale": [1, 5], "now": 0}"#,
    )
    .unwrap();
    assert_eq!(options.grouping, Grouping::Day);
    assert_eq!(options.rating_scale, RatingScale::new(1.0, 5.0).ok());
    let again = serde_json::to_string(&options).unwrap();
    assert_eq!(serde_json::from_str::<RichOptions>(&again).unwrap(), options);
    for wrong in [r#"{"rating_scale": [5, 1]}"#, r#"{"grouping": "week"}"#, r#"{"groups": 1}"#] {
        assert!(serde_json::from_str::<RichOptions>(wrong).is_err(), "{wrong}");
    }
}

proptest! {
    /// However it is grouped, everything is said: titles as often as there are events.
    #[test]
    fn groups_lose_nothing(
        picks in prop::collection::vec((any::<prop::sample::Index>(), 0..5i64, 0..3usize), 0..30),
        newest_first: bool,
    ) {
        let events: Vec<Event> = picks
            .into_iter()
            .map(|(pick, day, session)| {
                let action = pick.get(&every_kind()).action.clone();
                let time = ["", "1", "2"][session];
                let mut event = at("2021-01-03 08:00:00", time, action);
                event.time = (day > 0).then(|| Timestamp::from_seconds(day * 86_400).unwrap());
                event
            })
            .collect();
        let order = if newest_first { Order::NewestFirst } else { Order::OldestFirst };
        let quotes = |text: &str| text.matches(['「', '“']).count();
        let plain = RichOptions { order, ..RichOptions::default() };
        let expected = history_text(&events, &catalog(), Locale::chinese(), &plain);
        for grouping in [Grouping::Kind, Grouping::Day, Grouping::Session] {
            let options = RichOptions { grouping, ..plain.clone() };
            let text = history_text(&events, &catalog(), Locale::chinese(), &options);
            prop_assert_eq!(quotes(&text), quotes(&expected), "{}", text);
        }
    }
}

//! The plain form: exact sentences, and the way back from hostile ids and queries.

use crate::shop::{A, B, C, catalog, catalog_with_ids, event, every_kind};
use proclivity_schema::{
    Action, Event, EventKind, FollowTarget, Fraction, ItemId, ItemIndex, Rating, UserId,
};
use proclivity_text::{Locale, PlainEvent, TextError, parse_plain, plain};
use proptest::prelude::*;

fn locales() -> [&'static Locale; 2] {
    [Locale::chinese(), Locale::english()]
}

#[test]
fn the_worked_example() {
    let views = [A, B, C].map(|item| event(Action::View { item }));
    let [zh, en] = locales().map(|locale| plain(&1.into(), &views, &catalog(), locale));
    assert_eq!(zh, "用户 1 浏览了商品 1001，商品 1002 和商品 1003。");
    assert_eq!(en, "User 1 viewed item 1001, item 1002 and item 1003.");
}

#[test]
fn every_kind_in_both_languages() {
    let [zh, en] = locales().map(|locale| plain(&1.into(), &every_kind(), &catalog(), locale));
    insta::assert_snapshot!(zh, @r#"用户 1 浏览了商品 1001，商品 1002 和商品 1003；搜索了“咖啡豆” 和“men's "shoes"”；点击了商品 1003；把商品 1001 和商品 1003 加入了购物车；从购物车移出了商品 1003；购买了商品 1001 和商品 1002（3 件）；退回了商品 1001 和商品 1002（2 件）；评价了商品 1001（5 分） 和商品 1002（4.5 分）；点赞了商品 1001；点踩了商品 1002；关注了话题“摄影”，用户“Ann” 和小组“胶片社”；分享了商品 1001；评论了商品 1001：“很好\“用\”” 和商品 1002；观看了商品 1003（37.5%） 和商品 1001（100%）；略过了商品 1002；屏蔽了商品 1003；看到了商品 1001（第 1 位）。"#);
    insta::assert_snapshot!(en, @r#"User 1 viewed item 1001, item 1002 and item 1003; searched for "咖啡豆" and "men's \"shoes\""; clicked item 1003; added item 1001 and item 1003 to the cart; removed item 1003 from the cart; bought item 1001 and item 1002 (quantity 3); returned item 1001 and item 1002 (quantity 2); rated item 1001 (rating 5) and item 1002 (rating 4.5); liked item 1001; disliked item 1002; followed the topic "摄影", the user "Ann" and the group "胶片社"; shared item 1001; commented on item 1001: "很好“用”" and item 1002; watched item 1003 (37.5%) and item 1001 (100%); skipped item 1002; dismissed item 1003; was shown item 1001 (position 1)."#);
}

#[test]
fn no_events_at_all() {
    for (locale, expected) in
        locales().into_iter().zip(["用户 1 没有任何行为。", "User 1 did nothing."])
    {
        let text = plain(&1.into(), &[], &catalog(), locale);
        assert_eq!(text, expected);
        assert_eq!(parse_plain(&text, locale), Ok((1.into(), vec![])));
    }
}

#[test]
fn errors_say_where() {
    let at = |text: &str| match parse_plain(text, Locale::english()) {
        Err(TextError::NotPlain { byte, expected }) => format!("{byte}: {expected}"),
        other => format!("{other:?}"),
    };
    let cases = [
        "",
        "User ",
        "User 1 ate item 1.",
        "User 1 viewed item 1",
        "User 1 viewed item 1. ",
        "User 1 viewed item \"1",
        "User 1 viewed item \"\\x\".",
        "User 1 viewed item \"\\u{d800}\".",
        "User 1 searched for shoes.",
        "User 1 rated item 1.",
        "User 1 rated item 1 (rating five).",
        "User 1 was shown item 1 (position 0).",
        "User 1 bought item 1 (quantity 4294967296).",
        "User 1 added item 1.",
        "User 1 followed \"a\".",
        "User 1 followed the user Ann.",
        "User 1 commented on item 1: fine.",
        "User 1 watched item 1.",
        "User 1 watched item 1 (-5%).",
        "User 1 watched item 1 (5e3%).",
    ];
    let errors: Vec<String> = cases.iter().map(|text| format!("{text:?} {}", at(text))).collect();
    insta::assert_snapshot!(errors.join("\n"), @r#"
    "" 0: the word for a user
    "User " 5: an id
    "User 1 ate item 1." 7: the verb of an event
    "User 1 viewed item 1" 20: another clause or a full stop
    "User 1 viewed item 1. " 21: the end
    "User 1 viewed item \"1" 21: a closing quote
    "User 1 viewed item \"\\x\"." 21: a quote, `\` or `u{…}` after `\`
    "User 1 viewed item \"\\u{d800}\"." 21: a quote, `\` or `u{…}` after `\`
    "User 1 searched for shoes." 20: a quoted text
    "User 1 rated item 1." 19: the rating, percentage or position
    "User 1 rated item 1 (rating five)." 28: a number
    "User 1 was shown item 1 (position 0)." 34: a number
    "User 1 bought item 1 (quantity 4294967296)." 31: a number
    "User 1 added item 1." 19: the end of the clause
    "User 1 followed \"a\"." 16: the word for a topic, user or group
    "User 1 followed the user Ann." 25: a quoted text
    "User 1 commented on item 1: fine." 28: a quoted text
    "User 1 watched item 1." 21: the rating, percentage or position
    "User 1 watched item 1 (-5%)." 23: a number
    "User 1 watched item 1 (5e3%)." 24: the end of the number
    "#);
}

#[test]
fn what_the_schema_refuses_is_refused() {
    for text in ["User \" \" did nothing.", "User 1 viewed item \"\\u{7}\"."] {
        let error = parse_plain(text, Locale::english());
        assert!(matches!(error, Err(TextError::Schema(_))), "{text}: {error:?}");
    }
    let digits = "9".repeat(60);
    for text in ["rated item 1 (rating {})", "watched item 1 ({}%)"] {
        let text = format!("User 1 {}.", text.replace("{}", &digits));
        assert!(matches!(parse_plain(&text, Locale::english()), Err(TextError::Schema(_))));
    }
}

/// Text made of what the templates and their escapes are made of.
fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        prop::sample::select(vec![
            "\"",
            "'",
            "“",
            "”",
            "「",
            "」",
            "，",
            ", ",
            "、",
            " 和",
            "和",
            " and ",
            "；",
            "; ",
            "。",
            ".",
            "\\",
            "\\u{41}",
            "u{",
            "}",
            "{}",
            "\n",
            "\r\n",
            "\0",
            "\u{202e}",
            "\u{2028}",
            "\u{200b}",
            "用户 ",
            "User ",
            "商品 ",
            "item ",
            "浏览了",
            "viewed ",
            "没有任何行为",
            "did nothing",
            "（3 件）",
            "：“",
            ": \"",
            "（37%）",
            "话题",
            "the user ",
            " (rating 5)",
            " to the cart",
            " 加入了购物车",
            "1",
            "-",
            "_",
            "é",
            "👩‍🚀",
        ])
        .prop_map(str::to_owned),
        any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

fn hostile_id() -> impl Strategy<Value = String> {
    // An id holds no control characters and is not blank.
    hostile().prop_map(|text| {
        let text: String = text.chars().filter(|c| !c.is_control()).collect();
        if text.trim().is_empty() { "0".to_owned() } else { text }
    })
}

fn action() -> impl Strategy<Value = Action> {
    let rating = any::<f32>().prop_filter_map("finite", |value| Rating::new(value.into()).ok());
    let fraction = prop_oneof![0.0..3.0f32, 0.0..=f32::MAX]
        .prop_filter_map("finite", |value| Fraction::new(value.into()).ok());
    let target = prop::sample::select(FollowTarget::ALL.to_vec());
    let numbers = (any::<u32>(), rating, fraction);
    let kind = prop::sample::select(EventKind::ALL.to_vec());
    (kind, 0..3u32, numbers, target, hostile()).prop_map(
        |(kind, item, (number, rating, fraction), target, text)| {
            let (item, text) = (ItemIndex(item), text.into());
            match kind {
                EventKind::View => Action::View { item },
                EventKind::Search => Action::Search { query: text },
                EventKind::Click => Action::Click { item },
                EventKind::AddToCart => Action::AddToCart { item },
                EventKind::RemoveFromCart => Action::RemoveFromCart { item },
                EventKind::Purchase => Action::Purchase { item, quantity: number },
                EventKind::Return => Action::Return { item, quantity: number },
                EventKind::Rate => Action::Rate { item, rating },
                EventKind::Like => Action::Like { item },
                EventKind::Dislike => Action::Dislike { item },
                EventKind::Follow => Action::Follow { target, name: text },
                EventKind::Share => Action::Share { item },
                EventKind::Comment => Action::Comment { item, text },
                EventKind::Watch => Action::Watch { item, fraction },
                EventKind::Skip => Action::Skip { item },
                EventKind::Dismiss => Action::Dismiss { item },
                EventKind::Impression => Action::Impression { item, position: number },
            }
        },
    )
}

proptest! {
    #[test]
    fn the_round_trip_always_holds(
        user in hostile_id(),
        [a, b, c] in [hostile_id(), hostile_id(), hostile_id()],
        actions in prop::collection::vec(action(), 0..12),
    ) {
        let id = |text: &str, suffix: &str| ItemId::new(&format!("{text}{suffix}")).unwrap();
        let catalog = catalog_with_ids([id(&a, "1"), id(&b, "2"), id(&c, "3")]);
        let user = UserId::new(&user).unwrap();
        let events: Vec<Event> = actions.into_iter().map(event).collect();
        let expected: Vec<PlainEvent> =
            events.iter().map(|event| PlainEvent::new(event, &catalog)).collect();
        for locale in locales() {
            let text = plain(&user, &events, &catalog, locale);
            prop_assert!(!text.contains(char::is_control), "{text:?}");
            prop_assert_eq!(parse_plain(&text, locale), Ok((user.clone(), expected.clone())));
        }
    }

    #[test]
    fn nothing_makes_the_parser_panic(text in hostile(), cut in any::<prop::sample::Index>()) {
        for locale in locales() {
            let _ = parse_plain(&text, locale);
            let whole = plain(&1.into(), &every_kind(), &catalog(), locale);
            let cut: String = whole.chars().take(cut.index(whole.chars().count())).collect();
            prop_assert!(parse_plain(&cut, locale).is_err());
            let _ = parse_plain(&format!("{cut}{text}"), locale);
        }
    }
}

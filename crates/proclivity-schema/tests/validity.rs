//! What the types refuse, and that serde refuses the same.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use proclivity_schema::{
    Action, Catalog, EventKind, Item, ItemId, ItemIndex, ItemText, Language, LogBuilder, Price,
    Rating, SchemaError, Timestamp, UserId,
};

fn item(id: u64) -> Item {
    Item::new(id.into(), vec![ItemText::title(Language::ENGLISH, "a")]).unwrap()
}

#[test]
fn times_read_in_three_forms_and_stay_in_range() {
    let expected = Timestamp::from_seconds(1_609_495_200).unwrap();
    for text in
        ["1609495200", "2021-01-01T10:00:00Z", "2021-01-01 10:00:00", "2021-01-01T18:00:00+08:00"]
    {
        assert_eq!(text.parse::<Timestamp>().unwrap(), expected, "{text}");
    }
    assert_eq!(expected.to_string(), "2021-01-01T10:00:00Z");
    for text in ["1969-12-31 23:59:59", "-1", "2999-01-01 00:00:00", "9223372036854775807"] {
        let error = text.parse::<Timestamp>().unwrap_err();
        assert!(matches!(error, SchemaError::TimeOutOfRange { .. }), "{text}: {error}");
    }
    for text in ["", "yesterday", "2021-13-01 00:00:00", "NaN"] {
        let error = text.parse::<Timestamp>().unwrap_err();
        assert!(matches!(error, SchemaError::InvalidTime { .. }), "{text}: {error}");
    }
    assert!(serde_json::from_str::<Timestamp>("-1").is_err());
}

#[test]
fn numbers_that_are_none_are_refused() {
    for bad in [f64::NAN, f64::INFINITY, 1e300] {
        assert!(matches!(Rating::new(bad), Err(SchemaError::InvalidRating { .. })));
    }
    for bad in [f64::NAN, f64::INFINITY, -0.01] {
        assert!(matches!(Price::new(bad, "EUR"), Err(SchemaError::InvalidPrice { .. })));
    }
    for bad in ["", "eur", "EURO", "€"] {
        assert!(matches!(Price::new(1.0, bad), Err(SchemaError::InvalidCurrency { .. })));
    }
    assert!(serde_json::from_str::<Price>(r#"{"amount":-1,"currency":"EUR"}"#).is_err());
}

#[test]
fn ids_are_any_text_but_not_none() {
    assert_eq!(ItemId::new(" B004 ").unwrap().as_str(), "B004");
    assert_eq!(UserId::from(7), UserId::new("7").unwrap());
    for bad in ["", "  ", "a\u{0}b", "a\nb"] {
        assert!(matches!(UserId::new(bad), Err(SchemaError::InvalidId { role: "user", .. })));
    }
    assert!(serde_json::from_str::<ItemId>("\"\"").is_err());
}

#[test]
fn a_catalog_has_no_id_twice_and_no_item_without_text() {
    assert_eq!(
        Catalog::new(vec![item(1), item(2), item(1)]),
        Err(SchemaError::DuplicateItem { id: 1.into(), first: 0, second: 2 })
    );
    let blank = ItemText::title(Language::ENGLISH, " ");
    assert_eq!(Item::new(3.into(), vec![blank]), Err(SchemaError::NoText { id: 3.into() }));
    assert_eq!(Item::new(3.into(), vec![]), Err(SchemaError::NoText { id: 3.into() }));
    let catalog = Catalog::new(vec![item(1), item(2)]).unwrap();
    assert_eq!(catalog.index("2").unwrap(), ItemIndex(1));
    assert!(matches!(catalog.index("9"), Err(SchemaError::UnknownId { role: "item", .. })));
    let json = serde_json::to_string(&catalog).unwrap();
    assert_eq!(serde_json::from_str::<Catalog>(&json).unwrap(), catalog);
    let twice = json.replace("\"2\"", "\"1\"");
    assert!(serde_json::from_str::<Catalog>(&twice).is_err());
    assert!(Catalog::new(vec![]).unwrap().is_empty());
}

#[test]
fn kinds_read_as_they_are_written_and_the_unknown_lists_the_known() {
    for kind in EventKind::ALL {
        assert_eq!(kind.as_str().parse::<EventKind>().unwrap(), kind);
    }
    assert_eq!("Add-To Cart".parse::<EventKind>().unwrap(), EventKind::AddToCart);
    assert!("veiw".parse::<EventKind>().unwrap_err().to_string().contains("view, search"));
}

#[test]
fn a_log_is_grouped_by_user_and_ordered_by_time() {
    let mut log = LogBuilder::new();
    let view = |item| Action::View { item: ItemIndex(item) };
    let at = |seconds| Some(Timestamp::from_seconds(seconds).unwrap());
    for (user, time, item) in [(2, 30, 0), (1, 20, 1), (2, 10, 2), (1, 20, 3), (1, 5, 4)] {
        log.push(UserId::from(user), at(time), view(item)).unwrap();
    }
    let log = log.build();
    let items = |id: &str| -> Vec<u32> {
        let history = log.history(log.user(id).unwrap());
        history.iter().filter_map(|event| event.action.item()).map(|item| item.0).collect()
    };
    assert_eq!(items("1"), [4, 1, 3], "equal times keep their order");
    assert_eq!(items("2"), [2, 0]);
    assert!(matches!(log.user("3"), Err(SchemaError::UnknownId { role: "user", .. })));
    let empty = LogBuilder::new().build();
    assert_eq!((empty.user_count(), empty.event_count()), (0, 0));
}

//! Public data sets: their shapes in small, and the real files where there are any.
#![expect(clippy::unwrap_used, reason = "the fixtures are valid")]

use std::fs;
use std::path::Path;

use proclivity_data::{
    DataError, Dataset, ErrorPolicy, ItemSequences, Preset, Reason, UNTITLED, load, recbole,
    sequences,
};
use proclivity_schema::{Action, ItemId, Language, Timestamp};
use tempfile::TempDir;

fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for (name, content) in files {
        fs::write(folder.path().join(name), content).unwrap();
    }
    folder
}

const INTERACTIONS: &[u8] = b"user_id:token\titem_id:token\trating:float\ttimestamp:float\n\
    196\t12\t3\t881250949\n186\t7\t4.5\t8.91717742e8\n196\t7\t3\t881250900\n196\t7\t3\t881250900\n";
const FILMS: &[u8] = b"item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq\n\
    12\tUsual Suspects, The\t1995\tCrime Thriller\n7\tSay \"Hi\", A\tunkonwn\tunknown\n9\t\t1990\t\n";

#[test]
fn atomic_files_become_ratings_of_films() {
    let folder = folder(&[("x.inter", INTERACTIONS), ("x.item", FILMS), ("x.user", b"")]);
    let dataset = recbole(folder.path(), ErrorPolicy::Fail).unwrap();
    assert_eq!(dataset.untitled(), 1);
    let Dataset { catalog, log, report, .. } = dataset;
    assert_eq!((report.read(), report.accepted(), report.duplicates()), (4, 3, 1));
    let texts: Vec<_> = catalog.items().iter().map(|item| &item.texts()[0]).collect();
    assert_eq!(texts[0].title, "The Usual Suspects (1995)");
    assert_eq!(texts[0].categories, [["Crime"], ["Thriller"]]);
    assert_eq!(texts[0].language, Language::UNDETERMINED);
    assert_eq!(texts[1].title, "A Say \"Hi\"");
    assert_eq!(texts[2].title, UNTITLED);
    let history = log.history(log.user("196").unwrap());
    assert_eq!(history[0].time, Some(Timestamp::from_seconds(881_250_900).unwrap()));
    assert_eq!(history[0].action.item(), Some(catalog.index("7").unwrap()));
    let other = &log.history(log.user("186").unwrap())[0];
    assert_eq!(other.time, Some(Timestamp::from_seconds(891_717_742).unwrap()));
    assert!(matches!(other.action, Action::Rate { rating, .. } if rating.get() == 4.5));
}

#[test]
fn bad_atomic_files_are_typed_errors() {
    let empty = folder(&[]);
    let count = |error| match error {
        DataError::FileCount { pattern, found, .. } => (pattern, found),
        other => panic!("{other}"),
    };
    assert_eq!(count(recbole(empty.path(), ErrorPolicy::Fail).unwrap_err()), ("*.inter*", 0));
    let two = folder(&[("a.inter", INTERACTIONS), ("a.item", FILMS), ("b.item", FILMS)]);
    assert_eq!(count(recbole(two.path(), ErrorPolicy::Fail).unwrap_err()), ("*.item*", 2));
    let missing = recbole(&empty.path().join("nowhere"), ErrorPolicy::Fail).unwrap_err();
    assert!(matches!(missing, DataError::Io { .. }));

    for (row, reason) in [
        ("1\t12\tNaN\t5", Reason::InvalidRating),
        ("1\t12\t3\tinf", Reason::InvalidTime),
        ("1\t12\t3\t1e300", Reason::TimeOutOfRange),
        ("1\t12\t3\t-1", Reason::TimeOutOfRange),
        ("1\t13\t3\t5", Reason::UnknownItem),
        ("\t12\t3\t5", Reason::EmptyUser),
        ("1\t12\t3", Reason::FieldCount { expected: 4, got: 3 }),
    ] {
        let bad = [INTERACTIONS, row.as_bytes()].concat();
        let folder = folder(&[("x.inter", &bad), ("x.item", FILMS)]);
        match recbole(folder.path(), ErrorPolicy::Fail).unwrap_err() {
            DataError::Row { row } => assert_eq!((row.line, row.reason), (6, reason)),
            other => panic!("{other}"),
        }
    }
    let twice = [FILMS, b"\n7\tAgain\t1990\tDrama\n"].concat();
    let folder = folder(&[("x.inter", INTERACTIONS), ("x.item", &twice)]);
    match recbole(folder.path(), ErrorPolicy::Fail).unwrap_err() {
        DataError::Row { row } => assert_eq!((row.line, row.reason), (6, Reason::RepeatedItem)),
        other => panic!("{other}"),
    }
}

const ITEMS: &[u8] =
    b"item_id\tasin\ttitle\tgenres\n1\tB1\tMoka pot\tKitchen|Coffee\n2\tB2\t\t\n3\tB3\tPair, The\t\n";

fn read(events: &[u8]) -> Result<Dataset, DataError> {
    let folder = folder(&[("events.txt", events), ("items.tsv", ITEMS)]);
    let (events, items) = (folder.path().join("events.txt"), folder.path().join("items.tsv"));
    sequences(&events, &items, ErrorPolicy::Fail)
}

#[test]
fn both_shapes_say_the_same() {
    let lines = read(b"b 3 1 3\na 2\n").unwrap();
    let pairs = read(b"\xef\xbb\xbfb 3\r\nb\t1\r\n\r\na 2\r\nb 3").unwrap();
    assert_eq!(lines.catalog, pairs.catalog);
    assert_eq!(lines.log, pairs.log);
    assert_eq!((lines.report.accepted(), lines.untitled()), (4, 1));
    let order = ItemSequences::positive(&lines.log);
    assert_eq!(order.sequence(lines.log.user("b").unwrap()), [2, 0, 2]);
    assert!(lines.log.events().iter().all(|event| event.time.is_none()));
    let texts: Vec<_> = lines.catalog.items().iter().map(|item| &item.texts()[0]).collect();
    assert_eq!(texts[0].categories, [["Kitchen"], ["Coffee"]]);
    assert_eq!((texts[1].title.as_str(), texts[2].title.as_str()), (UNTITLED, "Pair, The"));
}

#[test]
fn bad_sequences_are_typed_errors() {
    for (events, line, reason) in [
        (&b"a 1 2\nb 1 9\n"[..], 2, Reason::UnknownItem),
        (b"a 1\n\nb\n", 3, Reason::EmptyItem),
        (b"a 1\nb \xff\n", 2, Reason::InvalidEncoding),
        (b"\x01 1\n", 1, Reason::InvalidUser),
    ] {
        match read(events).unwrap_err() {
            DataError::Row { row } => assert_eq!((row.line, row.reason), (line, reason)),
            other => panic!("{other}"),
        }
    }
    // A table of user, item and rating is no file of sequences.
    assert!(matches!(
        read(b"a 1 3\nb 2 2\na 2 1\n"),
        Err(DataError::MixedSequences { long_line: 1, repeated_line: 3, .. })
    ));
    assert!(matches!(read(b"\n \n"), Err(DataError::NothingAccepted { .. })));
}

#[test]
fn presets_have_names() {
    for preset in Preset::ALL {
        assert_eq!(preset.to_string().parse::<Preset>().unwrap(), preset);
        assert_eq!(serde_json::to_value(preset).unwrap(), preset.as_str());
    }
    assert_eq!(
        "ml-2m".parse::<Preset>().unwrap_err().to_string(),
        "\"ml-2m\" is no data set: expected one of ml-100k, ml-1m, beauty, movielens-100k, movielens-1m, \
         movielens-csv, movietweetings, amazon-reviews-2023, mind, online-retail"
    );
}

#[test]
#[ignore = "reads the folder that PROCLIVITY_DATA names"]
fn the_real_files_load_with_the_counts_they_are_known_for() {
    let data = std::env::var_os("PROCLIVITY_DATA").expect("PROCLIVITY_DATA names a folder");
    for (preset, folder, events, users, items, untitled) in [
        (Preset::Ml100k, "ml-100k", 100_000, 943, 1_682, 0),
        (Preset::Ml1m, "ml-1m", 999_611, 6_040, 3_416, 0),
        (Preset::Beauty, "amazon-beauty", 198_502, 22_363, 12_101, 7),
    ] {
        let dataset = load(preset, &Path::new(&data).join(folder)).unwrap();
        assert_eq!(dataset.untitled(), untitled, "{preset}");
        let Dataset { catalog, log, report, .. } = dataset;
        assert_eq!((report.read(), report.accepted()), (events, events), "{preset}");
        assert_eq!(report.duplicates(), 0, "{preset}");
        assert_eq!((log.event_count(), log.user_count()), (events, users), "{preset}");
        assert_eq!(catalog.len(), items, "{preset}");
        assert_eq!(catalog.ids()[0], ItemId::from(1));
        let sequences = ItemSequences::positive(&log);
        let split = sequences.leave_one_out();
        assert_eq!(split.train_only_count(), 0, "{preset}");
    }
    let tweets = load(Preset::MovieTweetings, &Path::new(&data).join("movietweetings")).unwrap();
    assert_eq!((tweets.report.accepted(), tweets.log.user_count()), (100_000, 16_554));
    assert_eq!(tweets.catalog.len(), 10_506);
    let shop = load(Preset::OnlineRetail, &Path::new(&data).join("online-retail")).unwrap();
    assert_eq!(shop.report.read(), 541_909);
    // Every row without a customer, and no other.
    assert_eq!(shop.report.reasons().into_iter().collect::<Vec<_>>(), [("empty_user", 135_080)]);
    let returns =
        shop.log.events().iter().filter(|event| matches!(event.action, Action::Return { .. }));
    assert_eq!((shop.log.user_count(), returns.count()), (4_372, 8_872));
}

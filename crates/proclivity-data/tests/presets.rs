//! The public data sets' own layouts, in small, beside those of `datasets.rs`.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;

use proclivity_data::{DataError, Dataset, ErrorPolicy, Preset, load, load_with_policy};
use proclivity_schema::{Action, EventKind};
use tempfile::TempDir;

fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for (name, content) in files {
        fs::write(folder.path().join(name), content).unwrap();
    }
    folder
}

fn titles(dataset: &Dataset) -> Vec<&str> {
    dataset.catalog.items().iter().map(|item| item.texts()[0].title.as_str()).collect()
}

fn ratings(dataset: &Dataset) -> Vec<f32> {
    let rating = |event: &proclivity_schema::Event| match event.action {
        Action::Rate { rating, .. } => Some(rating.get()),
        _ => None,
    };
    dataset.log.events().iter().filter_map(rating).collect()
}

#[test]
fn movielens_in_its_three_layouts() {
    let flags = "|0|0|0|0|0|1|0|0|1|0|0|0|0|0|0|0|0|0|0";
    let films = [format!(
        "1|Caf\u{e9}, The (1995)|01-Jan-1995||http://x{flags}\n2|Untimed (1996)|||{flags}\n"
    )
    .chars()
    .map(|character| character as u8)
    .collect::<Vec<u8>>()]
    .concat();
    let hundred =
        folder(&[("u.data", b"7\t1\t3\t881250949\n7\t2\t5\t881250950\n"), ("u.item", &films)]);
    let dataset = load(Preset::MovieLens100k, hundred.path()).unwrap();
    assert_eq!(titles(&dataset), ["The Café (1995)", "Untimed (1996)"]);
    assert_eq!(dataset.catalog.items()[0].texts()[0].category_parts(), ["Comedy", "Drama"]);
    let published = dataset.catalog.items()[0].published().unwrap();
    assert_eq!(published.to_string(), "1995-01-01T00:00:00Z");
    assert_eq!(ratings(&dataset), [3.0, 5.0]);

    let million = folder(&[
        ("ratings.dat", b"7::1::3::978300760\n7::2::5::978300761\n"),
        ("movies.dat", b"1::Caf\xe9, The (1995)::Comedy|Drama\n2::B (1996)::\n"),
    ]);
    let dataset = load(Preset::MovieLens1m, million.path()).unwrap();
    assert_eq!(titles(&dataset), ["The Café (1995)", "B (1996)"]);
    assert_eq!(ratings(&dataset), [3.0, 5.0]);
    // The same files are no UTF-8, which MovieTweetings has.
    let error = load(Preset::MovieTweetings, million.path()).unwrap_err().to_string();
    assert!(
        error.contains("movies.dat, line 1, column title: not of the file's encoding"),
        "{error}"
    );

    let later = folder(&[
        ("ratings.csv", b"userId,movieId,rating,timestamp\n7,1,3.5,978300760\n"),
        ("movies.csv", "movieId,title,genres\n1,\"Café, The (1995)\",Comedy|Drama\n".as_bytes()),
    ]);
    let dataset = load(Preset::MovieLensCsv, later.path()).unwrap();
    assert_eq!((titles(&dataset), ratings(&dataset)), (vec!["The Café (1995)"], vec![3.5]));
}

#[test]
fn amazon_reviews_2023() {
    let reviews = br#"{"rating": 5.0, "title": "Nice", "text": "a\nb", "images": [], "asin": "B1x", "parent_asin": "B1", "user_id": "AG", "timestamp": 1588687728923, "verified_purchase": true}
{"rating": 1.0, "asin": "B2", "parent_asin": "B2", "user_id": "AG", "timestamp": 1588687728924}
"#;
    let meta = br#"{"main_category": "All Beauty", "title": "Howard LC0008", "average_rating": 4.8, "features": ["Big", "Blue"], "description": ["A tub."], "price": null, "images": [], "store": "Howard", "categories": ["Beauty", "Tubs"], "details": {"x": 1}, "parent_asin": "B1"}
{"title": "", "features": [], "description": [], "price": "from 9.99", "store": null, "categories": [], "parent_asin": "B2"}
"#;
    let folder = folder(&[("All_Beauty.jsonl", reviews), ("meta_All_Beauty.jsonl", meta)]);
    let dataset = load(Preset::AmazonReviews2023, folder.path()).unwrap();
    assert_eq!(ratings(&dataset), [5.0, 1.0]);
    let tub = &dataset.catalog.items()[0];
    assert_eq!(tub.texts()[0].description, "Big Blue A tub.");
    assert_eq!(tub.texts()[0].categories, [["Beauty", "Tubs"]]);
    assert_eq!(
        (tub.brand(), tub.attributes()["main_category"].as_str()),
        (Some("Howard"), "All Beauty")
    );
    assert_eq!(dataset.catalog.items()[1].attributes()["price"], "from 9.99");
    assert_eq!(dataset.untitled(), 1);
    let time = dataset.log.events()[0].time.unwrap();
    assert_eq!(time.as_micros(), 1_588_687_728_923_000);
}

#[test]
fn mind() {
    let news = b"N1\tsports\tsoccer\tTitle one\tAbstract\thttp\t[]\t[]\nN2\tnews\tworld\tTitle \"two\"\t\thttp\t[]\t[]\nN3\tnews\tus\tThree\t\th\t[]\t[]\n";
    let behaviours = b"1\tU1\t11/11/2019 9:05:58 AM\tN1 N2\tN3-1 N2-0\n2\tU1\t11/12/2019 6:11:30 PM\tN1 N2\tN1-0\n\
        3\tU2\t11/12/2019 6:11:31 PM\t\tN1-1\n4\tU3\t11/12/2019 6:11:31 PM\t\tN1-2\n5\tU3\t11/12/2019 6:11:31 PM\t\tN9-1\n";
    let folder = folder(&[("news.tsv", news), ("behaviors.tsv", behaviours)]);
    // Two bad rows of five, however many events the good ones hold.
    let strict = ErrorPolicy::Quarantine { max_share: 0.3 };
    let refused = load_with_policy(Preset::Mind, folder.path(), strict);
    assert!(matches!(refused, Err(DataError::TooManyQuarantined { .. })));
    let policy = ErrorPolicy::Quarantine { max_share: 0.5 };
    let dataset = load_with_policy(Preset::Mind, folder.path(), policy).unwrap();
    let history = dataset.log.history(dataset.log.user("U1").unwrap());
    let kinds: Vec<EventKind> = history.iter().map(|event| event.action.kind()).collect();
    use EventKind::{Click, Impression};
    assert_eq!(kinds, [Click, Click, Impression, Click, Impression, Impression]);
    assert!(history[0].time.is_none());
    assert_eq!(history[2].time.unwrap().to_string(), "2019-11-11T09:05:58Z");
    assert_eq!(dataset.catalog.items()[0].texts()[0].categories, [["sports", "soccer"]]);
    assert_eq!(dataset.catalog.items()[1].texts()[0].title, "Title \"two\"");
    let reasons: Vec<_> = dataset.report.reasons().into_iter().collect();
    assert_eq!(reasons, [("invalid_impressions", 1), ("unknown_item", 1)]);
    assert_eq!(dataset.report.accepted(), 8);
}

#[test]
fn online_retail_with_returns_and_missing_customers() {
    let csv =
        b"InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n\
        536365,85123A,,6,2010-12-01 08:26:00,2.55,17850.0,United Kingdom\n\
        536365,85123A,WHITE HOLDER,6,2010-12-01 08:26:00,2.55,17850.0,United Kingdom\n\
        536365,85123A,WHITE HOLDER,6,2010-12-01 08:26:00,2.55,17850.0,United Kingdom\n\
        C536366,85123A,WHITE HOLDER,-2,2011-06-02 08:26:00,2.55,17850.0,France\n\
        536367,71053,LANTERN,1,2010-12-01 08:26:00,3.39,,United Kingdom\n\
        536368,71053,LANTERN,0,2010-12-01 08:26:00,3.39,1.0,United Kingdom\n";
    let folder = folder(&[("online_retail.csv", csv)]);
    let policy = ErrorPolicy::Quarantine { max_share: 0.5 };
    let dataset = load_with_policy(Preset::OnlineRetail, folder.path(), policy).unwrap();
    let report = &dataset.report;
    assert_eq!((report.read(), report.accepted(), report.duplicates()), (6, 2, 2));
    let reasons: Vec<_> = report.reasons().into_iter().collect();
    assert_eq!(reasons, [("empty_user", 1), ("invalid_quantity", 1)]);
    let history = dataset.log.history(dataset.log.user("17850").unwrap());
    let item = dataset.catalog.index("85123A").unwrap();
    assert_eq!(history[1].action, Action::Return { item, quantity: 2 });
    // British summer time.
    assert_eq!(history[1].time.unwrap().to_string(), "2011-06-02T07:26:00Z");
    assert_eq!(history[1].session(), Some("C536366"));
    assert_eq!(&*history[1].details.as_ref().unwrap().context["Country"], "France");
    assert_eq!(titles(&dataset), ["WHITE HOLDER"]);
}

#[test]
fn other_recbole_files_load_too() {
    let folder = folder(&[
        ("x.inter", b"user_id:token\titem_id:token\n1\ta\n1\ta\n"),
        (
            "x.item",
            b"item_id:token\ttitle:token_seq\tcategories:token_seq\na\tA tub, The\tBeauty, Tubs\n",
        ),
    ]);
    let dataset = load(Preset::Ml100k, folder.path()).unwrap();
    assert_eq!(titles(&dataset), ["A tub, The"]);
    assert_eq!(dataset.catalog.items()[0].texts()[0].categories, [["Beauty"], ["Tubs"]]);
    // Without times a repeat is an event.
    assert_eq!((dataset.log.event_count(), dataset.report.duplicates()), (2, 0));
}

//! Every format, compression and encoding, and whatever a hostile file may hold.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::io::Write;

use proclivity_data::{
    CategorySource, DataError, Dataset, ErrorPolicy, EventMapping, EventReader, Format, Input,
    ItemMapping, ItemReader, KindSource, Modality, PriceSource, Reason, TimeFormat, TimeSource,
    read_npy_embeddings,
};
use proclivity_schema::{Action, Catalog, EventKind, FollowTarget, Item, ItemText, Language};
use proptest::prelude::*;

const ANY: ErrorPolicy = ErrorPolicy::Quarantine { max_share: 1.0 };

/// The same two events in every format, and the mapping for them.
const CSV: &str = "who,what,at\n7,a,100\n8,\"b, c\",200\n";
const JSONL: &str =
    "{\"who\":7,\"what\":\"a\",\"at\":100}\n\n{\"who\":\"8\",\"what\":\"b, c\",\"at\":200.0}\n";

fn mapping() -> EventMapping {
    EventMapping {
        item: Some("what".to_owned()),
        time: Some(TimeSource::with_format("at", TimeFormat::Seconds)),
        ..EventMapping::new("who", KindSource::Constant(EventKind::View))
    }
}

fn read(bytes: impl AsRef<[u8]>, format: Format) -> Result<Dataset, DataError> {
    EventReader::new(mapping(), format)
        .with_policy(ANY)
        .read([Input::reader("log", bytes.as_ref())])
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).unwrap()
}

#[test]
fn all_formats_say_the_same() {
    let expected = read(CSV, Format::csv()).unwrap();
    let ids: Vec<_> = expected.catalog.ids().iter().map(|id| id.as_str()).collect();
    assert_eq!(ids, ["a", "b, c"]);
    let lines = Format::lines("::", &["who", "what", "at"]);
    for (name, bytes, format) in [
        ("gzip", gzip(CSV.as_bytes()), Format::csv()),
        (
            "two gzip members",
            [gzip(b"who,what,at\n"), gzip(&CSV.as_bytes()[12..])].concat(),
            Format::csv(),
        ),
        ("zstd", zstd(CSV.as_bytes()), Format::csv()),
        (
            "two frames",
            [zstd(b"who,what,at\n7,a"), zstd(&CSV.as_bytes()[15..])].concat(),
            Format::csv(),
        ),
        ("tsv", b"who\twhat\tat\n7\ta\t100\n8\tb, c\t200".to_vec(), Format::tsv()),
        ("lines", b"7::a::100\r\n8::b, c::200\r\n".to_vec(), lines),
        ("jsonl", JSONL.as_bytes().to_vec(), Format::Jsonl),
        ("jsonl.gz", gzip(JSONL.as_bytes()), Format::Jsonl),
    ] {
        let got = read(bytes, format).unwrap();
        assert_eq!(
            (got.catalog, got.log),
            (expected.catalog.clone(), expected.log.clone()),
            "{name}"
        );
    }
}

#[test]
fn globs_read_all_files_in_order_and_the_report_names_them() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("b.csv"), "who,what,at\n9,z,1\n,z,1\n").unwrap();
    std::fs::write(folder.path().join("a.csv.gz"), gzip(CSV.as_bytes())).unwrap();
    let pattern = folder.path().join("*.csv*").display().to_string();
    let reader = EventReader::new(mapping(), Format::csv()).with_policy(ANY);
    let dataset = reader.read(Input::glob(&pattern).unwrap()).unwrap();
    assert_eq!(dataset.log.user_ids().len(), 3);
    let report = dataset.report;
    assert_eq!((report.files().len(), report.read(), report.accepted()), (2, 4, 3));
    assert!(report.quarantined()[0].file.ends_with("b.csv"));
    assert!(report.to_string().contains("line 3 of "), "{report}");
    let nothing = Input::glob(&folder.path().join("*.tsv").display().to_string());
    assert!(matches!(nothing, Err(DataError::NoFile { .. })));
    assert!(matches!(Input::glob("a**b"), Err(DataError::Glob { .. })));
}

#[test]
fn a_mapping_of_ones_own_reads_as_data() {
    let mapping: EventMapping = serde_json::from_str(
        r#"{
            "user": "u.id",
            "item": "sku",
            "kind": {"column": {"name": "kind", "names": {"pv": "view", "buy": "purchase", "abo": "follow"}}},
            "time": {"column": "t", "format": {"pattern": "%d.%m.%Y %H:%M"}, "zone": "Asia/Shanghai"},
            "text": "text", "follow_target": "whom", "quantity": "n",
            "price": {"column": "price", "currency": "CNY"},
            "session": "s", "domain": "d", "context": ["device"],
            "whole_number_ids": true, "negative_quantity_is_return": true
        }"#,
    )
    .unwrap();
    let rows = [
        r#"{"u":{"id":7.0},"sku":"14850.0","kind":"pv","t":"01.01.2021 18:00","s":"s1","d":"shop","device":"phone"}"#,
        r#"{"u":{"id":7},"sku":14850,"kind":"buy","t":"01.01.2021 18:01","n":"2.0","price":9.5}"#,
        r#"{"u":{"id":7},"sku":14850,"kind":"buy","t":"01.01.2021 18:02","n":-1,"price":9.5}"#,
        r#"{"u":{"id":7},"kind":"abo","t":"01.01.2021 18:03","text":"@anna","whom":"user"}"#,
        r#"{"u":{"id":7},"sku":14850,"kind":"like","t":"2021-01-01"}"#,
        r#"{"u":{"id":[1,[2]]},"sku":14850,"kind":"like","t":"01.01.2021 18:04"}"#,
        r#"{"u":{"id":{"x":1}},"sku":1,"kind":"like","t":"01.01.2021 18:05"}"#,
        r#"{"u":{"id":7},"sku":1,"kind":"buy","t":"01.01.2021 18:05","price":-3}"#,
        r#"{"u":{"id":12345678901234567890123},"sku":1,"kind":"like","t":"01.01.2021 18:05"}"#,
        r#"["no", "object"]"#,
        r#"{"u":{"id":7},"sku":1,"#,
        r#"{"u":{"id":7},"kind":"abo","t":"01.01.2021 18:06","text":"x","whom":"cat"}"#,
    ]
    .join("\n");
    let reader = EventReader::new(mapping, Format::Jsonl).with_policy(ANY);
    let dataset = reader.read([Input::reader("log.jsonl", rows.as_bytes())]).unwrap();
    let item = dataset.catalog.index("14850").unwrap();
    let events = dataset.log.history(dataset.log.user("7").unwrap());
    let actions: Vec<&Action> = events.iter().map(|event| &event.action).collect();
    let follow = Action::Follow { target: FollowTarget::User, name: "@anna".into() };
    assert_eq!(
        actions,
        [
            &Action::View { item },
            &Action::Purchase { item, quantity: 2 },
            &Action::Return { item, quantity: 1 },
            &follow,
        ]
    );
    assert_eq!(events[0].time.unwrap().to_string(), "2021-01-01T10:00:00Z");
    assert_eq!((events[0].session(), events[0].domain()), (Some("s1"), Some("shop")));
    let details = events[1].details.as_ref().unwrap();
    assert_eq!(details.value.as_ref().map(|value| value.amount()), Some(9.5));
    assert_eq!(
        dataset.report.reasons(),
        BTreeMap::from([
            ("inexact_number", 1),
            ("invalid_json", 2),
            ("invalid_price", 1),
            ("invalid_time", 1),
            ("nested", 2),
            ("unknown_follow_target", 1),
        ])
    );
    let bad = serde_json::from_str::<EventMapping>(
        r#"{"user":"u","kind":{"constant":"view"},"itme":"i"}"#,
    );
    assert!(bad.unwrap_err().to_string().contains("unknown field `itme`"));
}

#[test]
fn times_read_in_every_format_and_zone() {
    let at = |text: &str, format: TimeFormat, zone: Option<&str>| {
        let time = TimeSource { column: "t".into(), format, zone: zone.map(str::to_owned) };
        let mapping = EventMapping {
            item: Some("i".into()),
            time: Some(time),
            ..EventMapping::new("u", KindSource::Constant(EventKind::View))
        };
        let csv = format!("u,i,t\n1,1,\"{text}\"\n");
        let reader = EventReader::new(mapping, Format::csv()).with_policy(ANY);
        match reader.read([Input::reader("log", csv.as_bytes())]) {
            Ok(dataset) => dataset.log.events()[0].time.unwrap().to_string(),
            Err(DataError::NothingAccepted { report }) => {
                report.quarantined()[0].reason.code().into()
            }
            Err(error) => error.to_string(),
        }
    };
    let pattern = |text: &str| TimeFormat::Pattern(text.to_owned());
    let ten = "2021-01-01T10:00:00Z";
    let shanghai = Some("Asia/Shanghai");
    for (text, format, zone, expected) in [
        ("1609495200", TimeFormat::Auto, shanghai, ten),
        ("2021-01-01T10:00:00Z", TimeFormat::Auto, shanghai, ten),
        ("2021-01-01 18:00:00", TimeFormat::Auto, shanghai, ten),
        ("2021-01-01T18:00", TimeFormat::Auto, shanghai, ten),
        ("2021-01-01 10:00:00", TimeFormat::Auto, None, ten),
        ("2021-01-01 10:00:00 ", TimeFormat::Auto, None, ten),
        ("1.6094952e9", TimeFormat::Seconds, None, ten),
        ("1609495200000", TimeFormat::Milliseconds, None, ten),
        ("1609495200000000", TimeFormat::Microseconds, None, ten),
        ("1/1/2021 10:00:00 AM", pattern("%m/%d/%Y %I:%M:%S %p"), None, ten),
        ("01-Jan-2021", pattern("%d-%b-%Y"), None, "2021-01-01T00:00:00Z"),
        ("2021-01-01 10:00 +0000", pattern("%Y-%m-%d %H:%M %z"), shanghai, ten),
        // A leap second is the second before it.
        ("2016-12-31T23:59:60Z", TimeFormat::Auto, None, "2016-12-31T23:59:59Z"),
        // The hour that London has twice, and the one that it doesn't have.
        ("2021-10-31 01:30:00", TimeFormat::Auto, Some("Europe/London"), "2021-10-31T00:30:00Z"),
        ("2021-03-28 01:30:00", TimeFormat::Auto, Some("Europe/London"), "2021-03-28T01:30:00Z"),
        ("2021-02-30 10:00:00", TimeFormat::Auto, None, "invalid_time"),
        ("nan", TimeFormat::Seconds, None, "invalid_time"),
        ("1e300", TimeFormat::Seconds, None, "time_out_of_range"),
        ("-1", TimeFormat::Milliseconds, None, "time_out_of_range"),
        ("9223372036854775807", TimeFormat::Milliseconds, None, "time_out_of_range"),
        ("99999999999999999999", TimeFormat::Auto, None, "invalid_time"),
    ] {
        assert_eq!(at(text, format.clone(), zone), expected, "{text} {format:?}");
    }
    assert!(at("1", TimeFormat::Auto, Some("Mars/Olympus")).contains("no time zone"));
}

#[test]
fn other_encodings_are_decoded_field_by_field() {
    let csv = "who,what,at\n1,茶,5\n";
    let (bytes, ..) = encoding_rs::GBK.encode(csv);
    let dataset = read(&bytes, Format::csv().with_encoding("gbk")).unwrap();
    assert_eq!(dataset.catalog.ids()[0].as_str(), "茶");
    // The same bytes are no UTF-8, and a row that mixes encodings is set aside alone.
    let mixed = [b"who,what,at\n1,a,5\n".as_slice(), &bytes[12..]].concat();
    let report = read(mixed, Format::csv()).unwrap().report;
    assert_eq!(report.quarantined()[0].reason, Reason::InvalidEncoding);
    assert_eq!(report.quarantined()[0].line, 3);
    let unknown = read(CSV, Format::csv().with_encoding("utf-9"));
    assert!(matches!(unknown, Err(DataError::UnknownEncoding { .. })));
    let separator =
        Format::Csv { separator: '→', quotes: true, columns: None, encoding: "utf-8".into() };
    assert!(matches!(read(CSV, separator), Err(DataError::Separator { .. })));
}

#[test]
fn hostile_rows_are_rows() {
    let long = "x".repeat(100_000_000);
    for (name, row, expected) in [
        ("right to left", "1,שלום‏ العالم,5".to_owned(), Ok("שלום‏ العالم")),
        ("emoji", "1,👩‍👩‍👧‍👦,5".to_owned(), Ok("👩‍👩‍👧‍👦")),
        ("NUL", "1,a\0b,5".to_owned(), Err("invalid_item")),
        ("a break in an id", "1,\"a\nb\",5".to_owned(), Err("invalid_item")),
        ("Excel's decimal id", "1,14850.0,5".to_owned(), Ok("14850.0")),
        ("a formula", "1,=1+1,5".to_owned(), Ok("=1+1")),
        ("100 MB on a line", format!("1,{long},5"), Ok(long.as_str())),
    ] {
        let csv = format!("\u{feff}who,what,at\r\n0,0,0\r\n{row}\r\n");
        let dataset = read(csv, Format::csv()).unwrap();
        match expected {
            Ok(id) => assert!(dataset.catalog.index(id).is_ok(), "{name}"),
            Err(code) => {
                let reasons = dataset.report.reasons();
                assert_eq!(reasons.into_keys().collect::<Vec<_>>(), [code], "{name}");
            }
        }
    }
}

#[test]
fn damaged_compression_is_an_error_with_the_files_name() {
    for bytes in [gzip(CSV.as_bytes()), zstd(CSV.as_bytes())] {
        let cut = &bytes[..bytes.len() - 6];
        let error = read(cut, Format::csv()).unwrap_err();
        assert!(error.to_string().starts_with("log:"), "{error}");
        assert!(read(cut, Format::Jsonl).is_err());
    }
    let missing = EventReader::new(mapping(), Format::csv()).read([Input::path("/no/such/file")]);
    assert!(matches!(missing, Err(DataError::Io { .. })));
}

#[test]
fn items_have_all_that_their_table_says() {
    let mapping = ItemMapping {
        description: vec!["text".into()],
        categories: vec![
            CategorySource::Path { columns: vec!["path".into()], separator: Some(">".into()) },
            CategorySource::tags("tags", "|"),
            CategorySource::Flag { column: "gift".into() },
        ],
        brand: Some("brand".into()),
        price: Some(PriceSource { column: "price".into(), currency: "EUR".into() }),
        published: Some(TimeSource::new("date")),
        attributes: vec!["colour".into()],
        whole_number_ids: true,
        ..ItemMapping::new("id", "title", Language::ENGLISH)
    };
    let table = "id,title,text,path,tags,gift,brand,price,date,colour\n\
        7.0,Kettle,Pours well.,Kitchen > Kettles,new|sale,1,Hearth,59.9,2020-05-01,black\n\
        8,,,,,0,,,,\n7,Again,,,,,,,,\n9,Bad price,,,,,,cheap,,\n,No id,,,,,,,,\n";
    let reader = ItemReader::new(mapping, Format::csv()).with_policy(ANY);
    let (catalog, report) = reader.read([Input::reader("items.csv", table.as_bytes())]).unwrap();
    let kettle = &catalog.items()[0];
    assert_eq!(kettle.id().as_str(), "7");
    assert_eq!(
        kettle.texts()[0].categories,
        [vec!["Kitchen", "Kettles"], vec!["new"], vec!["sale"], vec!["gift"]]
    );
    assert_eq!((kettle.brand(), kettle.price().unwrap().amount()), (Some("Hearth"), 59.9));
    assert_eq!(kettle.published().unwrap().to_string(), "2020-05-01T00:00:00Z");
    assert_eq!(kettle.attributes()["colour"], "black");
    assert_eq!((catalog.len(), report.untitled()), (2, 1));
    let reasons: Vec<_> = report.reasons().into_keys().collect();
    assert_eq!(reasons, ["empty_item", "invalid_price", "repeated_item"]);
}

fn two_items() -> Catalog {
    let item =
        |id: u64| Item::new(id.into(), vec![ItemText::title(Language::ENGLISH, "x")]).unwrap();
    Catalog::new(vec![item(1), item(2)]).unwrap()
}

fn npy(shape: &str, dtype: &str, data: &[u8]) -> Vec<u8> {
    let mut header = format!("{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}");
    while (10 + header.len() + 1) % 64 != 0 {
        header.push(' ');
    }
    header.push('\n');
    let length = u16::try_from(header.len()).unwrap().to_le_bytes();
    [b"\x93NUMPY\x01\x00".as_slice(), &length, header.as_bytes(), data].concat()
}

#[test]
fn embeddings_come_from_npy() {
    let floats =
        |values: &[f32]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
    let read = |bytes: &[u8], ids: Option<&str>| {
        let ids =
            ids.map(|ids| Input::reader("ids.txt", ids.to_owned().into_bytes().leak() as &[u8]));
        read_npy_embeddings(two_items(), Modality::Image, Input::reader("x.npy", bytes), ids)
    };
    let array = npy("(2, 2)", "<f4", &floats(&[0.6, 0.8, 0.0, 0.0]));
    let (catalog, report) = read(&array, None).unwrap();
    assert_eq!(catalog.items()[0].image().unwrap().values(), [0.6, 0.8]);
    assert!(catalog.items()[1].image().is_none());
    assert_eq!((report.attached, report.zero, report.without), (1, 1, 1));
    let (catalog, report) = read(&array, Some("9\n2\n")).unwrap();
    assert_eq!((report.unknown, report.zero, report.attached), (1, 1, 0));
    assert!(catalog.items().iter().all(|item| item.image().is_none()));
    let doubles: Vec<u8> = [1.0_f64, 0.0].iter().flat_map(|value| value.to_le_bytes()).collect();
    assert_eq!(read(&npy("(1, 2)", "<f8", &doubles), Some("2")).unwrap().1.attached, 1);

    assert!(matches!(read(&array, Some("1\n")), Err(DataError::Count { .. })));
    assert!(matches!(read(&array, Some("1\n1\n")), Err(DataError::Vector { row: 1, .. })));
    let nan = npy("(2, 2)", "<f4", &floats(&[1.0, f32::NAN, 1.0, 1.0]));
    assert!(matches!(read(&nan, None), Err(DataError::Vector { row: 0, .. })));
    for broken in [
        npy("(1152921504606846976, 384)", "<f4", &floats(&[1.0; 8])),
        npy("(4,)", "<f4", &floats(&[1.0; 4])),
        npy("(1, 2)", "<i4", &floats(&[1.0; 2])),
        b"\x93NUMPY".to_vec(),
        // Nesting that upstream's parser would not come back from.
        npy(&format!("{}1{}", "(".repeat(40), ",)".repeat(40)), "<f4", &[]),
        // A header of four gigabytes, which must not be allocated.
        b"\x93NUMPY\x03\x00\xd2\xff\xff\xff{'descr'".to_vec(),
    ] {
        assert!(matches!(read(&broken, None), Err(DataError::Npy { .. })));
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_neither_panic_nor_get_lost(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let lines = Format::lines("::", &["who", "what", "at"]);
        for format in [Format::csv(), Format::tsv(), Format::Jsonl, lines] {
            if let Ok(dataset) = read(&bytes, format) {
                prop_assert_eq!(dataset.log.event_count(), dataset.report.accepted());
            }
        }
    }

    #[test]
    fn json_lines_count_every_line(lines in prop::collection::vec("[^\r\n\u{feff}]{0,20}", 0..20)) {
        let rows = lines.iter().filter(|line| !line.trim_matches(|c: char| c.is_ascii_whitespace()).is_empty()).count();
        let text = lines.join("\n") + "\n{\"who\":1,\"what\":2,\"at\":3}";
        let report = read(text, Format::Jsonl).unwrap().report;
        prop_assert_eq!(report.read() , rows + 1);
    }
}

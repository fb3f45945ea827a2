//! The event log as CSV: what is read, what is set aside, and that nothing is lost.
#![expect(clippy::unwrap_used, reason = "the fixtures are valid")]

use std::collections::BTreeSet;
use std::io::Read;

use proclivity_data::{DataError, ErrorPolicy, QuarantinedRow, ReadReport, Reason, read_event_csv};
use proclivity_schema::{
    Action, Catalog, EventKind, FollowTarget, Fraction, Item, ItemId, ItemIndex, ItemText,
    Language, Log, Rating,
};
use proptest::prelude::*;

const HEADER: &str = "user_id,item_id,event,timestamp,value\n";
const ANY: ErrorPolicy = ErrorPolicy::Quarantine { max_share: 1.0 };

fn catalog() -> Catalog {
    let item = |id| Item::new(ItemId::from(id), vec![ItemText::title(Language::ENGLISH, "thing")]);
    Catalog::new((1..=5).map(|id| item(id).unwrap()).collect()).unwrap()
}

fn read(csv: impl AsRef<[u8]>, policy: ErrorPolicy) -> Result<(Log, ReadReport), DataError> {
    read_event_csv(csv.as_ref(), "log.csv", &catalog(), policy)
}

fn byte(row: &QuarantinedRow) -> usize {
    usize::try_from(row.byte.unwrap()).unwrap()
}

fn rows(rows: &str) -> (Log, ReadReport) {
    read(format!("{HEADER}{rows}"), ANY).unwrap()
}

#[test]
fn every_kind_of_event_carries_its_value() {
    let mut csv = String::from(HEADER);
    for (second, kind) in EventKind::ALL.into_iter().enumerate() {
        let (item, value) = match kind {
            EventKind::Search => ("", "manual grinder"),
            EventKind::Follow => ("", "coffee"),
            EventKind::Rate => ("2", "4.5"),
            EventKind::Purchase | EventKind::Return => ("2", "3"),
            EventKind::Watch => ("2", "0.25"),
            EventKind::Comment => ("2", "nice, \"really\""),
            EventKind::Impression => ("2", "0"),
            _ => ("2", ""),
        };
        let value = value.replace('"', "\"\"");
        csv += &format!("u,{item},{kind},{second},\"{value}\"\n");
    }
    let (log, report) = read(csv, ErrorPolicy::Fail).unwrap();
    assert_eq!((report.read(), report.accepted()), (17, 17));
    let actions: Vec<&Action> = log.events().iter().map(|event| &event.action).collect();
    let item = ItemIndex(1);
    let rating = Rating::new(4.5).unwrap();
    let query = "manual grinder".into();
    let topic = "coffee".into();
    let expected = [
        Action::View { item },
        Action::Search { query },
        Action::Click { item },
        Action::AddToCart { item },
        Action::RemoveFromCart { item },
        Action::Purchase { item, quantity: 3 },
        Action::Return { item, quantity: 3 },
        Action::Rate { item, rating },
        Action::Like { item },
        Action::Dislike { item },
        Action::Follow { target: FollowTarget::Topic, name: topic },
        Action::Share { item },
        Action::Comment { item, text: "nice, \"really\"".into() },
        Action::Watch { item, fraction: Fraction::new(0.25).unwrap() },
        Action::Skip { item },
        Action::Dismiss { item },
        Action::Impression { item, position: 0 },
    ];
    assert_eq!(actions, expected.iter().collect::<Vec<_>>());
}

#[test]
fn every_fault_has_its_reason_column_and_place() {
    let bad = [
        ("u,1,view,5", None, "field_count"),
        ("u,1,view,5,,more", None, "field_count"),
        (",1,view,5,", Some("user_id"), "empty_user"),
        ("a\u{1}b,1,view,5,", Some("user_id"), "invalid_user"),
        ("u,,view,5,", Some("item_id"), "empty_item"),
        ("u,9,view,5,", Some("item_id"), "unknown_item"),
        ("u,1,search,5,tea", Some("item_id"), "unexpected_item"),
        ("u,1,veiw,5,", Some("event"), "unknown_event"),
        ("u,1,view,,", Some("timestamp"), "invalid_time"),
        ("u,1,view,yesterday,", Some("timestamp"), "invalid_time"),
        ("u,1,view,-1,", Some("timestamp"), "time_out_of_range"),
        ("u,1,view,1969-07-20 20:17:40,", Some("timestamp"), "time_out_of_range"),
        ("u,1,view,9223372036854775807,", Some("timestamp"), "time_out_of_range"),
        ("u,1,rate,5,NaN", Some("value"), "invalid_rating"),
        ("u,1,rate,5,1e39", Some("value"), "invalid_rating"),
        ("u,1,rate,5,", Some("value"), "invalid_rating"),
        ("u,1,purchase,5,0", Some("value"), "invalid_quantity"),
        ("u,1,purchase,5,-2", Some("value"), "invalid_quantity"),
        ("u,1,impression,5,", Some("value"), "invalid_position"),
        ("u,,search,5, ", Some("value"), "empty_text"),
        ("u,1,view,5,7", Some("value"), "unexpected_value"),
    ];
    let csv: String = bad.iter().map(|(row, ..)| format!("{row}\n")).collect();
    let text = format!("{HEADER}u,1,view,5,\n{csv}");
    let (_, report) = read(&text, ANY).unwrap();
    assert_eq!((report.read(), report.accepted()), (bad.len() + 1, 1));
    for (number, (row, (raw, column, code))) in report.quarantined().iter().zip(bad).enumerate() {
        assert_eq!((row.column.as_deref(), row.reason.code()), (column, code), "{raw:?}");
        assert_eq!(row.line, number as u64 + 3);
        assert_eq!(row.raw, raw);
        assert!(text[byte(row)..].starts_with(raw));
    }
    let codes: BTreeSet<&str> = report.reasons().into_keys().collect();
    assert_eq!(report.reasons().values().sum::<usize>(), bad.len());
    assert_eq!(codes.len(), 14);
}

#[test]
fn bytes_that_are_not_utf8_are_set_aside() {
    let csv = [HEADER.as_bytes(), b"u,1,view,5,\nu,,search,6,caf\xe9\n"].concat();
    let (_, report) = read(csv, ANY).unwrap();
    let row = &report.quarantined()[0];
    assert_eq!((row.line, row.reason), (3, Reason::InvalidEncoding));
    assert_eq!(row.column.as_deref(), Some("value"));
    assert_eq!(row.raw, "u,,search,6,caf\u{fffd}");
}

#[test]
fn places_hold_under_line_ends_blank_lines_and_quoted_breaks() {
    let unix = "user_id,item_id,event,timestamp,value\n\nu,1,view,5,\nu,,search,6,\"two\nlines\"\n\n\nu,9,view,7,\n";
    for (csv, line, row) in [
        (unix.to_owned(), 8, "u,9"),
        (unix.replace('\n', "\r\n"), 8, "u,9"),
        (format!("\u{feff}{unix}"), 8, "u,9"),
        (format!("\u{feff}{}", unix.trim_end()).replace('\n', "\r\n"), 8, "u,9"),
    ] {
        let (log, report) = read(&csv, ANY).unwrap();
        assert_eq!((report.accepted(), report.quarantined().len()), (2, 1));
        let bad = &report.quarantined()[0];
        assert_eq!(bad.line, line, "{csv:?}");
        assert!(csv[byte(bad)..].starts_with(row), "{csv:?}");
        assert_eq!(bad.raw, "u,9,view,7,");
        let Action::Search { query } = &log.events()[1].action else { panic!("a search") };
        assert_eq!(query.replace('\r', ""), "two\nlines");
    }
}

#[test]
fn a_quote_left_open_does_not_swallow_rows_into_a_query() {
    let open = "u,1,view,5,\nu,,search,6,\"tea\nu,2,view,7,\nu,3,view,8,\n";
    // A second stray quote closes the first one, so that quotes pair, and fields are five.
    let paired = format!("{open}u,,search,9,\"cup\nu,4,view,10,\n");
    for (csv, lines, accepted) in [(open, vec![3], 3), (&*paired, vec![3, 6], 4)] {
        let (log, report) = rows(csv);
        assert_eq!(log.event_count(), accepted, "its line alone is lost");
        let bad: Vec<(u64, Reason)> =
            report.quarantined().iter().map(|row| (row.line, row.reason)).collect();
        let expected: Vec<_> = lines.iter().map(|&line| (line, Reason::UnclosedQuote)).collect();
        assert_eq!(bad, expected);
        assert_eq!(report.quarantined()[0].raw, "u,,search,6,\"tea");
    }
    // Long texts in quotes are texts, up to a thousand lines; beyond, both ends are left open.
    for (breaks, bad) in [(999, 0), (1_000, 2)] {
        let (_, report) =
            rows(&format!("u,1,view,5,\nu,,search,6,\"tea{}\"\n", "\n".repeat(breaks)));
        let unclosed = report.reasons().get("unclosed_quote").copied().unwrap_or_default();
        assert_eq!(unclosed, bad, "{breaks}");
    }
    // A lone quote inside of an unquoted field is text.
    let (_, report) = rows("u,,search,6,5\" pipe\n");
    assert_eq!(report.accepted(), 1);
}

#[test]
fn columns_are_found_by_name_and_others_left_alone() {
    let csv = "session, value ,timestamp,event,item_id,user_id\nx,2,5,purchase,4,u\n";
    let (log, _) = read(csv, ErrorPolicy::Fail).unwrap();
    let item = ItemIndex(3);
    assert_eq!(log.events()[0].action, Action::Purchase { item, quantity: 2 });
}

#[test]
fn bad_headers_are_typed_errors() {
    let missing = read("user_id,item_id,event,value\n", ANY).unwrap_err();
    assert!(
        matches!(missing, DataError::MissingColumn { ref column, ref found, .. } if column == "timestamp" && found.len() == 4)
    );
    let twice = read("user_id,item_id,event,timestamp,value,event\n", ANY).unwrap_err();
    assert!(matches!(twice, DataError::DuplicateColumn { column, .. } if column == "event"));
    for empty in ["", "\u{feff}", "\n\n"] {
        assert!(matches!(read(empty, ANY), Err(DataError::MissingColumn { .. })));
    }
}

#[test]
fn duplicates_are_exact_and_the_first_is_kept() {
    let (log, report) = rows(
        "u,1,rate,5,4\nu,1,rate,5,4\nu,1,rate,5,4.0\nu,1,rate,6,4\nu,1,rate,5,3\nv,1,rate,5,4\n\
         u,1,view,5,\nu,2,view,5,\nu,1,view,1970-01-01T00:00:05Z,\nu,,search,5,tea\nu,,follow,5,tea\n\
         u,1,rate,5,0\nu,1,rate,5,-0\n",
    );
    assert_eq!((report.accepted(), report.duplicates()), (9, 4));
    assert_eq!(log.event_count(), 9);
    let first = &log.history(log.user("u").unwrap())[0];
    assert_eq!(first.action.kind(), EventKind::Rate);
}

#[test]
fn the_policy_decides_about_bad_rows() {
    let csv = format!("{HEADER}u,1,view,5,\nu,2,view,6,\nu,9,view,7,\nu,8,view,8,\n");
    match read(&csv, ErrorPolicy::Fail).unwrap_err() {
        DataError::Row { row } => {
            assert_eq!((&*row.file, row.line), ("log.csv", 4));
            assert_eq!(row.reason, Reason::UnknownItem);
        }
        other => panic!("{other}"),
    }
    assert!(read(&csv, ErrorPolicy::Quarantine { max_share: 0.5 }).is_ok());
    match read(&csv, ErrorPolicy::Quarantine { max_share: 0.4 }).unwrap_err() {
        DataError::TooManyQuarantined { report, .. } => assert_eq!(report.quarantined().len(), 2),
        other => panic!("{other}"),
    }
    for max_share in [f64::NAN, -0.1, 1.1] {
        assert!(matches!(
            read(&csv, ErrorPolicy::Quarantine { max_share }),
            Err(DataError::Parameter { name: "max_share", .. })
        ));
    }
}

#[test]
fn a_log_without_events_is_an_error_that_says_why() {
    assert!(matches!(
        read(HEADER, ANY),
        Err(DataError::NothingAccepted { report, .. }) if report.read() == 0
    ));
    let error = read(format!("{HEADER}u,9,view,5,\n"), ANY).unwrap_err();
    assert_eq!(
        error.to_string(),
        "log.csv: no row was accepted\n\
         1 row read = 0 accepted + 0 duplicates + 1 quarantined\n  1 unknown_item: line 2"
    );
}

#[test]
fn the_report_and_the_sidecar_name_every_quarantined_row() {
    let (_, report) =
        rows("u,1,view,5,\nu,9,view,5,\nu,8,view,5,\nu,,search,1,\"a\nb\nu,7,view,5,\n");
    assert_eq!(
        report.to_string(),
        "6 rows read = 1 accepted + 0 duplicates + 5 quarantined\n  1 field_count: line 6\n  \
         1 unclosed_quote: line 5\n  3 unknown_item: lines 3, 4, 7"
    );
    let mut sidecar = Vec::new();
    report.write_quarantine(&mut sidecar).unwrap();
    let lines: Vec<serde_json::Value> = String::from_utf8(sidecar)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 5);
    assert_eq!(
        lines[0],
        serde_json::json!({
            "file": "log.csv", "line": 3, "byte": HEADER.len() + "u,1,view,5,\n".len(),
            "column": "item_id", "reason": "unknown_item", "raw": "u,9,view,5,",
        })
    );
    assert_eq!(lines[2]["raw"], "u,,search,1,\"a");
}

/// Hands out a byte at a time, so that nothing may rely on where reads end.
struct Trickle<'a>(&'a [u8]);

impl Read for Trickle<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.0.len().min(buffer.len()).min(1);
        buffer[..count].copy_from_slice(&self.0[..count]);
        self.0 = &self.0[count..];
        Ok(count)
    }
}

#[test]
fn the_size_of_reads_does_not_matter() {
    let csv = format!("\u{feff}{HEADER}u,1,view,5,\r\nu,9,view,6,\r\n");
    let trickled = read_event_csv(Trickle(csv.as_bytes()), "log.csv", &catalog(), ANY).unwrap();
    assert_eq!(trickled, read(&csv, ANY).unwrap());
}

#[test]
fn places_hold_far_into_a_large_file() {
    let mut csv = String::from(HEADER);
    for second in 0..60_000 {
        csv += &format!("u,1,view,{second},\r\n");
    }
    let start = csv.len();
    csv += "u,9,view,5,\r\n";
    let (_, report) = read(&csv, ANY).unwrap();
    let row = &report.quarantined()[0];
    assert_eq!((row.line, byte(row)), (60_002, start));
    assert_eq!(row.raw, "u,9,view,5,");
}

proptest! {
    #[test]
    fn arbitrary_bytes_neither_panic_nor_get_lost(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let csv = [HEADER.as_bytes(), b"u,1,view,5,\n", &bytes].concat();
        let (log, report) = read(&csv, ANY).unwrap();
        prop_assert_eq!(log.event_count(), report.accepted());
        for row in report.quarantined() {
            let shown = String::from_utf8_lossy(&csv[byte(row)..]).into_owned();
            let begins_there = shown.starts_with(row.raw.trim_end_matches('\u{fffd}'));
            prop_assert!(begins_there, "{:?} at byte {}", row.raw, byte(row));
            let breaks = csv[..byte(row)].iter().filter(|&&b| b == b'\n').count();
            prop_assert_eq!(row.line as usize, breaks + 1);
        }
    }

    #[test]
    fn whatever_a_writer_quotes_is_read_back(
        queries in prop::collection::vec("[a\",\n\r éテ]{1,12}", 1..8),
        crlf in any::<bool>(),
    ) {
        let end = if crlf { csv::Terminator::CRLF } else { csv::Terminator::Any(b'\n') };
        let mut writer = csv::WriterBuilder::new().terminator(end).from_writer(Vec::new());
        writer.write_record(["user_id", "item_id", "event", "timestamp", "value"]).unwrap();
        let mut expected = Vec::new();
        for (second, query) in queries.iter().enumerate() {
            writer.write_record(["u", "", "search", &second.to_string(), query]).unwrap();
            if !query.trim().is_empty() {
                expected.push(query.trim().to_owned());
            }
        }
        writer.write_record(["u", "1", "view", "99", ""]).unwrap();
        let (log, report) = read(writer.into_inner().unwrap(), ANY).unwrap();
        prop_assert_eq!(report.read(), queries.len() + 1);
        let got: Vec<String> =
            log.events().iter().filter_map(|event| event.action.text()).map(str::to_owned).collect();
        prop_assert_eq!(got, expected);
    }

    #[test]
    fn every_row_is_accounted_for_as_a_naive_loop_would(
        rows in prop::collection::vec((0_u8..3, 0_u8..8, 0_u32..3, any::<bool>()), 1..60),
        crlf in any::<bool>(),
    ) {
        let end = if crlf { "\r\n" } else { "\n" };
        let mut csv = HEADER.trim_end().to_owned() + end + "w,1,view,0," + end;
        let mut seen = BTreeSet::new();
        let (mut accepted, mut duplicates, mut bad) = (1, 0, Vec::new());
        for (number, &(user, item, second, short)) in rows.iter().enumerate() {
            csv += &format!("{user},{item},view,{second}{}{end}", if short { "" } else { "," });
            if short || !(1..=5).contains(&item) {
                bad.push(number as u64 + 3);
            } else if seen.insert((user, item, second)) {
                accepted += 1;
            } else {
                duplicates += 1;
            }
        }
        let (log, report) = read(csv, ANY).unwrap();
        prop_assert_eq!((report.accepted(), report.duplicates()), (accepted, duplicates));
        prop_assert_eq!(log.event_count(), accepted);
        prop_assert_eq!(report.read(), rows.len() + 1);
        let lines: Vec<u64> = report.quarantined().iter().map(|row| row.line).collect();
        prop_assert_eq!(lines, bad);
    }
}

//! Reports are well-formed, load nothing, and show whatever they are given.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use proclivity_eval::EvalError;
use proclivity_eval::metrics::CalibrationBin;
use proclivity_eval::report::{
    Axis, Bar, Cell, Column, Format, Interval, Plot, Point, Report, Series, Table,
};
use proptest::prelude::*;
use roxmltree::{Document, Node};

/// A plot of each kind, of these numbers and with this text wherever there is text.
fn plots(text: &str, numbers: &[f64]) -> Vec<Plot> {
    let at = |position: usize| numbers.get(position).copied().unwrap_or(f64::NAN);
    let interval = |position: usize| Interval {
        value: at(position),
        low: at(position + 1),
        high: at(position + 2),
    };
    let points = (0..numbers.len())
        .map(|position| Point::new(at(position + 1), interval(position)).with_label(text));
    let series = vec![
        Series::new(text, points.clone()),
        Series::new("", points.clone().skip(1)),
        Series::new(text, points),
    ];
    let bars = (0..numbers.len()).map(|position| Bar::new(text, interval(position))).collect();
    let counts = numbers.iter().map(|number| number.abs().min(1e6) as usize).collect();
    let bins = numbers.iter().map(|&expected| CalibrationBin {
        count: 10,
        lowest: 0.0,
        highest: 1.0,
        expected,
        observed: (expected.abs() as usize).min(10),
    });
    let (linear, logarithmic) = (|| Axis::linear(text), || Axis::logarithmic(text));
    vec![
        Plot::Lines { x: linear(), y: logarithmic(), series: series.clone() },
        Plot::Scatter { x: logarithmic(), y: linear(), series },
        Plot::Bars { x: linear().with_format(Format::Signed(4)), bars },
        Plot::Reliability { forecasters: vec![(text.to_owned(), bins.collect())] },
        Plot::Pit { counts },
    ]
}

/// A report with all that a report can hold.
fn everything(text: &str, numbers: &[f64]) -> Report {
    let mut report = Report::new(text).with_summary(text);
    let mut table = Table::new([
        Column::text(text),
        Column::number(text, Format::Decimals(4)).highest_is_best(),
        Column::number(text, Format::Significant(3)).lowest_is_best(),
    ]);
    for &number in numbers {
        table.row([text.into(), number.into(), Cell::Estimate(number, number)]).unwrap();
    }
    report.table(text, text, table);
    report.text("Words", text);
    for plot in plots(text, numbers) {
        report.plot("Plots", text, plot);
    }
    report
}

fn elements<'a>(document: &'a Document<'_>, name: &str) -> Vec<Node<'a, 'a>> {
    document.descendants().filter(|node| node.tag_name().name() == name).collect()
}

/// HTML's document type is no XML's, and the parser refuses any.
fn parse(html: &str) -> Document<'_> {
    Document::parse(html.strip_prefix("<!DOCTYPE html>").unwrap()).unwrap()
}

const NUMBERS: [f64; 6] = [0.3, 2.0, 0.01, 5.0, f64::NAN, 1.0];

#[test]
fn the_file_loads_nothing() {
    let html = everything("text", &NUMBERS).to_html().unwrap();
    let document = parse(&html);
    for node in document.descendants().filter(Node::is_element) {
        let name = node.tag_name().name();
        let loads = ["script", "link", "img", "image", "iframe", "object", "embed", "use", "base"];
        assert!(!loads.contains(&name), "{name}");
        for attribute in node.attributes() {
            let (name, value) = (attribute.name(), attribute.value());
            assert!(!name.starts_with("on") && name != "src" && name != "style", "{name}");
            assert!(name != "href" || value.starts_with('#'), "{value}");
        }
    }
    assert!(!html.contains("@import") && !html.contains("url("));
    assert_eq!(
        html.matches("://").count(),
        html.matches("xmlns=\"http://www.w3.org/2000/svg\"").count()
    );
}

#[test]
fn what_is_linked_and_referred_to_is_there_once() {
    let html = everything("text", &NUMBERS).to_html().unwrap();
    let document = parse(&html);
    let ids: Vec<&str> = document.descendants().filter_map(|node| node.attribute("id")).collect();
    let mut distinct = ids.clone();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len(), ids.len());
    let mut references = 0;
    for node in document.descendants() {
        let links = node.attribute("href").map(|link| &link[1..]);
        let labels = ["aria-labelledby", "aria-describedby"].map(|name| node.attribute(name));
        for reference in labels.into_iter().flatten().chain(links) {
            assert!(ids.contains(&reference), "{reference}");
            references += 1;
        }
    }
    // Three sections, each with a link and a heading; five plots with title and description.
    assert_eq!(references, 3 * 2 + 5 * 2);
    for svg in elements(&document, "svg") {
        assert_eq!(svg.attribute("role"), Some("img"));
    }
    assert_eq!(elements(&document, "details").len(), 5);
}

#[test]
fn text_stays_text() {
    for text in [
        "<script>alert(1)</script>",
        "\"quoted\" 'twice' & <b>",
        "]]> --> </title></svg></style>",
        "{{ title }} {% raw %}",
        "a\u{0}b\u{1b}c\u{ffff}d",
        "προτίμηση 好み ✓",
    ] {
        let html = everything(text, &NUMBERS).to_html().unwrap();
        let document = parse(&html);
        assert!(elements(&document, "script").is_empty());
        let shown = text.replace(['\u{0}', '\u{1b}', '\u{ffff}'], "\u{fffd}");
        for name in ["title", "h1", "figcaption", "th", "p"] {
            let found = elements(&document, name);
            assert!(found.iter().any(|node| node.text() == Some(&shown)), "{name}: {text}");
        }
        assert_eq!(elements(&document, "title").len(), 6);
        // In drawings, too, though longer text is cut there.
        let first = shown.split_whitespace().next().unwrap();
        let drawn = elements(&document, "text");
        let start: String = first.chars().take(6).collect();
        assert!(
            drawn.iter().any(|node| node.text().is_some_and(|text| text.contains(&start))),
            "{text}"
        );
    }
}

#[test]
fn what_is_missing_is_shown_as_missing() {
    let html = everything("text", &[f64::NAN, f64::INFINITY]).to_html().unwrap();
    assert!(!html.contains("NaN") && !html.contains("inf"), "{html}");
    assert_eq!(html.matches("No data.").count(), 4);
    let html = everything("text", &[]).to_html().unwrap();
    assert_eq!(html.matches("No data.").count(), 5);
    parse(&html);
}

#[test]
fn a_point_lies_where_its_numbers_say() {
    let points = [(0.0, 0.0), (10.0, 1.0), (5.0, 0.5)].map(|(x, y)| Point::new(x, y));
    let mut report = Report::new("");
    let (x, y) = (Axis::linear("x"), Axis::linear("y"));
    report.plot("", "", Plot::Scatter { x, y, series: vec![Series::new("", points)] });
    let html = report.to_html().unwrap();
    let document = parse(&html);
    let circles: Vec<[f64; 2]> = elements(&document, "circle")
        .iter()
        .map(|circle| ["cx", "cy"].map(|name| circle.attribute(name).unwrap().parse().unwrap()))
        .collect();
    let [origin, corner, middle] = circles[..] else { panic!("{circles:?}") };
    assert!(corner[0] > origin[0] && corner[1] < origin[1]);
    for axis in 0..2 {
        assert!((middle[axis] - (origin[axis] + corner[axis]) / 2.0).abs() <= 1.0);
    }
}

#[test]
fn more_hits_than_predictions_are_refused() {
    let bin = CalibrationBin { count: 1, lowest: 0.0, highest: 1.0, expected: 0.5, observed: 2 };
    let mut report = Report::new("");
    report.plot("", "", Plot::Reliability { forecasters: vec![(String::new(), vec![bin])] });
    assert!(matches!(report.to_html(), Err(EvalError::OutOfRange { name: "hits", .. })));
}

#[test]
fn every_colour_of_text_and_axes_has_another_in_the_dark() {
    let html = everything("text", &NUMBERS).to_html().unwrap();
    let document = parse(&html);
    let okabe_ito = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"];
    let svgs = elements(&document, "svg");
    for node in svgs.iter().flat_map(|svg| svg.descendants()) {
        for name in ["fill", "stroke"] {
            let Some(colour) = node.attribute(name).filter(|colour| *colour != "none") else {
                continue;
            };
            let rule = format!("svg [{name}=\"{colour}\"]");
            assert!(okabe_ito.contains(&colour) || html.contains(&rule), "{rule}");
        }
    }
}

#[test]
fn a_file_is_written_or_named() {
    let folder = tempfile::tempdir().unwrap();
    let report = everything("text", &NUMBERS);
    let path = folder.path().join("report.html");
    report.write(&path).unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), report.to_html().unwrap());
    let missing = folder.path().join("no folder").join("report.html");
    let error = report.write(&missing).unwrap_err();
    assert!(error.to_string().starts_with(missing.to_str().unwrap()), "{error}");
}

#[test]
fn a_small_report() {
    let mut report = Report::new("Small").with_summary("Two rows and two bars.");
    let mut table = Table::new([
        Column::text("model"),
        Column::number("HR@10", Format::Decimals(4)).highest_is_best(),
    ]);
    table.row(["pool".into(), Cell::Estimate(0.1092, 0.0021)]).unwrap();
    table.row(["popularity".into(), None.into()]).unwrap();
    report.table("Accuracy", "All users.", table);
    let bars = vec![
        Bar::new("without ridge", Interval { value: -0.0021, low: -0.003, high: -0.0012 }),
        Bar::new("as bags", 0.0004),
    ];
    let x = Axis::linear("ΔHR@10").with_format(Format::Signed(4));
    report.plot("Ablation", "Each by itself.", Plot::Bars { x, bars });
    let html = report.to_html().unwrap();
    let (_, body) = html.split_once("<body>").unwrap();
    insta::assert_snapshot!(body);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_numbers_and_text_make_a_document(
        text in any::<String>(),
        numbers in prop::collection::vec(any::<f64>(), 0..8),
    ) {
        let html = everything(&text, &numbers).to_html().unwrap();
        prop_assert!(!elements(&parse(&html), "svg").is_empty() || html.contains("No data."));
        prop_assert_eq!(html, everything(&text, &numbers).to_html().unwrap());
    }
}

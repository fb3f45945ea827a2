//! A search that was stopped anywhere ends as one that wasn't.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::cell::Cell;
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use proclivity_eval::{
    Axis, Case, EvalError, FullRankingConfig, ItemKnnConfig, Popularity, Search, coordinate_search,
    data_fingerprint, resumable_search,
};
use proclivity_rank::TieBreak;
use proptest::prelude::*;

type Point = (f64, f64);

fn axes() -> [Axis<Point>; 2] {
    [
        Axis { name: "first", values: vec![0.1, 0.5, f64::INFINITY, -2.0], set: |p, v| p.0 = v },
        Axis { name: "second", values: vec![0.25, 1e-300, 3.0], set: |p, v| p.1 = v },
    ]
}

/// With all that a value can be.
fn objective(&(first, second): &Point) -> f64 {
    match (first, second) {
        (0.1, _) => f64::NEG_INFINITY,
        (-2.0, _) => f64::NAN,
        (first, second) => 0.1 + 0.2 - (first.min(9.0) - 0.6).powi(2) / 3.0 - (second - 0.3).abs(),
    }
}

const START: Point = (0.3, -0.0);

/// The search, and how many evaluations it took.
fn run(file: &Path, sweeps: usize) -> Result<(Search<Point>, usize), EvalError> {
    let calls = Cell::new(0);
    let counted = |p: &Point| {
        calls.set(calls.get() + 1);
        Ok::<_, EvalError>(objective(p))
    };
    let mut told = 0;
    let search = resumable_search(file, "data", START, &axes(), sweeps, counted, |tried, _, _| {
        told = tried;
    })?;
    assert_eq!(told, search.trace.len());
    Ok((search, calls.get()))
}

/// The search, and its file.
static WHOLE: LazyLock<(Search<Point>, Vec<u8>)> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("trace.jsonl");
    let (search, calls) = run(&file, 3).unwrap();
    assert_eq!(calls, search.trace.len());
    (search, fs::read(file).unwrap())
});

fn whole() -> (Search<Point>, Vec<u8>) {
    WHOLE.clone()
}

#[test]
fn it_is_the_search_in_memory() {
    let in_memory =
        coordinate_search(START, &axes(), 3, |p| Ok::<_, ()>(objective(p)), |_, _, _| ());
    let (search, bytes) = whole();
    assert_eq!(search, in_memory.unwrap());
    assert_eq!(bytes.split(|&byte| byte == b'\n').count(), search.trace.len() + 2);
}

#[test]
fn cut_anywhere_it_ends_the_same() {
    let (search, bytes) = whole();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("trace.jsonl");
    // Around the end of every line, and here and there within.
    let ends = (0..bytes.len()).filter(|&at| bytes[at] == b'\n');
    let lengths = ends.flat_map(|end| [end, end + 1, end + 2]);
    for length in lengths.chain((0..bytes.len()).step_by(29)).filter(|&at| at <= bytes.len()) {
        fs::write(&file, &bytes[..length]).unwrap();
        let lines = bytes[..length].iter().filter(|&&byte| byte == b'\n').count();
        let (resumed, calls) = run(&file, 3).unwrap();
        assert_eq!(resumed, search);
        assert_eq!(calls, search.trace.len() - lines.saturating_sub(1));
        assert_eq!(fs::read(&file).unwrap(), bytes);
    }
}

#[test]
fn more_sweeps_go_on_from_fewer() {
    let (search, bytes) = whole();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("trace.jsonl");
    let (short, first) = run(&file, 1).unwrap();
    let (long, second) = run(&file, 3).unwrap();
    assert_eq!((long, first + second), (search.clone(), search.trace.len()));
    assert_eq!(fs::read(&file).unwrap(), bytes);
    assert_eq!(run(&file, 1).unwrap(), (short, 0));
}

#[test]
fn an_error_of_the_objective_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("trace.jsonl");
    let fails = |p: &Point| match objective(p) {
        value if p.1 == 3.0 => Err(EvalError::NotFinite { what: "fit", position: 0, value }),
        value => Ok(value),
    };
    let result = resumable_search(&file, "data", START, &axes(), 3, fails, |_, _, _| ());
    assert!(matches!(result, Err(EvalError::NotFinite { .. })));
    let written = fs::read(&file).unwrap().iter().filter(|&&byte| byte == b'\n').count() - 1;
    let (search, calls) = run(&file, 3).unwrap();
    assert_eq!(search, whole().0);
    assert_eq!((written > 0, calls), (true, search.trace.len() - written));
}

proptest! {
    #[test]
    fn no_changed_byte_changes_the_result(at: prop::sample::Index, to: u8) {
        let (search, mut bytes) = whole();
        let at = at.index(bytes.len());
        prop_assume!(bytes[at] != to);
        bytes[at] = to;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("trace.jsonl");
        fs::write(&file, &bytes).unwrap();
        match run(&file, 3) {
            // The end of the last line, or another spelling of the same.
            Ok((resumed, _)) => prop_assert_eq!(resumed, search),
            Err(EvalError::DamagedTrace { line, .. } | EvalError::ForeignTrace { line, .. }) => {
                prop_assert_eq!(line, bytes[..at].iter().filter(|&&byte| byte == b'\n').count() + 1);
                prop_assert_eq!(fs::read(&file).unwrap(), bytes);
            }
            Err(other) => prop_assert!(false, "{other}"),
        }
    }
}

#[test]
fn a_line_that_is_missing_or_moved_is_damage() {
    let (_, bytes) = whole();
    let text = String::from_utf8(bytes).unwrap();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("trace.jsonl");
    let without = [&lines[..3], &lines[4..]].concat();
    let twice = [&lines[..4], &lines[3..]].concat();
    let swapped = [&lines[..3], &[lines[4], lines[3]], &lines[5..]].concat();
    for (changed, at) in [(without, 4), (twice, 5), (swapped, 4)] {
        fs::write(&file, changed.concat()).unwrap();
        let result = run(&file, 3);
        assert!(matches!(result, Err(EvalError::DamagedTrace { line, .. }) if line == at));
    }
}

#[test]
fn another_search_is_refused() {
    let (_, bytes) = whole();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("trace.jsonl");
    fs::write(&file, &bytes).unwrap();
    let with = |data: &str, start: Point, axes: &[Axis<Point>]| {
        let never = |_: &Point| -> Result<f64, EvalError> { panic!("nothing is to be evaluated") };
        match resumable_search(&file, data, start, axes, 3, never, |_, _, _| ()) {
            Err(EvalError::ForeignTrace { line, what, .. }) => (line, what),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(with("other", START, &axes()), (1, "data"));
    assert_eq!(with("data", (0.3, 0.0), &axes()), (1, "start"));
    assert_eq!(with("data", START, &axes()[..1]), (1, "axes"));
    let mut other = axes();
    other[1].values[0] = 0.3;
    assert_eq!(with("data", START, &other), (1, "axes"));
    // The same values, written elsewhere.
    let mut other = axes();
    other[0].set = |p, v| p.0 = 2.0 * v;
    assert_eq!(with("data", START, &other), (3, "parameters"));
    assert_eq!(fs::read(&file).unwrap(), bytes);
}

#[test]
fn a_file_that_is_no_trace_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("notes.txt");
    for text in ["milk, eggs", "milk\neggs\n", "{}\n", "\n", "\u{0}"] {
        fs::write(&file, text).unwrap();
        assert!(matches!(run(&file, 1), Err(EvalError::DamagedTrace { line: 1, .. })));
        assert_eq!(fs::read_to_string(&file).unwrap(), text);
    }
    assert!(matches!(run(folder.path(), 1), Err(EvalError::Trace { .. })));
    assert!(matches!(run(&folder.path().join("no/trace"), 1), Err(EvalError::Trace { .. })));
}

#[test]
fn two_searches_do_not_write_one_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("trace.jsonl");
    let inner = |p: &Point| {
        assert!(matches!(run(&file, 1), Err(EvalError::TraceInUse { .. })));
        Ok::<_, EvalError>(objective(p))
    };
    resumable_search(&file, "data", START, &axes(), 1, inner, |_, _, _| ()).unwrap();
    assert!(run(&file, 1).is_ok());
}

#[test]
fn begun_by_one_thread_and_ended_by_four_it_is_the_same() {
    let sequences: Vec<Vec<u32>> =
        (0..60_u32).map(|user| (0..6).map(|at| (user * at * at + user) % 30).collect()).collect();
    let train: Vec<&[u32]> = sequences.iter().map(|sequence| &sequence[..5]).collect();
    let cases: Vec<Case<'_>> = (0..)
        .zip(&sequences)
        .map(|(user, sequence)| Case { user, history: &sequence[..5], target: sequence[5] })
        .collect();
    let names: Vec<String> = (0..30).map(|item| item.to_string()).collect();
    let ties = TieBreak::new(names.iter().map(String::as_str), 1);
    let ranking = FullRankingConfig::default().build(&[1; 30], &ties).unwrap();
    let evaluated = |config: &ItemKnnConfig| {
        let knn = config.clone().fit(&train, Popularity::new(&[1; 30], 1.0)?)?;
        let evaluation = ranking.evaluate(&knn, &cases, &|_| ())?;
        Ok::<_, EvalError>(evaluation.summary().mrr)
    };
    let axes = [
        Axis {
            name: "neighbors",
            values: vec![1.0, 3.0, 9.0],
            set: |config: &mut ItemKnnConfig, value| config.neighbors = value as usize,
        },
        Axis {
            name: "shrinkage",
            values: vec![0.0, 5.0],
            set: |config, value| config.shrinkage = value,
        },
    ];
    let folder = tempfile::tempdir().unwrap();
    let search = |file: &str, threads: usize, at_most: usize| {
        let left = Cell::new(at_most);
        let limited = |config: &ItemKnnConfig| match left.replace(left.get().saturating_sub(1)) {
            0 => Err(EvalError::Empty { what: "evaluations left" }),
            _ => {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                pool.install(|| evaluated(config))
            }
        };
        let (file, data) = (folder.path().join(file), data_fingerprint(&train, &cases));
        let start = ItemKnnConfig::default();
        resumable_search(&file, &data, start, &axes, 3, limited, |_, _, _| ())
    };
    let uninterrupted = search("whole", 1, usize::MAX).unwrap();
    assert!(search("parts", 1, 2).is_err());
    assert!(search("parts", 3, 2).is_err());
    assert_eq!(search("parts", 4, usize::MAX).unwrap(), uninterrupted);
    assert_eq!(
        fs::read(folder.path().join("whole")).unwrap(),
        fs::read(folder.path().join("parts")).unwrap()
    );
}

#[test]
fn the_fingerprint_tells_data_apart() {
    let case = Case { user: 0, history: &[1, 2], target: 3 };
    let all: [(&[&[u32]], &[Case<'_>]); 9] = [
        (&[&[1, 2], &[3]], &[case]),
        (&[&[1], &[2, 3]], &[case]),
        (&[&[1, 2, 3], &[]], &[case]),
        (&[&[1, 2], &[3]], &[case, case]),
        (&[&[1, 2], &[3]], &[Case { user: 1, ..case }]),
        (&[&[1, 2], &[3]], &[Case { target: 4, ..case }]),
        (&[&[1, 2], &[3]], &[Case { history: &[2, 1], ..case }]),
        (&[&[1, 2], &[3]], &[]),
        (&[], &[case]),
    ];
    let mut digests: Vec<String> =
        all.iter().map(|(train, cases)| data_fingerprint(train, cases)).collect();
    assert_eq!(digests[0], data_fingerprint(all[0].0, all[0].1));
    digests.sort_unstable();
    digests.dedup();
    assert_eq!(digests.len(), 9);
}

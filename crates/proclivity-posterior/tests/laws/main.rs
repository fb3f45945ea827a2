//! The table family × law × tolerance of the README, each cell run by proptest or marked "not claimed".
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod finite;
mod interests;
mod labels;
mod linear;
mod next_step;
mod suite;
mod taste;

use suite::{Claim, Claims};

/// What the README's table says.
const TABLE: &[&Claims] = &[
    &interests::INTERESTS,
    &interests::CHOSEN,
    &labels::LABELS,
    &labels::PRIOR_MIXTURE,
    &next_step::TRANSITIONS,
    &next_step::MARKOV_CHAIN,
    &taste::REGRESSION,
    &taste::CHOICES,
    &linear::LINEAR,
    &linear::EASE,
    &finite::FINITE,
];

/// The README quotes this table; run with `UPDATE=1` to write it anew.
#[test]
fn the_readme_has_the_table() {
    let mut table = String::from(
        "| family | stream = batch | any order | any split, any tree | retract = never seen | \
         no evidence = prior | forgetting forever = prior | scaling embeddings against temperature | \
         permuting items |\n|---|---|---|---|---|---|---|---|---|\n",
    );
    for claims in TABLE {
        let cells = [
            claims.stream_is_batch,
            claims.any_order,
            claims.any_merge,
            claims.retract,
            claims.no_evidence,
            claims.forget,
            claims.scaling,
            claims.permuting,
        ];
        let cells: Vec<String> = cells.into_iter().map(Claim::cell).collect();
        table += &format!("| {} | {} |\n", claims.family, cells.join(" | "));
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    let readme = std::fs::read_to_string(path).unwrap();
    let (start, end) = ("<!-- laws -->\n", "<!-- end of laws -->");
    let from = readme.find(start).expect("the README has a table of laws") + start.len();
    let to = readme.find(end).unwrap();
    if std::env::var_os("UPDATE").is_some() {
        let updated = format!("{}{table}{}", &readme[..from], &readme[to..]);
        std::fs::write(path, updated).unwrap();
    } else {
        assert_eq!(&readme[from..to], table, "run this test with UPDATE=1");
    }
}

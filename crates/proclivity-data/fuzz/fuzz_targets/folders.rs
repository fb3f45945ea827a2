//! The presets that have a parser of their own, in a folder of two files: the events, then a NUL,
//! then the items.
#![no_main]

use std::fs;

use libfuzzer_sys::fuzz_target;
use proclivity_data::{ErrorPolicy, Preset, load_with_policy};

fuzz_target!(|bytes: &[u8]| {
    let Some((choice, bytes)) = bytes.split_first() else { return };
    let mut parts = bytes.splitn(2, |&byte| byte == 0);
    let (events, items) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let (preset, names) = match choice % 4 {
        0 => (Preset::Beauty, ["Beauty.txt", "items.tsv"]),
        1 => (Preset::Mind, ["behaviors.tsv", "news.tsv"]),
        2 => (Preset::Ml100k, ["x.inter", "x.item"]),
        _ => (Preset::AmazonReviews2023, ["x.jsonl", "meta_x.jsonl"]),
    };
    let folder = tempfile::tempdir().expect("a folder");
    for (name, content) in names.iter().zip([events, items]) {
        fs::write(folder.path().join(name), content).expect("a file");
    }
    let policy = ErrorPolicy::Quarantine { max_share: 1.0 };
    if let Ok(dataset) = load_with_policy(preset, folder.path(), policy) {
        assert_eq!(dataset.log.event_count(), dataset.report.accepted());
    }
});

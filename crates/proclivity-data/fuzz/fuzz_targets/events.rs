//! Events from separated text, lines and JSON, plain and compressed. The first byte picks.
#![no_main]

use libfuzzer_sys::fuzz_target;
use proclivity_data::{ErrorPolicy, EventMapping, EventReader, Format, Input};

fuzz_target!(|bytes: &[u8]| {
    let Some((choice, bytes)) = bytes.split_first() else { return };
    let columns = ["user_id", "item_id", "event", "timestamp", "value"];
    let format = match choice % 6 {
        0 => Format::csv(),
        1 => Format::csv().with_columns(&columns),
        2 => Format::tsv().with_columns(&columns),
        3 => Format::lines("::", &columns),
        4 => Format::csv().with_columns(&columns).with_encoding("gbk"),
        _ => Format::Jsonl,
    };
    let reader = EventReader::new(EventMapping::canonical(), format)
        .with_policy(ErrorPolicy::Quarantine { max_share: 1.0 });
    if let Ok(dataset) = reader.read([Input::reader("fuzz", bytes)]) {
        let report = &dataset.report;
        assert_eq!(dataset.log.event_count(), report.accepted());
        let sum = report.accepted() + report.duplicates() + report.quarantined().len();
        assert_eq!(report.read(), sum);
    }
});

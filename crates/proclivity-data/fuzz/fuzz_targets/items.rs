//! Items from separated text, lines and JSON.
#![no_main]

use libfuzzer_sys::fuzz_target;
use proclivity_data::{
    CategorySource, ErrorPolicy, Format, Input, ItemMapping, ItemReader, PriceSource, TimeSource,
};
use proclivity_schema::Language;

fuzz_target!(|bytes: &[u8]| {
    let Some((choice, bytes)) = bytes.split_first() else { return };
    let columns = ["id", "title", "tags", "price", "date"];
    let format = match choice % 3 {
        0 => Format::csv().with_columns(&columns),
        1 => Format::lines("::", &columns),
        _ => Format::Jsonl,
    };
    let mapping = ItemMapping {
        categories: vec![CategorySource::tags("tags", "|")],
        price: Some(PriceSource { column: "price".into(), currency: "EUR".into() }),
        published: Some(TimeSource::new("date")),
        article_first: true,
        ..ItemMapping::new("id", "title", Language::ENGLISH)
    };
    let reader = ItemReader::new(mapping, format)
        .with_policy(ErrorPolicy::Quarantine { max_share: 1.0 });
    if let Ok((catalog, report)) = reader.read([Input::reader("fuzz", bytes)]) {
        assert_eq!(catalog.len(), report.accepted());
    }
});

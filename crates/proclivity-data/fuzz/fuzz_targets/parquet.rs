//! Events from Parquet. Panics of the format's own reader become errors, and so must not end it.
#![no_main]

use std::sync::Once;

use libfuzzer_sys::fuzz_target;
use proclivity_data::{ErrorPolicy, EventMapping, EventReader, Format, Input};

static QUIET: Once = Once::new();

fuzz_target!(|bytes: &[u8]| {
    // libFuzzer's hook aborts on every panic, also on those that are caught.
    QUIET.call_once(|| std::panic::set_hook(Box::new(|_| {})));
    let reader = EventReader::new(EventMapping::canonical(), Format::Parquet)
        .with_policy(ErrorPolicy::Quarantine { max_share: 1.0 });
    let read = std::panic::catch_unwind(|| reader.read([Input::reader("fuzz", bytes)]));
    match read {
        Ok(Ok(dataset)) => assert!(dataset.log.event_count() == dataset.report.accepted()),
        Ok(Err(_)) => {}
        Err(_) => std::process::abort(),
    }
});

//! Embeddings from `.npy`.
#![no_main]

use std::sync::Once;

use libfuzzer_sys::fuzz_target;
use proclivity_data::{Input, Modality, read_npy_embeddings};
use proclivity_schema::{Catalog, Item, ItemText, Language};

static QUIET: Once = Once::new();

fuzz_target!(|bytes: &[u8]| {
    // libFuzzer's hook aborts on every panic, also on those that are caught.
    QUIET.call_once(|| std::panic::set_hook(Box::new(|_| {})));
    let read = std::panic::catch_unwind(|| {
        let text = ItemText::title(Language::ENGLISH, "x");
        let item = Item::new(1.into(), vec![text]).expect("a title");
        let catalog = Catalog::new(vec![item]).expect("one item");
        let _ = read_npy_embeddings(catalog, Modality::Image, Input::reader("fuzz", bytes), None);
    });
    if read.is_err() {
        std::process::abort();
    }
});

//! UCI Online Retail: purchases and returns of a wholesaler, as dirty as they came.

use std::path::Path;

use proclivity_schema::{EventKind, Language};

use super::one_file;
use crate::{
    DataError, Dataset, ErrorPolicy, EventMapping, EventReader, Format, Input, KindSource,
    PriceSource, TimeSource,
};

/// `online_retail.csv`, perhaps compressed. A negative quantity is a return; the invoice is the
/// session, the country context. Rows without a customer are quarantined, a quarter of them all.
pub(super) fn online_retail(dir: &Path, policy: ErrorPolicy) -> Result<Dataset, DataError> {
    let path = one_file(dir, "*.csv*")?;
    let column = |name: &str| Some(name.to_owned());
    let mapping = EventMapping {
        item: column("StockCode"),
        time: Some(TimeSource { zone: column("Europe/London"), ..TimeSource::new("InvoiceDate") }),
        quantity: column("Quantity"),
        price: Some(PriceSource { column: "UnitPrice".to_owned(), currency: "GBP".to_owned() }),
        session: column("InvoiceNo"),
        context: vec!["Country".to_owned()],
        title: column("Description"),
        language: Language::ENGLISH,
        whole_number_ids: true,
        negative_quantity_is_return: true,
        ..EventMapping::new("CustomerID", KindSource::Constant(EventKind::Purchase))
    };
    EventReader::new(mapping, Format::csv()).with_policy(policy).read([Input::path(path)])
}

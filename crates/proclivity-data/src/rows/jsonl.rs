//! JSON objects, one a line: a bad line is one bad row.

use std::borrow::Cow;
use std::io::BufRead;
use std::sync::Arc;

use serde_json::Value;

use super::{Fault, Lines, Place, Rows};
use crate::{DataError, Reason};

/// Rows that name their own fields. A column is a path of names with `.` between them.
pub(super) struct JsonRows<R> {
    lines: Lines<R>,
    columns: Vec<String>,
    row: Result<Value, Reason>,
}

impl<R: BufRead> JsonRows<R> {
    pub(super) fn new(reader: R, file: Arc<str>) -> Self {
        Self { lines: Lines::new(reader, file), columns: Vec::new(), row: Ok(Value::Null) }
    }

    fn value(&self, column: usize) -> Option<&Value> {
        let row = self.row.as_ref().ok()?;
        let path = self.columns.get(column)?;
        // A name may itself hold dots.
        row.get(path).or_else(|| path.split('.').try_fold(row, |value, name| value.get(name)))
    }
}

impl<R: BufRead> Rows for JsonRows<R> {
    fn file(&self) -> &Arc<str> {
        self.lines.file()
    }

    fn find_column(&mut self, name: &str) -> Result<Option<usize>, DataError> {
        let place = self.columns.iter().position(|column| column == name).unwrap_or_else(|| {
            self.columns.push(name.to_owned());
            self.columns.len() - 1
        });
        Ok(Some(place))
    }

    fn column_name(&self, column: usize) -> &str {
        self.columns.get(column).map_or("", String::as_str)
    }

    fn column_names(&self) -> Vec<String> {
        self.columns.clone()
    }

    fn advance(&mut self) -> Result<bool, DataError> {
        let more = self.lines.advance_to_row()?;
        self.row = match serde_json::from_slice(self.lines.bytes()) {
            Ok(row @ Value::Object(_)) => Ok(row),
            _ if std::str::from_utf8(self.lines.bytes()).is_err() => Err(Reason::InvalidEncoding),
            _ => Err(Reason::InvalidJson),
        };
        Ok(more)
    }

    fn check(&self) -> Result<(), Fault> {
        self.row.as_ref().map(|_| ()).map_err(|&reason| (None, reason))
    }

    fn field(&self, column: usize) -> Result<Cow<'_, str>, Fault> {
        match self.value(column) {
            None | Some(Value::Null) => Ok("".into()),
            Some(Value::String(text)) => Ok(text.trim().into()),
            // An integer that only a float could hold, and so not exactly: ids would fall together.
            Some(Value::Number(number))
                if number.is_f64() && number.as_f64().is_some_and(is_inexact) =>
            {
                Err((Some(column), Reason::InexactNumber))
            }
            Some(Value::Number(number)) => Ok(number.to_string().into()),
            Some(Value::Bool(flag)) => Ok(flag.to_string().into()),
            Some(Value::Array(_) | Value::Object(_)) => Err((Some(column), Reason::Nested)),
        }
    }

    fn elements(&self, column: usize) -> Option<Vec<String>> {
        let text = |value: &Value| match value {
            Value::String(text) => text.trim().to_owned(),
            Value::Null => String::new(),
            other => other.to_string(),
        };
        let elements = self.value(column)?.as_array()?;
        Some(elements.iter().map(text).filter(|text| !text.is_empty()).collect())
    }

    fn place(&self) -> Place {
        self.lines.place()
    }

    fn raw(&self) -> String {
        String::from_utf8_lossy(self.lines.bytes()).into_owned()
    }
}

/// Whether floats are further apart than integers there.
fn is_inexact(number: f64) -> bool {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    number.abs() >= EXACT
}

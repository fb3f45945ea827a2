//! Tables of a report.

use serde::Serialize;

use super::Format;
use crate::EvalError;

/// A column of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    name: String,
    /// `None` for text.
    format: Option<Format>,
    best: Option<Best>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Best {
    Highest,
    Lowest,
}

impl Column {
    /// A column of text.
    pub fn text(name: impl Into<String>) -> Self {
        Self { name: name.into(), format: None, best: None }
    }

    /// A column of numbers, aligned to the right.
    pub fn number(name: impl Into<String>, format: Format) -> Self {
        Self { name: name.into(), format: Some(format), best: None }
    }

    /// Marks the highest number, and all that are written like it.
    pub fn highest_is_best(mut self) -> Self {
        self.best = Some(Best::Highest);
        self
    }

    /// Marks the lowest number, and all that are written like it.
    pub fn lowest_is_best(mut self) -> Self {
        self.best = Some(Best::Lowest);
        self
    }

    /// How this column's best number is written.
    fn best<'a>(&self, cells: impl Iterator<Item = &'a Cell>) -> Option<String> {
        let numbers = cells.filter_map(Cell::number).filter(|number| number.is_finite());
        let best = match self.best? {
            Best::Highest => numbers.max_by(f64::total_cmp),
            Best::Lowest => numbers.min_by(f64::total_cmp),
        };
        Some(self.write(best?))
    }

    fn write(&self, number: f64) -> String {
        self.format.unwrap_or(Format::Significant(4)).write(number)
    }
}

/// A cell of a table.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// Text.
    Text(String),
    /// A number; "–" unless finite.
    Number(f64),
    /// A number and its standard error.
    Estimate(f64, f64),
}

impl Cell {
    fn number(&self) -> Option<f64> {
        match self {
            Self::Text(_) => None,
            Self::Number(value) | Self::Estimate(value, _) => Some(*value),
        }
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<f64> for Cell {
    fn from(value: f64) -> Self {
        Self::Number(value)
    }
}

impl From<Option<f64>> for Cell {
    fn from(value: Option<f64>) -> Self {
        Self::Number(value.unwrap_or(f64::NAN))
    }
}

impl From<usize> for Cell {
    fn from(count: usize) -> Self {
        Self::Number(count as f64)
    }
}

/// Rows under named columns; the first column names the row.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// A table without rows.
    pub fn new(columns: impl IntoIterator<Item = Column>) -> Self {
        Self { columns: columns.into_iter().collect(), rows: Vec::new() }
    }

    /// Adds a row.
    ///
    /// # Errors
    /// [`EvalError::Length`] unless there is a cell for each column.
    pub fn row(&mut self, cells: impl IntoIterator<Item = Cell>) -> Result<(), EvalError> {
        let cells: Vec<Cell> = cells.into_iter().collect();
        if cells.len() != self.columns.len() {
            return Err(EvalError::Length {
                what: "cells of a row",
                expected: self.columns.len(),
                got: cells.len(),
            });
        }
        self.rows.push(cells);
        Ok(())
    }

    /// As the template wants it.
    pub(super) fn view(&self) -> TableView {
        let best: Vec<_> = (0..self.columns.len())
            .map(|column| self.columns[column].best(self.rows.iter().map(|row| &row[column])))
            .collect();
        let view = |(column, cell): (usize, &Cell)| {
            let (text, error) = match cell {
                Cell::Text(text) => (text.clone(), None),
                Cell::Number(value) => (self.columns[column].write(*value), None),
                Cell::Estimate(value, error) => {
                    let format = self.columns[column].format.map(Format::unsigned);
                    let error = error.is_finite().then(|| format.map(|f| f.write(*error)));
                    (self.columns[column].write(*value), error.flatten())
                }
            };
            let best = cell.number().is_some() && best[column].as_ref() == Some(&text);
            CellView { text, error, numeric: self.columns[column].format.is_some(), best }
        };
        TableView {
            has_names: self.columns.iter().any(|column| !column.name.is_empty()),
            columns: (self.columns.iter())
                .map(|column| ColumnView {
                    name: column.name.clone(),
                    numeric: column.format.is_some(),
                })
                .collect(),
            rows: self.rows.iter().map(|row| row.iter().enumerate().map(view).collect()).collect(),
        }
    }
}

#[derive(Serialize)]
pub(super) struct TableView {
    /// Whether the columns have names: of two columns of facts, none need have one.
    has_names: bool,
    columns: Vec<ColumnView>,
    rows: Vec<Vec<CellView>>,
}

#[derive(Serialize)]
struct ColumnView {
    name: String,
    numeric: bool,
}

#[derive(Serialize)]
struct CellView {
    text: String,
    error: Option<String>,
    numeric: bool,
    best: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_of_a_column_is_marked_as_it_is_written() {
        let mut table = Table::new([
            Column::text("model"),
            Column::number("ndcg", Format::Decimals(2)).highest_is_best(),
            Column::number("log loss", Format::Decimals(1)).lowest_is_best(),
        ]);
        table.row(["a".into(), 0.501.into(), 7.0.into()]).unwrap();
        table.row(["b".into(), Cell::Estimate(0.499, 0.01), f64::NEG_INFINITY.into()]).unwrap();
        table.row(["c".into(), 0.1.into(), None.into()]).unwrap();
        let view = table.view();
        let best: Vec<Vec<bool>> =
            view.rows.iter().map(|row| row.iter().map(|cell| cell.best).collect()).collect();
        assert_eq!(best, [[false, true, true], [false, true, false], [false, false, false]]);
        assert_eq!(view.rows[1][1].error.as_deref(), Some(".01"));
        assert_eq!(view.rows[2][2].text, "–");
    }

    #[test]
    fn a_row_has_a_cell_for_each_column() {
        let mut table = Table::new([Column::text("a")]);
        assert!(matches!(table.row([]), Err(EvalError::Length { expected: 1, got: 0, .. })));
        assert!(table.row(["x".into()]).is_ok());
    }
}

//! A report: tables and plots as one HTML file that loads nothing, for screens of any size.
//!
//! ```
//! use proclivity_eval::report::{Axis, Bar, Column, Format, Interval, Plot, Report, Table};
//!
//! let mut accuracy = Table::new([
//!     Column::text("model"),
//!     Column::number("NDCG@10", Format::Decimals(4)).highest_is_best(),
//! ]);
//! accuracy.row(["pool".into(), 0.0676.into()])?;
//! accuracy.row(["popularity".into(), 0.0065.into()])?;
//!
//! let mut report = Report::new("Beauty, leave-one-out").with_summary("One pool of closed forms.");
//! report.table("Accuracy", "On the test items of all users.", accuracy);
//! report.plot(
//!     "Ablation",
//!     "What NDCG@10 loses without a member, with 95 % paired-bootstrap intervals.",
//!     Plot::Bars {
//!         x: Axis::linear("ΔNDCG@10").with_format(Format::Signed(4)),
//!         bars: vec![Bar::new("ridge", Interval { value: -0.0021, low: -0.003, high: -0.0012 })],
//!     },
//! );
//! let html = report.to_html()?;
//! assert!(html.contains("<svg") && html.contains(".0676"));
//! # Ok::<(), proclivity_eval::EvalError>(())
//! ```

mod axis;
mod bars;
mod chart;
mod curves;
mod format;
mod interval;
mod label;
mod pit;
mod plot;
mod table;

use std::path::Path;

use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior};
use serde::Serialize;

use crate::EvalError;
use table::TableView;

pub use axis::Axis;
pub use format::Format;
pub use interval::Interval;
pub use plot::{Bar, Plot, Point, Series};
pub use table::{Cell, Column, Table};

/// Tables, plots and paragraphs, in sections.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    title: String,
    summary: Option<String>,
    /// In the order in which they were first named.
    sections: Vec<(String, Vec<Block>)>,
}

#[derive(Debug, Clone, PartialEq)]
enum Block {
    Text(String),
    Table(String, Table),
    Plot(String, Box<Plot>),
}

impl Report {
    /// A report without sections.
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), summary: None, sections: Vec::new() }
    }

    /// With a paragraph below the title.
    pub fn with_summary(mut self, summary: impl Into<String>) -> Self {
        self.summary = Some(summary.into());
        self
    }

    /// Adds a paragraph to the section of this name, which is started if there is none.
    pub fn text(&mut self, section: &str, text: impl Into<String>) {
        self.push(section, Block::Text(text.into()));
    }

    /// Adds a table to the section of this name, which is started if there is none.
    pub fn table(&mut self, section: &str, caption: impl Into<String>, table: Table) {
        self.push(section, Block::Table(caption.into(), table));
    }

    /// Adds a plot to the section of this name, which is started if there is none. A plot without
    /// a finite point says that there are no data.
    pub fn plot(&mut self, section: &str, caption: impl Into<String>, plot: Plot) {
        self.push(section, Block::Plot(caption.into(), Box::new(plot)));
    }

    fn push(&mut self, section: &str, block: Block) {
        match self.sections.iter_mut().find(|(name, _)| name == section) {
            Some((_, blocks)) => blocks.push(block),
            None => self.sections.push((section.to_owned(), vec![block])),
        }
    }

    /// The report as HTML, which is well-formed XML, too. The same report gives the same bytes.
    ///
    /// # Errors
    /// [`EvalError::OutOfRange`] for a calibration bin in which more happened than was predicted,
    /// [`EvalError::Render`] where drawing fails.
    pub fn to_html(&self) -> Result<String, EvalError> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        let mut figures = 0;
        let mut sections = Vec::with_capacity(self.sections.len());
        for (name, blocks) in &self.sections {
            let blocks = blocks.iter().map(|block| block.view(&mut figures));
            sections.push(SectionView { name, blocks: blocks.collect::<Result<_, _>>()? });
        }
        let view = minijinja::Value::from(Serde(ReportView {
            title: &self.title,
            summary: self.summary.as_deref(),
            sections,
            version: env!("CARGO_PKG_VERSION"),
        }));
        // The name makes it HTML, in which text is escaped.
        let html = environment
            .render_named_str("report.html", include_str!("report.html"), view)
            .map_err(|error| EvalError::Render(error.into()))?;
        // Neither HTML nor XML may hold these, not even escaped.
        let forbidden = |c: char| {
            (c.is_control() && !matches!(c, '\n' | '\t')) || ('\u{FFFE}'..='\u{FFFF}').contains(&c)
        };
        Ok(html.replace(forbidden, "\u{FFFD}"))
    }

    /// Writes the report to a file.
    ///
    /// # Errors
    /// Those of [`to_html`](Self::to_html), and [`EvalError::WriteReport`].
    pub fn write(&self, path: impl AsRef<Path>) -> Result<(), EvalError> {
        let path = path.as_ref();
        std::fs::write(path, self.to_html()?)
            .map_err(|source| EvalError::WriteReport { path: path.to_owned(), source })
    }
}

/// A report as the template wants it.
#[derive(Serialize)]
struct ReportView<'a> {
    title: &'a str,
    summary: Option<&'a str>,
    sections: Vec<SectionView<'a>>,
    version: &'a str,
}

#[derive(Serialize)]
struct SectionView<'a> {
    name: &'a str,
    blocks: Vec<BlockView<'a>>,
}

/// A block as the template wants it: a figure where there is a number, else a table or text.
#[derive(Serialize, Default)]
struct BlockView<'a> {
    caption: &'a str,
    figure: Option<usize>,
    /// Empty where there is nothing to draw.
    svg: String,
    width: u32,
    height: u32,
    description: String,
    table: Option<TableView>,
}

impl Block {
    fn view(&self, figures: &mut usize) -> Result<BlockView<'_>, EvalError> {
        match self {
            Self::Text(text) => Ok(BlockView { caption: text, ..Default::default() }),
            Self::Table(caption, rows) => {
                Ok(BlockView { caption, table: Some(rows.view()), ..Default::default() })
            }
            Self::Plot(caption, plot) => {
                *figures += 1;
                let drawing = plot.draw()?;
                let (height, svg) = drawing.map_or((0, String::new()), |it| (it.height, it.svg));
                Ok(BlockView {
                    caption,
                    figure: Some(*figures),
                    svg,
                    width: chart::WIDTH,
                    height,
                    description: plot.description(),
                    table: Some(plot.numbers()?.view()),
                })
            }
        }
    }
}

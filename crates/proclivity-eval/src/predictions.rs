//! Predictions as JSON lines, for other software to score.

use std::io::{self, Write};

use serde::Serialize;

use crate::{Case, EvalError, Evaluation};

#[derive(Serialize)]
struct Line<'a> {
    user: &'a str,
    history: Vec<&'a str>,
    target: &'a str,
    top: Vec<(&'a str, f64)>,
}

/// Writes a JSON object per case and line: `user`, `history` (item ids, the oldest first),
/// `target`, and `top`, the kept list as `[item, probability]`, descending.
///
/// `user_id` and `item_id` say what an index is called. For the 100 best items, evaluate with
/// [`list_length: 100`](crate::FullRankingConfig).
///
/// # Errors
/// [`EvalError::Length`] or [`EvalError::OtherUser`] when the evaluation is not of these cases,
/// [`EvalError::Write`] when writing fails.
pub fn write_predictions<'a>(
    mut writer: impl Write,
    cases: &[Case<'_>],
    evaluation: &Evaluation,
    user_id: impl Fn(u32) -> &'a str,
    item_id: impl Fn(u32) -> &'a str,
) -> Result<(), EvalError> {
    let results = evaluation.per_user();
    if results.len() != cases.len() {
        return Err(EvalError::Length {
            what: "results",
            expected: cases.len(),
            got: results.len(),
        });
    }
    for (position, (case, result)) in cases.iter().zip(results).enumerate() {
        if case.user != result.user {
            return Err(EvalError::OtherUser { position, expected: case.user, got: result.user });
        }
        let top = result.list.iter();
        let line = Line {
            user: user_id(case.user),
            history: case.history.iter().map(|&item| item_id(item)).collect(),
            target: item_id(case.target),
            top: top.map(|ranked| (item_id(ranked.item), ranked.probability)).collect(),
        };
        serde_json::to_writer(&mut writer, &line).map_err(io::Error::from)?;
        writer.write_all(b"\n")?;
    }
    writer.flush()?;
    Ok(())
}

//! Hyper-parameter search: one coordinate at a time, deterministic.

/// A hyper-parameter and the values that are tried for it.
#[derive(Debug, Clone)]
pub struct Axis<P> {
    /// What it is called in reports.
    pub name: &'static str,
    /// The values, in the order in which they are tried.
    pub values: Vec<f64>,
    /// Writes a value into the parameters.
    pub set: fn(&mut P, f64),
}

/// One evaluated point.
#[derive(Debug, Clone, PartialEq)]
pub struct Trial<P> {
    /// The parameters.
    pub params: P,
    /// What the objective gave for them.
    pub value: f64,
    /// The axis that was moved and where to; `None` for the start.
    pub moved: Option<(&'static str, f64)>,
}

/// What a search found.
#[derive(Debug, Clone, PartialEq)]
pub struct Search<P> {
    /// The best parameters.
    pub best: P,
    /// What the objective gave for them.
    pub value: f64,
    /// Every evaluated point, in order, each once.
    pub trace: Vec<Trial<P>>,
}

/// Climbs from `start`: sweeps over the axes, tries every value of each with the others fixed and
/// keeps the best, until a sweep changes nothing or `sweeps` are done.
///
/// The objective is to be maximised. Only a value that is truly higher replaces the best one, so
/// that among equals the earlier stays; NaN is the lowest of all. No point is evaluated twice.
/// What is found is the best along every axis, not always the best of the grid.
///
/// After every evaluation `progress` gets how many there were, how many there will be at most if
/// this sweep is the last, and the best value so far.
///
/// # Example
/// ```
/// use proclivity_eval::{Axis, coordinate_search};
///
/// let axes = [
///     Axis { name: "decay", values: vec![0.4, 0.6, 0.8], set: |p: &mut (f64, f64), v| p.0 = v },
///     Axis { name: "strength", values: vec![5.0, 20.0, 80.0], set: |p, v| p.1 = v },
/// ];
/// let objective = |p: &(f64, f64)| Ok::<_, ()>(-(p.0 - 0.6).powi(2) - (p.1 / 20.0).ln().powi(2));
/// let search = coordinate_search((0.8, 5.0), &axes, 3, objective, |_, _, _| ())?;
/// assert_eq!(search.best, (0.6, 20.0));
/// # Ok::<(), ()>(())
/// ```
///
/// # Errors
/// The objective's first error.
pub fn coordinate_search<P: Clone + PartialEq, E>(
    start: P,
    axes: &[Axis<P>],
    sweeps: usize,
    mut objective: impl FnMut(&P) -> Result<f64, E>,
    mut progress: impl FnMut(usize, usize, f64),
) -> Result<Search<P>, E> {
    let lowest_if_nan = |value: f64| {
        if value.is_nan() { f64::NEG_INFINITY } else { value }
    };
    let per_sweep: usize = axes.iter().map(|axis| axis.values.len()).sum();
    let value = lowest_if_nan(objective(&start)?);
    progress(1, if sweeps > 0 { 1 + per_sweep } else { 1 }, value);
    let mut search = Search {
        best: start.clone(),
        value,
        trace: vec![Trial { params: start, value, moved: None }],
    };
    for _ in 0..sweeps {
        let mut changed = false;
        let mut to_try = per_sweep;
        for axis in axes {
            let base = search.best.clone();
            for &position in &axis.values {
                to_try -= 1;
                let mut params = base.clone();
                (axis.set)(&mut params, position);
                // Whatever was evaluated before is no better than the best.
                if search.trace.iter().any(|trial| trial.params == params) {
                    continue;
                }
                let value = lowest_if_nan(objective(&params)?);
                if value > search.value {
                    (search.best, search.value) = (params.clone(), value);
                    changed = true;
                }
                search.trace.push(Trial { params, value, moved: Some((axis.name, position)) });
                let evaluated = search.trace.len();
                progress(evaluated, evaluated + to_try, search.value);
            }
        }
        if !changed {
            break;
        }
    }
    Ok(search)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::cell::Cell;

    type Point = [f64; 2];

    fn axes(values: [Vec<f64>; 2]) -> [Axis<Point>; 2] {
        let [first, second] = values;
        [
            Axis { name: "first", values: first, set: |p, v| p[0] = v },
            Axis { name: "second", values: second, set: |p, v| p[1] = v },
        ]
    }

    proptest! {
        #[test]
        fn a_separable_objective_is_maximised_over_the_grid(
            first in prop::collection::vec(-5..5_i32, 1..6),
            second in prop::collection::vec(-5..5_i32, 1..6),
        ) {
            let values = [first, second].map(|values| values.into_iter().map(f64::from).collect::<Vec<_>>());
            let objective = |p: &Point| -(p[0] - 1.0).powi(2) - (p[1] + 2.0).abs();
            let expected = values[0].iter().chain([&9.0]).flat_map(|&a| {
                values[1].iter().chain([&9.0]).map(move |&b| objective(&[a, b]))
            });
            let expected = expected.fold(f64::NEG_INFINITY, f64::max);
            let calls = Cell::new(0);
            let counted = |p: &Point| { calls.set(calls.get() + 1); Ok::<_, ()>(objective(p)) };
            let mut last = (0, 0);
            let search = coordinate_search([9.0, 9.0], &axes(values), 9, counted, |evaluated, planned, best| {
                assert!(evaluated == last.0 + 1 && planned >= evaluated && best > f64::NEG_INFINITY);
                last = (evaluated, planned);
            }).unwrap();
            prop_assert_eq!(search.value, expected);
            prop_assert_eq!(objective(&search.best), expected);
            prop_assert_eq!(search.trace.len(), calls.get());
            prop_assert_eq!(last.0, calls.get());
            for (i, trial) in search.trace.iter().enumerate() {
                prop_assert!(search.trace[..i].iter().all(|earlier| earlier.params != trial.params));
            }
        }
    }

    #[test]
    fn a_second_sweep_follows_a_ridge_that_the_first_cannot() {
        let objective = |p: &Point| Ok::<_, ()>(p[0] + p[1] - 4.0 * (p[0] - p[1]).abs().max(1.0));
        let values = [vec![0.0, 1.0, 2.0], vec![0.0, 1.0, 2.0]];
        let run = |sweeps| {
            coordinate_search([0.0, 0.0], &axes(values.clone()), sweeps, objective, |_, _, _| ())
        };
        assert_eq!(run(0).unwrap().best, [0.0, 0.0]);
        assert_eq!(run(1).unwrap().best, [1.0, 2.0]);
        assert_eq!(run(5).unwrap().best, [2.0, 2.0]);
    }

    #[test]
    fn nan_never_wins_and_errors_come_through() {
        let axes = axes([vec![1.0, 2.0], vec![]]);
        let nan_at_one = |p: &Point| Ok::<_, ()>(if p[0] < 2.0 { f64::NAN } else { -3.0 });
        let search = coordinate_search([0.0, 0.0], &axes, 2, nan_at_one, |_, _, _| ()).unwrap();
        assert_eq!((search.best[0], search.value), (2.0, -3.0));
        let fails = |p: &Point| if p[0] > 1.0 { Err("no fit") } else { Ok(0.0) };
        let result = coordinate_search([0.0, 0.0], &axes, 2, fails, |_, _, _| ());
        assert_eq!(result, Err("no fit"));
    }
}

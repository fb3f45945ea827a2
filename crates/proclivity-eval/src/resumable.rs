//! A search whose evaluations are written down, so that it goes on where it was stopped.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{Axis, Case, EvalError, Search, coordinate_search};

/// [`coordinate_search`] that writes each evaluation into a file, and takes from it what is there.
///
/// A search that was stopped, and is started again with the same file, ends with the same result to
/// the last bit as one that wasn't: evaluations stand in the order of the search, which depends on
/// their values alone, neither on time nor on threads. As long as the objective itself doesn't
/// depend on the number of threads (that of a [`FullRanking`](crate::FullRanking) doesn't), it may
/// be another one each time. A search of more sweeps goes on from one of fewer.
///
/// `data` says what the objective depends on but the parameters, such as a [`data_fingerprint`] and
/// the version of the model. `progress` is told of evaluations from the file, too.
///
/// # The file
/// JSON lines. The first has the format, `data`, the start and the axes; each further one an
/// evaluation: its parameters, its value, as a number or, where JSON has none, as "NaN", "inf" or
/// "-inf", and a digest of it and the lines before. A line is on disk before the next evaluation begins: whoever kills the search loses
/// one evaluation. A last line without its end is what a kill leaves; it is dropped. Any other
/// damage is an error. Parameters are compared by what serialisation makes of them.
///
/// # Example
/// ```
/// use proclivity_eval::{Axis, EvalError, resumable_search};
///
/// # let file = std::env::temp_dir().join(format!("search-{}.jsonl", std::process::id()));
/// # let file = file.as_path();
/// let axes = [Axis { name: "decay", values: vec![0.4, 0.6, 0.8], set: |p: &mut f64, v| *p = v }];
/// let objective = |p: &f64| Ok::<_, EvalError>(-(p - 0.6).powi(2));
/// let search = resumable_search(file, "data 1", 0.5, &axes, 2, objective, |_, _, _| ())?;
/// assert_eq!(search.best, 0.6);
///
/// let no_more = |_: &f64| -> Result<f64, EvalError> { unreachable!("all is in the file") };
/// let again = resumable_search(file, "data 1", 0.5, &axes, 2, no_more, |_, _, _| ());
/// assert_eq!(again?, search);
/// let other = resumable_search(file, "data 2", 0.5, &axes, 2, objective, |_, _, _| ());
/// assert!(matches!(other, Err(EvalError::ForeignTrace { what: "data", .. })));
/// # std::fs::remove_file(file).ok();
/// # Ok::<(), EvalError>(())
/// ```
///
/// # Errors
/// The objective's first error; [`EvalError::Trace`] where the file can't be read or written,
/// [`EvalError::TraceInUse`] while another search writes it, [`EvalError::DamagedTrace`] for a line
/// that is none of a trace, [`EvalError::ForeignTrace`] for a trace of another format, start, axes
/// or data, or of parameters that this search wouldn't have tried then.
pub fn resumable_search<P: Clone + PartialEq + Serialize, E: From<EvalError>>(
    file: &Path,
    data: &str,
    start: P,
    axes: &[Axis<P>],
    sweeps: usize,
    mut objective: impl FnMut(&P) -> Result<f64, E>,
    progress: impl FnMut(usize, usize, f64),
) -> Result<Search<P>, E> {
    let to_json = |params: &P| {
        serde_json::to_value(params).map_err(|source| trace_error(file, source.into()))
    };
    let axes_json = axes.iter().map(|axis| {
        let values = axis.values.iter().copied().map(number);
        json!({ "name": axis.name, "values": values.collect::<Vec<_>>() })
    });
    let mut trace = Trace::open(
        file,
        &Head {
            format: FORMAT.to_owned(),
            data: data.to_owned(),
            start: to_json(&start)?,
            axes: axes_json.collect(),
        },
    )?;
    let replayed_or_evaluated = |params: &P| {
        let params_json = to_json(params)?;
        if let Some(value) = trace.replay(&params_json)? {
            return Ok(value);
        }
        let value = objective(params)?;
        trace.append(params_json, value)?;
        Ok(value)
    };
    coordinate_search(start, axes, sweeps, replayed_or_evaluated, progress)
}

/// A digest of what an objective is fitted on and ranked by, for [`resumable_search`].
pub fn data_fingerprint(train: &[&[u32]], cases: &[Case<'_>]) -> String {
    let mut hasher = blake3::Hasher::new();
    // Lengths keep what follows apart.
    let mut add = |numbers: &[u32]| {
        hasher.update(&(numbers.len() as u64).to_le_bytes());
        numbers.iter().for_each(|number| {
            hasher.update(&number.to_le_bytes());
        });
    };
    add(&[]);
    train.iter().for_each(|sequence| add(sequence));
    add(&[train.len() as u32]);
    for case in cases {
        add(&[case.user, case.target]);
        add(case.history);
    }
    hasher.finalize().to_hex().to_string()
}

const FORMAT: &str = "proclivity search 1";

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    format: String,
    data: String,
    start: Value,
    axes: Value,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Evaluated {
    params: Value,
    value: Value,
    digest: String,
}

impl Evaluated {
    fn new(previous_digest: &str, params: Value, value: Value) -> Self {
        // `Display` of a JSON value is its JSON.
        let content = format!("{previous_digest} {params} {value}");
        let digest = blake3::hash(content.as_bytes()).to_hex()[..16].to_owned();
        Self { params, value, digest }
    }
}

/// An open file of a search, locked against others, and how much of it was replayed.
struct Trace {
    path: PathBuf,
    file: File,
    evaluated: Vec<Evaluated>,
    replayed: usize,
    /// That of the last line.
    digest: String,
}

impl Trace {
    fn open(path: &Path, head: &Head) -> Result<Self, EvalError> {
        let failed = |source| trace_error(path, source);
        // Not for appending only, which doesn't allow cutting everywhere.
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(path).map_err(failed)?;
        file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => EvalError::TraceInUse { path: path.to_owned() },
            TryLockError::Error(source) => failed(source),
        })?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(failed)?;
        // Up to the end of the last line that has one.
        let whole = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
        let mut first = serde_json::to_vec(head).map_err(|source| failed(source.into()))?;
        first.push(b'\n');
        // Nothing is cut off from a file that was never a trace.
        if whole == 0 && !first.starts_with(&bytes) {
            return Err(EvalError::DamagedTrace { path: path.to_owned(), line: 1 });
        }
        let mut lines = bytes[..whole].split_inclusive(|&byte| byte == b'\n');
        let found = lines.next().map(|line| parse(path, 1, line)).transpose()?;
        if let Some(found) = &found {
            head.check(found, path)?;
        }
        let mut digest = blake3::hash(&first).to_hex().to_string();
        let mut evaluated: Vec<Evaluated> = Vec::new();
        for (line, number) in lines.zip(2..) {
            let found: Evaluated = parse(path, number, line)?;
            let expected = Evaluated::new(&digest, found.params, found.value);
            if expected.digest != found.digest || float(&expected.value).is_none() {
                return Err(EvalError::DamagedTrace { path: path.to_owned(), line: number });
            }
            digest.clone_from(&expected.digest);
            evaluated.push(expected);
        }
        file.set_len(whole as u64).map_err(failed)?;
        file.seek(SeekFrom::Start(whole as u64)).map_err(failed)?;
        let mut trace = Self { path: path.to_owned(), file, evaluated, replayed: 0, digest };
        if found.is_none() {
            trace.write(&first)?;
        }
        Ok(trace)
    }

    /// The value of the next evaluation, if it is in the file.
    fn replay(&mut self, params: &Value) -> Result<Option<f64>, EvalError> {
        let Some(next) = self.evaluated.get(self.replayed) else { return Ok(None) };
        self.replayed += 1;
        // The first line is the head.
        let (path, line) = (self.path.clone(), self.replayed + 1);
        if !same_json(&next.params, params) {
            return Err(EvalError::ForeignTrace { path, line, what: "parameters" });
        }
        float(&next.value).map(Some).ok_or(EvalError::DamagedTrace { path, line })
    }

    fn append(&mut self, params: Value, value: f64) -> Result<(), EvalError> {
        let evaluated = Evaluated::new(&self.digest, params, number(value));
        let mut line = serde_json::to_vec(&evaluated)
            .map_err(|source| trace_error(&self.path, source.into()))?;
        line.push(b'\n');
        self.digest = evaluated.digest;
        self.write(&line)
    }

    fn write(&mut self, line: &[u8]) -> Result<(), EvalError> {
        let written = self.file.write_all(line).and_then(|()| self.file.sync_data());
        written.map_err(|source| trace_error(&self.path, source))
    }
}

impl Head {
    fn check(&self, found: &Self, path: &Path) -> Result<(), EvalError> {
        let same = [
            ("format", self.format == found.format),
            ("data", self.data == found.data),
            ("start", same_json(&self.start, &found.start)),
            ("axes", same_json(&self.axes, &found.axes)),
        ];
        match same.into_iter().find(|(_, same)| !same) {
            None => Ok(()),
            Some((what, _)) => {
                Err(EvalError::ForeignTrace { path: path.to_owned(), line: 1, what })
            }
        }
    }
}

fn parse<'a, T: Deserialize<'a>>(path: &Path, line: usize, json: &'a [u8]) -> Result<T, EvalError> {
    let damaged = |_| EvalError::DamagedTrace { path: path.to_owned(), line };
    serde_json::from_slice(json).map_err(damaged)
}

fn trace_error(path: &Path, source: io::Error) -> EvalError {
    EvalError::Trace { path: path.to_owned(), source }
}

/// To the bit.
#[expect(clippy::cmp_owned, reason = "as values, 0 and −0 are equal")]
fn same_json(one: &Value, other: &Value) -> bool {
    one.to_string() == other.to_string()
}

/// JSON has no number for NaN and infinities.
fn number(value: f64) -> Value {
    if value.is_finite() { value.into() } else { value.to_string().into() }
}

fn float(value: &Value) -> Option<f64> {
    match value {
        Value::String(text) => text.parse().ok().filter(|value: &f64| !value.is_finite()),
        value => value.as_f64(),
    }
}

//! Peers in Python, each in a process of its own that does a round when it is told to.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use crate::{Embedder, Result, Seconds};

pub(crate) struct Peer {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    name: String,
}

impl Peer {
    /// Starts `embed.py` and waits until it has loaded the model.
    pub(crate) fn start(
        python: &Path,
        library: &str,
        model: &Path,
        texts: &[&str],
        query: &str,
        [batch, threads]: [usize; 2],
    ) -> Result<Self> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/embed.py");
        let mut process = Command::new(python)
            .args([script.as_os_str(), library.as_ref(), model.as_os_str()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let input = process.stdin.take().ok_or("no input")?;
        let output = BufReader::new(process.stdout.take().ok_or("no output")?);
        let mut peer = Self { process, input, output, name: String::new() };
        let given = json!({"texts": texts, "query": query, "batch": batch, "threads": threads});
        let ready = peer.ask(&given)?;
        peer.name = ready.as_str().ok_or("no name")?.to_owned();
        Ok(peer)
    }

    fn ask(&mut self, question: &Value) -> Result<Value> {
        writeln!(self.input, "{question}")?;
        self.input.flush()?;
        let mut answer = String::new();
        self.output.read_line(&mut answer)?;
        Ok(serde_json::from_str(&answer)?)
    }
}

impl Embedder for Peer {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn embed(&mut self) -> Result<Seconds> {
        let [wall, cpu] = serde_json::from_value(self.ask(&json!({"do": "embed"}))?)?;
        Ok(Seconds { wall, cpu })
    }

    fn queries(&mut self, count: usize) -> Result<Vec<f64>> {
        Ok(serde_json::from_value(self.ask(&json!({"do": "queries", "count": count}))?)?)
    }

    fn vectors(&mut self) -> Result<Vec<f32>> {
        Ok(serde_json::from_value(self.ask(&json!({"do": "vectors"}))?)?)
    }
}

impl Drop for Peer {
    /// Without a question, the process would wait for one.
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

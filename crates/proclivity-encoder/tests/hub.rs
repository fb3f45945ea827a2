//! Checkpoints from a hub, against a local server that answers like it; nothing leaves the machine.
#![cfg(feature = "hub")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;

use proclivity_encoder::{BertEncoder, Decoder, EncoderError, HubConfig, TextEncoder};
use serde_json::json;

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
const TOKEN: &str = "hf_test";

/// What a server has and how it fails.
#[derive(Clone, Default)]
struct Hub {
    directory: PathBuf,
    /// Files that the list names and that aren't in the directory.
    listed: Vec<&'static str>,
    private: bool,
    /// The content of weights ends in the middle.
    breaks_off: bool,
    commit: Option<&'static str>,
}

struct Server {
    address: String,
    /// The paths that were asked for.
    log: Arc<Mutex<Vec<String>>>,
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

fn files(directory: &Path, prefix: &str) -> Vec<String> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{prefix}{}", entry.file_name().to_str().unwrap());
        if entry.path().is_dir() {
            names.extend(files(&entry.path(), &format!("{name}/")));
        } else {
            names.push(name);
        }
    }
    names
}

impl Hub {
    fn of(directory: &str) -> Self {
        Self { directory: fixtures().join(directory), ..Self::default() }
    }

    /// A thread that answers until the test ends.
    fn serve(self) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let log = Arc::new(Mutex::new(Vec::new()));
        let server = Server { address: address.clone(), log: Arc::clone(&log) };
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (hub, address, log) = (self.clone(), address.clone(), Arc::clone(&log));
                thread::spawn(move || hub.answer(&stream.unwrap(), &address, &log));
            }
        });
        server
    }

    fn answer(&self, stream: &TcpStream, address: &str, log: &Mutex<Vec<String>>) {
        let mut lines = BufReader::new(stream).lines().map(Result::unwrap);
        let Some(first) = lines.next() else { return };
        let path = first.split(' ').nth(1).unwrap().to_owned();
        let headers: Vec<String> =
            lines.take_while(|line| !line.is_empty()).map(|line| line.to_lowercase()).collect();
        log.lock().unwrap().push(path.clone());
        let header = |name: &str| {
            headers
                .iter()
                .find_map(|line| line.strip_prefix(&format!("{name}: ")).map(str::to_owned))
        };
        let authorized = header("authorization").is_some_and(|it| it == format!("bearer {TOKEN}"));
        let first_byte = header("range").map_or(0, |range| {
            range.trim_start_matches("bytes=").split('-').next().unwrap().parse().unwrap()
        });
        let send = |status: &str, headers: &[String], body: &[u8]| {
            let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
            let head = format!("HTTP/1.1 {status}\r\nConnection: close\r\n{headers}\r\n");
            let mut stream = stream;
            // A client may hang up first.
            let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
        };
        let length = |length: usize| format!("Content-Length: {length}");
        if self.private && !authorized && !path.starts_with("/storage/") {
            return send("401 Unauthorized", &[length(0)], b"");
        }
        if path == "/api/models/shop/model/revision/main" {
            let mut names = files(&self.directory, "");
            names.extend(self.listed.iter().map(|&name| name.to_owned()));
            let siblings: Vec<_> = names.iter().map(|name| json!({ "rfilename": name })).collect();
            let sha = self.commit.unwrap_or(COMMIT);
            let body = json!({ "sha": sha, "siblings": siblings, "private": false }).to_string();
            return send("200 OK", &[length(body.len())], body.as_bytes());
        }
        // A repository that was renamed: the answer leads to its new name.
        if path.contains("/shop/old/") {
            let to = format!("Location: {}", path.replace("/shop/old/", "/shop/model/"));
            return send("307 Temporary Redirect", &[to, length(0)], b"");
        }
        let resolved = path.strip_prefix(&format!("/shop/model/resolve/{COMMIT}/"));
        let stored = path.strip_prefix("/storage/");
        let Some(bytes) =
            resolved.or(stored).and_then(|file| fs::read(self.directory.join(file)).ok())
        else {
            return send("404 Not Found", &[length(0)], b"");
        };
        let etag = blake(&bytes);
        let commit = format!("X-Repo-Commit: {COMMIT}");
        if let Some(file) = resolved.filter(|file| file.ends_with(".safetensors")) {
            let headers = [
                format!("Location: {address}/storage/{file}"),
                format!("X-Linked-ETag: \"{etag}\""),
                format!("X-Linked-Size: {}", bytes.len()),
                "ETag: \"of-the-pointer\"".to_owned(),
                commit,
                length(0),
            ];
            return send("302 Found", &headers, b"");
        }
        let end = match header("range").is_some_and(|range| range.ends_with("0-0")) {
            true => 1.min(bytes.len()),
            false => bytes.len(),
        };
        let body = &bytes[first_byte.min(end)..end];
        let headers = [
            format!("ETag: \"{etag}\""),
            commit,
            format!("Content-Range: bytes {first_byte}-{}/{}", end.max(1) - 1, bytes.len()),
            length(body.len()),
        ];
        let breaks_off = self.breaks_off && stored.is_some() && body.len() > 1;
        let sent = if breaks_off { &body[..body.len() / 2] } else { body };
        send("206 Partial Content", &headers, sent);
    }
}

/// A name for a content.
fn blake(bytes: &[u8]) -> String {
    let sum = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    });
    format!("{sum:016x}{}", bytes.len())
}

fn config(server: &Server, cache: &Path) -> HubConfig {
    HubConfig { endpoint: server.address.clone(), cache: cache.to_owned(), ..HubConfig::default() }
}

fn device() -> proclivity_encoder::ComputeDevice {
    "flex".parse().unwrap()
}

#[test]
fn a_checkpoint_is_downloaded_once_with_all_that_it_needs_and_nothing_else() {
    // Modules in folders of their own, two of them with weights.
    let server =
        Hub { listed: vec!["README.md", "pytorch_model.bin"], ..Hub::of("encoders/roberta") };
    let server = server.serve();
    let cache = tempfile::tempdir().unwrap();
    let config = config(&server, cache.path());
    let directory = config.fetch("shop/model").unwrap();
    assert!(directory.starts_with(cache.path()) && directory.ends_with(COMMIT));
    let fetched: BTreeSet<String> = files(&directory, "").into_iter().collect();
    let there: BTreeSet<String> =
        files(&fixtures().join("encoders/roberta"), "").into_iter().collect();
    assert_eq!(fetched, there);
    let load = |path: &Path| BertEncoder::load(path, &device()).unwrap();
    let (fetched, local) = (load(&directory), load(&fixtures().join("encoders/roberta")));
    assert_eq!(fetched.fingerprint(), local.fingerprint());

    // Again: the list alone.
    let asked = server.log.lock().unwrap().len();
    assert_eq!(config.fetch("shop/model").unwrap(), directory);
    assert_eq!(server.log.lock().unwrap()[asked..], ["/api/models/shop/model/revision/main"]);
}

#[test]
fn shards_come_as_the_index_names_them() {
    let server = Hub { listed: vec!["expected.json"], ..Hub::of("tiny-decoders/qwen3") }.serve();
    let cache = tempfile::tempdir().unwrap();
    let directory = config(&server, cache.path()).fetch("shop/model").unwrap();
    assert!(!directory.join("expected.json").exists());
    let fetched = Decoder::load(&directory, &device()).unwrap();
    let local = Decoder::load(&fixtures().join("tiny-decoders/qwen3"), &device()).unwrap();
    assert_eq!(fetched.fingerprint(), local.fingerprint());
}

#[test]
fn a_renamed_repository_is_found() {
    let server = Hub::of("encoders/bert").serve();
    let cache = tempfile::tempdir().unwrap();
    let directory = config(&server, cache.path()).fetch("shop/old").unwrap();
    assert!(BertEncoder::load(&directory, &device()).is_ok());
}

#[test]
fn a_directory_is_itself() {
    let nowhere = HubConfig { endpoint: "http://127.0.0.1:1".to_owned(), ..Default::default() };
    let directory = fixtures().join("tiny-bert");
    assert_eq!(nowhere.fetch(directory.to_str().unwrap()).unwrap(), directory);
}

#[test]
fn failures_say_where_and_what_to_do() {
    let cache = tempfile::tempdir().unwrap();
    let failure = |hub: Hub, name: &str| {
        let server = hub.serve();
        (config(&server, cache.path()).fetch(name).unwrap_err(), server.address)
    };
    let encoder = || Hub::of("encoders/bert");

    let (error, address) = failure(encoder(), "shop/other");
    let EncoderError::HubMissing { url } = &error else { panic!("{error}") };
    assert_eq!(*url, format!("{address}/api/models/shop/other/revision/main"));

    let (error, _) = failure(Hub { private: true, ..encoder() }, "shop/model");
    assert!(matches!(error, EncoderError::HubDenied { status: 401, .. }), "{error}");
    assert!(error.to_string().contains("token"), "{error}");

    // No weights but those that aren't safetensors.
    let (error, address) = failure(Hub::of("encoders/bert/1_Pooling"), "shop/model");
    let EncoderError::HubMissing { url } = &error else { panic!("{error}") };
    assert!(url.starts_with(&format!("{address}/shop/model/resolve/{COMMIT}/")), "{url}");

    // In the list, and yet not there.
    let (error, address) = failure(
        Hub { listed: vec!["2_Normalize/config.json", "generation_config.json"], ..encoder() },
        "shop/model",
    );
    let EncoderError::HubMissing { url } = &error else { panic!("{error}") };
    assert_eq!(*url, format!("{address}/shop/model/resolve/{COMMIT}/generation_config.json"));

    let (error, _) = failure(Hub { commit: Some("../../x"), ..encoder() }, "shop/model");
    assert!(matches!(error, EncoderError::Unsupported { field: "sha", .. }), "{error}");

    for name in ["", "a/b/c", "../up", "a b", "shop/.hidden", "https://x/y", "shop/mo?del"] {
        let error = HubConfig::default().fetch(name).unwrap_err();
        assert!(matches!(error, EncoderError::RepositoryName { .. }), "{name}: {error}");
    }
    let setting = |config: HubConfig| config.fetch("shop/model").unwrap_err();
    let error = setting(HubConfig { endpoint: "ftp://x".to_owned(), ..Default::default() });
    assert!(matches!(error, EncoderError::HubSetting { field: "endpoint", .. }), "{error}");
    let error = setting(HubConfig { revision: "a/../b".to_owned(), ..Default::default() });
    assert!(matches!(error, EncoderError::HubSetting { field: "revision", .. }), "{error}");
}

#[test]
fn without_a_network_the_error_names_the_hub() {
    let cache = tempfile::tempdir().unwrap();
    // A port that was free a moment ago.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let config = HubConfig {
        endpoint: format!("http://{address}/"),
        cache: cache.path().to_owned(),
        ..Default::default()
    };
    let error = config.fetch("shop/model").unwrap_err();
    assert!(matches!(error, EncoderError::HubUnreachable { .. }), "{error}");
    assert!(
        error.to_string().contains(&format!("http://{address}/api/models/shop/model")),
        "{error}"
    );
    assert!(error.to_string().contains("directory of an earlier download"), "{error}");
}

#[test]
fn a_token_opens_a_private_repository_and_is_not_shown() {
    let server = Hub { private: true, ..Hub::of("encoders/bert") }.serve();
    let cache = tempfile::tempdir().unwrap();
    let config = HubConfig { token: Some(TOKEN.to_owned()), ..config(&server, cache.path()) };
    let directory = config.fetch("shop/model").unwrap();
    assert!(BertEncoder::load(&directory, &device()).is_ok());
    assert!(!format!("{config:?}").contains(TOKEN));
    assert!(!serde_json::to_string(&config).unwrap().contains(TOKEN));
}

#[test]
fn a_download_that_breaks_off_is_an_error_and_goes_on_at_the_next_call() {
    let cache = tempfile::tempdir().unwrap();
    let broken = Hub { breaks_off: true, ..Hub::of("encoders/bert") }.serve();
    let error = config(&broken, cache.path()).fetch("shop/model").unwrap_err();
    let EncoderError::HubDownload { url, .. } = &error else { panic!("{error}") };
    assert!(url.ends_with("model.safetensors"), "{url}");

    let whole = Hub::of("encoders/bert").serve();
    let directory = config(&whole, cache.path()).fetch("shop/model").unwrap();
    let weights = fs::read(directory.join("model.safetensors")).unwrap();
    assert!(weights == fs::read(fixtures().join("encoders/bert/model.safetensors")).unwrap());
}

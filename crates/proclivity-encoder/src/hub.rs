//! Checkpoints from a model hub, as directories that `load` takes.

use std::collections::{BTreeSet, HashSet};
use std::fmt;
use std::path::{Path, PathBuf};

use hf_hub::api::sync::{ApiBuilder, ApiError, ApiRepo};
use hf_hub::{Cache, Repo, RepoType};
use serde::{Deserialize, Serialize};

use crate::EncoderError;
use crate::bert::Modules;
use crate::weights;

/// What is read beside the weights, in the directory of the checkpoint and in those of its modules.
const FILES: [&str; 7] = [
    "config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "generation_config.json",
    "sentence_bert_config.json",
    "config_sentence_transformers.json",
    "modules.json",
];

/// A hub that answers as huggingface.co does, and where its files are kept.
///
/// | field | default | meaning |
/// |---|---|---|
/// | `endpoint` | `https://huggingface.co` | the hub's address |
/// | `revision` | `main` | branch, tag or commit |
/// | `cache` | `~/.cache/huggingface/hub` | where files are kept, in the layout of `huggingface_hub` |
/// | `token` | none | of an account that may read private and gated repositories |
///
/// No environment variable is read, and no token file.
///
/// ```no_run
/// use proclivity_encoder::{BertEncoder, HubConfig};
///
/// let directory = HubConfig::default().fetch("sentence-transformers/all-MiniLM-L6-v2")?;
/// let encoder = BertEncoder::load(&directory, &"flex".parse()?)?;
/// # Ok::<(), proclivity_encoder::EncoderError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HubConfig {
    /// The hub's address.
    pub endpoint: String,
    /// Branch, tag or commit.
    pub revision: String,
    /// Where files are kept, in the layout of `huggingface_hub`.
    pub cache: PathBuf,
    /// Of an account that may read private and gated repositories; never written anywhere.
    #[serde(skip_serializing)]
    pub token: Option<String>,
}

impl Default for HubConfig {
    fn default() -> Self {
        let home = std::env::home_dir().unwrap_or_default();
        Self {
            endpoint: "https://huggingface.co".to_owned(),
            revision: "main".to_owned(),
            cache: home.join(".cache/huggingface/hub"),
            token: None,
        }
    }
}

impl fmt::Debug for HubConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HubConfig")
            .field("endpoint", &self.endpoint)
            .field("revision", &self.revision)
            .field("cache", &self.cache)
            .field("token", &self.token.as_ref().map(|_| "…"))
            .finish()
    }
}

impl HubConfig {
    /// The directory of a checkpoint: `name` itself where it is one, else that of the repository of
    /// this name, whose files are downloaded unless they are in the cache.
    ///
    /// The hub is asked which commit the revision is, and all files are those of that commit. Without
    /// a network, give the directory that an earlier call returned. There is no limit of time.
    ///
    /// # Errors
    /// When the name can't be one, the hub can't be reached, refuses the token or has no such
    /// repository, revision or file, or a download breaks off; what was there by then is kept, and the
    /// next call goes on from there.
    pub fn fetch(&self, name: &str) -> Result<PathBuf, EncoderError> {
        let local = Path::new(name);
        if local.is_dir() {
            return Ok(local.to_owned());
        }
        if !is_repository(name) {
            return Err(EncoderError::RepositoryName { name: name.to_owned() });
        }
        let unusable = |field, value: &str, expected| EncoderError::HubSetting {
            field,
            value: value.to_owned(),
            expected,
        };
        let address = self.endpoint.trim_end_matches('/');
        let scheme = ["https://", "http://"].iter().find_map(|it| address.strip_prefix(it));
        if scheme.is_none_or(|rest| rest.is_empty() || !rest.chars().all(|c| c.is_ascii_graphic()))
        {
            return Err(unusable("endpoint", &self.endpoint, "https:// and a host"));
        }
        if !self.revision.split('/').all(is_path_part) {
            return Err(unusable("revision", &self.revision, "a branch, tag or commit"));
        }

        let api = ApiBuilder::from_cache(Cache::new(self.cache.clone()))
            .with_endpoint(address.to_owned())
            .with_token(self.token.clone())
            .with_progress(false)
            .build()
            .map_err(|error| failure(address.to_owned(), error))?;
        let repository = |revision: &str| {
            Repo::with_revision(name.to_owned(), RepoType::Model, revision.to_owned())
        };
        let asked = repository(&self.revision);
        let url = format!("{address}/api/{}", asked.api_url());
        let info = api.repo(asked).info().map_err(|error| failure(url.clone(), error))?;
        // It becomes a part of paths.
        if info.sha.is_empty() || !info.sha.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(EncoderError::Unsupported {
                path: url.into(),
                field: "sha",
                value: info.sha,
                expected: "a commit",
            });
        }
        let commit = repository(&info.sha);
        let remote = Remote {
            files: info.siblings.into_iter().map(|sibling| sibling.rfilename).collect(),
            directory: Cache::new(self.cache.clone()).repo(commit.clone()).pointer_path(&info.sha),
            repo: api.repo(commit),
        };
        remote.get_checkpoint()?;
        Ok(remote.directory)
    }
}

/// `model` or `owner/model`.
fn is_repository(name: &str) -> bool {
    name.split('/').count() <= 2 && name.split('/').all(is_path_part)
}

/// Neither empty nor one that leads elsewhere, in a path or in an address.
fn is_path_part(part: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    !part.is_empty() && !part.starts_with('.') && part.bytes().all(plain)
}

/// A repository at a commit.
struct Remote {
    repo: ApiRepo,
    files: HashSet<String>,
    /// Where its files are kept.
    directory: PathBuf,
}

impl Remote {
    fn get_checkpoint(&self) -> Result<(), EncoderError> {
        let mut folders = BTreeSet::from([String::new(), "1_Pooling/".to_owned()]);
        let mut transformer = String::new();
        if self.files.contains("modules.json") {
            self.get("modules.json")?;
            let modules = Modules::read(&self.directory)?;
            let prefix = |path: &str| match path.trim_matches('/') {
                "" | "." => String::new(),
                path => format!("{path}/"),
            };
            transformer = modules.paths().next().map_or_else(String::new, prefix);
            folders.extend(modules.paths().map(prefix));
        }
        for file in ["config.json", "tokenizer.json"] {
            self.get(&format!("{transformer}{file}"))?;
        }
        for folder in &folders {
            for file in FILES.map(|file| format!("{folder}{file}")) {
                if self.files.contains(&file) {
                    self.get(&file)?;
                }
            }
            let weights = format!("{folder}model.safetensors");
            let index = format!("{weights}.index.json");
            if *folder != transformer && !self.files.contains(&weights) {
                continue;
            }
            if self.files.contains(&weights) || !self.files.contains(&index) {
                self.get(&weights)?;
            } else {
                self.get(&index)?;
                for shard in weights::shards(&self.directory.join(&index))? {
                    self.get(&format!("{folder}{shard}"))?;
                }
            }
        }
        Ok(())
    }

    fn get(&self, file: &str) -> Result<(), EncoderError> {
        let url = self.repo.url(file);
        if !self.files.contains(file) {
            return Err(EncoderError::HubMissing { url });
        }
        self.repo.get(file).map(|_| ()).map_err(|error| failure(url, error))
    }
}

fn failure(url: String, error: ApiError) -> EncoderError {
    use ureq::Error;
    let answer = match &error {
        ApiError::RequestError(source) => Some(source.as_ref()),
        _ => None,
    };
    match answer {
        Some(&Error::StatusCode(status @ (401 | 403))) => EncoderError::HubDenied { url, status },
        Some(Error::StatusCode(404)) => EncoderError::HubMissing { url },
        Some(
            Error::Io(_)
            | Error::HostNotFound
            | Error::ConnectionFailed
            | Error::Timeout(_)
            | Error::Tls(_)
            | Error::Rustls(_)
            | Error::ConnectProxyFailed(_),
        ) => EncoderError::HubUnreachable { url, source: Box::new(error) },
        _ => EncoderError::HubDownload { url, source: Box::new(error) },
    }
}

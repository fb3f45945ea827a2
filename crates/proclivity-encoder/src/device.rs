//! From a backend's name to a device: the one file that knows which backends are compiled in.

use std::fmt;
use std::str::FromStr;

use burn::tensor::Device;
use rayon::prelude::*;

use crate::EncoderError;

/// The backends there are, each a feature of this crate.
const BACKENDS: [&str; 8] = ["flex", "ndarray", "tch", "wgpu", "vulkan", "metal", "cuda", "rocm"];

/// Where a model lives and computes, chosen by name at run time.
///
/// | name | what it is |
/// |---|---|
/// | `flex`, `ndarray`, `tch` | this machine's processor |
/// | `tch:0`, `cuda:0`, `rocm:0`, `wgpu:0`, `vulkan:0`, `metal:0` | a GPU by its number |
/// | `cuda`, `rocm`, `wgpu`, `vulkan`, `metal` | the first GPU |
/// | `wgpu:cpu`, `vulkan:cpu` | a graphics driver in software, for tests |
///
/// There is no fall-back: a backend that isn't compiled in is an error that names its feature, and a
/// device that isn't there is one that names those that are.
#[derive(Debug, Clone)]
pub struct ComputeDevice {
    name: String,
    device: Device,
}

impl ComputeDevice {
    /// Whether tensors lie in this process's memory, to be read and changed without a copy.
    pub(crate) fn is_on_host(&self) -> bool {
        self.name == "flex"
    }

    /// The burn device, for models of your own.
    pub fn burn(&self) -> &Device {
        &self.device
    }

    /// Pieces of work that may run side by side.
    pub(crate) fn parallelism(&self) -> usize {
        match self.name.as_str() {
            "flex" | "ndarray" | "tch" => rayon::current_num_threads(),
            _ => 1,
        }
    }

    /// Does the work for all items: on a processor side by side, each on one thread, where there are
    /// several; on a GPU, which has threads of its own, one after the other.
    pub(crate) fn map<T: Sync, R: Send>(
        &self,
        items: &[T],
        work: impl Fn(&T) -> R + Sync + Send,
    ) -> Vec<R> {
        if items.len() < 2 || self.parallelism() < 2 {
            return items.iter().map(work).collect();
        }
        #[cfg(feature = "tch")]
        if self.name == "tch" {
            // libtorch keeps a number of threads for each thread that calls it.
            let threads = tch::get_num_threads();
            let on_one_thread = |item| {
                tch::set_num_threads(1);
                let result = work(item);
                tch::set_num_threads(threads);
                result
            };
            return items.par_iter().map(on_one_thread).collect();
        }
        items.par_iter().map(work).collect()
    }
}

impl fmt::Display for ComputeDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl FromStr for ComputeDevice {
    type Err = EncoderError;

    fn from_str(name: &str) -> Result<Self, EncoderError> {
        let backend = name.split_once(':').map_or(name, |(backend, _)| backend);
        let devices = devices(backend)?;
        // Software that stands in for a GPU is only taken where it is asked for.
        let software = format!("{backend}:cpu");
        let found = devices
            .iter()
            .find(|(found, _)| found == name)
            .or_else(|| devices.first().filter(|(first, _)| name == backend && *first != software));
        match found {
            Some((_, device)) => Ok(Self { name: name.to_owned(), device: device.clone() }),
            None => Err(EncoderError::NoSuchDevice {
                name: name.to_owned(),
                found: devices.into_iter().map(|(name, _)| name).collect(),
            }),
        }
    }
}

/// The devices of a backend on this machine, by name, GPUs in the order of their numbers.
#[allow(deprecated, reason = "upstream deprecates ndarray and tch")]
fn devices(backend: &str) -> Result<Vec<(String, Device)>, EncoderError> {
    Ok(match backend {
        #[cfg(feature = "flex")]
        "flex" => vec![(backend.to_owned(), Device::flex())],
        #[cfg(feature = "ndarray")]
        "ndarray" => vec![(backend.to_owned(), Device::ndarray())],
        #[cfg(feature = "tch")]
        "tch" => {
            let gpus = usize::try_from(tch::Cuda::device_count()).unwrap_or(0);
            let gpus = (0..gpus).map(Device::libtorch_cuda).collect();
            [vec![(backend.to_owned(), Device::libtorch())], numbered(backend, gpus)].concat()
        }
        #[cfg(feature = "wgpu")]
        "wgpu" => graphics(backend, burn::tensor::DeviceType::Wgpu, Device::wgpu),
        #[cfg(feature = "vulkan")]
        "vulkan" => graphics(backend, burn::tensor::DeviceType::Vulkan, Device::vulkan),
        #[cfg(feature = "metal")]
        "metal" => graphics(backend, burn::tensor::DeviceType::Metal, Device::metal),
        #[cfg(feature = "cuda")]
        "cuda" => numbered(backend, all(burn::tensor::DeviceType::Cuda)),
        #[cfg(feature = "rocm")]
        "rocm" => numbered(backend, all(burn::tensor::DeviceType::Rocm)),
        _ => {
            return Err(match BACKENDS.into_iter().find(|known| *known == backend) {
                Some(name) => EncoderError::BackendNotCompiled { name },
                None => EncoderError::UnknownBackend { name: backend.to_owned() },
            });
        }
    })
}

#[cfg(any(
    feature = "tch",
    feature = "wgpu",
    feature = "vulkan",
    feature = "metal",
    feature = "cuda",
    feature = "rocm"
))]
fn numbered(backend: &str, gpus: Vec<Device>) -> Vec<(String, Device)> {
    let name = |(number, gpu)| (format!("{backend}:{number}"), gpu);
    gpus.into_iter().enumerate().map(name).collect()
}

#[cfg(any(
    feature = "wgpu",
    feature = "vulkan",
    feature = "metal",
    feature = "cuda",
    feature = "rocm"
))]
fn all(kind: burn::tensor::DeviceType) -> Vec<Device> {
    Device::enumerate(kind).into_vec()
}

/// The adapters that a graphics driver offers. Asking for them first matters: burn panics at the
/// first tensor of one that isn't there.
#[cfg(any(feature = "wgpu", feature = "vulkan", feature = "metal"))]
fn graphics(
    backend: &str,
    kind: burn::tensor::DeviceType,
    device: fn(burn::tensor::DeviceKind) -> Device,
) -> Vec<(String, Device)> {
    let software = device(burn::tensor::DeviceKind::Cpu);
    let (in_software, gpus) =
        all(kind).into_iter().partition::<Vec<_>, _>(|device| *device == software);
    let in_software = in_software.into_iter().map(|device| (format!("{backend}:cpu"), device));
    numbered(backend, gpus).into_iter().chain(in_software).collect()
}

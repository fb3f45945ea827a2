//! From a backend's name to a device: the one file that knows which backends are compiled in.

use std::fmt;
use std::str::FromStr;

use burn::tensor::Device;

use crate::EncoderError;

/// Where a model lives and computes, chosen by name at run time: `flex`, `ndarray`, `tch`, `tch:0`
/// (libtorch on a GPU), `wgpu`, `vulkan`, `metal`, `cuda:0`, `rocm:0`.
///
/// There is no fall-back: a backend that isn't compiled in is an error that names its feature.
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
}

impl fmt::Display for ComputeDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl FromStr for ComputeDevice {
    type Err = EncoderError;

    fn from_str(name: &str) -> Result<Self, EncoderError> {
        let unknown = || EncoderError::UnknownBackend { name: name.to_owned() };
        let (backend, index) = match name.split_once(':') {
            Some((backend, index)) => (backend, Some(index.parse().map_err(|_| unknown())?)),
            None => (name, None),
        };
        let device = open(backend, index).ok_or_else(unknown)??;
        Ok(Self { name: name.to_owned(), device })
    }
}

/// `None`: no such backend. The index is a GPU's number, which CPU backends don't have.
#[allow(
    deprecated,
    unused_variables,
    unreachable_code,
    reason = "depends on the backends compiled in; upstream deprecates ndarray and tch"
)]
fn open(backend: &str, index: Option<usize>) -> Option<Result<Device, EncoderError>> {
    let missing = |name| Err(EncoderError::BackendNotCompiled { name });
    let cpu_only = |name, device: fn() -> Device| match index {
        None => Ok(device()),
        Some(index) => Err(EncoderError::NoSuchDevice { name, index }),
    };
    Some(match backend {
        #[cfg(feature = "flex")]
        "flex" => cpu_only("flex", Device::flex),
        #[cfg(not(feature = "flex"))]
        "flex" => missing("flex"),
        #[cfg(feature = "ndarray")]
        "ndarray" => cpu_only("ndarray", Device::ndarray),
        #[cfg(not(feature = "ndarray"))]
        "ndarray" => missing("ndarray"),
        #[cfg(feature = "tch")]
        "tch" => Ok(index.map_or_else(Device::libtorch, Device::libtorch_cuda)),
        #[cfg(not(feature = "tch"))]
        "tch" => missing("tch"),
        #[cfg(feature = "wgpu")]
        "wgpu" => Ok(Device::wgpu(graphics(index))),
        #[cfg(not(feature = "wgpu"))]
        "wgpu" => missing("wgpu"),
        #[cfg(feature = "vulkan")]
        "vulkan" => Ok(Device::vulkan(graphics(index))),
        #[cfg(not(feature = "vulkan"))]
        "vulkan" => missing("vulkan"),
        #[cfg(feature = "metal")]
        "metal" => Ok(Device::metal(graphics(index))),
        #[cfg(not(feature = "metal"))]
        "metal" => missing("metal"),
        #[cfg(feature = "cuda")]
        "cuda" => Ok(Device::cuda(index.unwrap_or(0))),
        #[cfg(not(feature = "cuda"))]
        "cuda" => missing("cuda"),
        #[cfg(feature = "rocm")]
        "rocm" => Ok(Device::rocm(index.unwrap_or(0))),
        #[cfg(not(feature = "rocm"))]
        "rocm" => missing("rocm"),
        _ => return None,
    })
}

#[cfg(any(feature = "wgpu", feature = "vulkan", feature = "metal"))]
fn graphics(index: Option<usize>) -> burn::tensor::DeviceKind {
    index.map_or(burn::tensor::DeviceKind::DefaultDevice, burn::tensor::DeviceKind::DiscreteGpu)
}

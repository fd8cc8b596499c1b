//! Names of objects.

use sluice_abi::PAGE_SIZE;
use sluice_abi::smmu::StreamId;
use sluice_spec::{Component, Device, Region};

/// A stream: SMMU and StreamID, in decimal.
pub(super) fn sid(word: u64) -> String {
    StreamId::from_word(word)
        .map_or_else(|| format!("sid_{word}"), |stream| format!("sid_{}_{}", stream.smmu, stream.sid))
}

/// The context of a device: SMMU and number. None is there for a device without streams, or that bypasses translation for
/// good.
pub(super) fn cb(device: &Device) -> Option<String> {
    let stream = StreamId::from_word(*device.streams.first()?)?;
    (device.context != 0).then(|| format!("cb_{}_{}", stream.smmu, device.context))
}

/// The address space of a device.
pub(super) fn io_space(component: &Component, device: &Device) -> String {
    format!("vspace_{}_{}", component.name, device.name)
}

/// All frames of a region.
pub(super) fn region(region: &Region) -> String {
    range(&format!("frame_{}", region.name), region.size >> region.frame_bits)
}

/// Frames of device registers.
pub(super) fn registers(base: u64, size: u64) -> String {
    range(&format!("frame_{base:x}"), size / PAGE_SIZE)
}

/// A name that stands for `count` objects, as a capability refers to all of them.
pub(super) fn range(name: &str, count: u64) -> String {
    if count == 1 { name.to_owned() } else { format!("{name}[0..{}]", count.saturating_sub(1)) }
}

/// The same, as it is declared.
pub(super) fn array(name: &str, count: u64) -> String {
    if count == 1 { name.to_owned() } else { format!("{name}[{count}]") }
}

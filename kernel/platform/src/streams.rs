//! The streams that a node or a PCI function masters memory with (bindings `iommus` and `iommu-map`).

use sluice_abi::smmu::StreamId;

use crate::list::List;
use crate::tree::{Cells, Node};
use crate::{MachineError, Problem, Smmus};

/// Most streams of one node.
pub const MAX_STREAMS: usize = 16;
/// Cells of an entry of `iommu-map`.
const MAP_CELLS: usize = 4;

/// The streams of a node, in the order of its property.
pub type Streams = List<StreamId, MAX_STREAMS>;

/// The streams that the node's `iommus` names; those at an IOMMU that is none of `smmus` are left out.
pub(crate) fn streams<'b>(node: &Node<'b>, smmus: &Smmus<'b>) -> Result<Streams, MachineError<'b>> {
    let mut list = Streams::new();
    let Some(value) = node.property("iommus") else { return Ok(list) };
    let length = Problem::Length { bytes: value.len(), entry: 8 };
    let mut cells = Cells::new(value);
    while let Some(phandle) = cells.word() {
        let (smmu, count) = iommu(node, "iommus", phandle, smmus)?;
        let mut specifier = cells.take(count).ok_or_else(|| node.error("iommus", length))?;
        let Some(smmu) = smmu else { continue };
        let sid = specifier.word().filter(|_| count == 1).ok_or_else(|| node.error("iommus", Problem::Cells(count)))?;
        list.push(StreamId { smmu, sid }).map_err(|full| node.error("iommus", full.into()))?;
    }
    if cells.is_empty() { Ok(list) } else { Err(node.error("iommus", length)) }
}

/// The stream of requester ID `rid` behind the host `node`, after `iommu-map-mask`; `None` when its DMA passes no SMMU.
pub(crate) fn stream_of<'b>(
    node: &Node<'b>,
    rid: u16,
    smmus: &Smmus<'b>,
) -> Result<Option<StreamId>, MachineError<'b>> {
    let Some(value) = node.property("iommu-map") else { return Ok(None) };
    let masked = u32::from(rid) & mask(node)?;
    for entry in entries(node, value)? {
        let [first, phandle, base, count] = entry;
        let Some(offset) = masked.checked_sub(first).filter(|&offset| offset < count) else { continue };
        let (smmu, cells) = iommu(node, "iommu-map", phandle, smmus)?;
        let Some(smmu) = smmu else { return Ok(None) };
        if cells != 1 {
            return Err(node.error("iommu-map", Problem::Cells(cells)));
        }
        let overflow = Problem::Number { found: base.into(), wanted: "streams below 2^32" };
        let sid = base.checked_add(offset).ok_or_else(|| node.error("iommu-map", overflow))?;
        return Ok(Some(StreamId { smmu, sid }));
    }
    Ok(None)
}

/// The bits of a requester ID that the host's `iommu-map` looks at.
pub(crate) fn mask<'b>(node: &Node<'b>) -> Result<u32, MachineError<'b>> {
    let Some(value) = node.property("iommu-map-mask") else { return Ok(u32::MAX) };
    let length = Problem::Length { bytes: value.len(), entry: 4 };
    node.word("iommu-map-mask").ok_or_else(|| node.error("iommu-map-mask", length))
}

/// The entries of an `iommu-map`: first requester ID, IOMMU, first stream, count.
pub(crate) fn entries<'b>(
    node: &Node<'b>,
    value: &'b [u8],
) -> Result<impl Iterator<Item = [u32; MAP_CELLS]> + use<'b>, MachineError<'b>> {
    if value.is_empty() || !value.len().is_multiple_of(4 * MAP_CELLS) {
        let problem = Problem::Length { bytes: value.len(), entry: 4 * MAP_CELLS };
        return Err(node.error("iommu-map", problem));
    }
    let mut cells = Cells::new(value);
    Ok(core::iter::from_fn(move || Some([cells.word()?, cells.word()?, cells.word()?, cells.word()?])))
}

/// The number of the SMMU with this phandle, if it is one of `smmus`, and its `#iommu-cells`.
pub(crate) fn iommu<'b>(
    node: &Node<'b>,
    property: &'static str,
    phandle: u32,
    smmus: &Smmus<'b>,
) -> Result<(Option<u8>, u32), MachineError<'b>> {
    let unknown = || node.error(property, Problem::Phandle(phandle));
    let target = node.tree().phandle(phandle).ok_or_else(unknown)?;
    let cells = target.word("#iommu-cells").ok_or_else(|| target.error("#iommu-cells", Problem::Missing))?;
    let number = smmus.iter().position(|smmu| smmu.path == target.place());
    Ok((number.and_then(|number| u8::try_from(number).ok()), cells))
}

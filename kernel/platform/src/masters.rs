//! Devices known to read and write memory on their own.
//!
//! A device tree has no property that says so, hence this list of bindings. It is about registers that are given away:
//! a device that is on it, and whose DMA passes no SMMU, lets whoever holds its registers reach all memory. A device
//! that is not on it is not thereby harmless.

use crate::tree::Node;

/// The bindings.
const BINDINGS: [&str; 30] = [
    // emulated and paravirtual: their registers take addresses of buffers
    "qemu,fw-cfg-mmio",
    "virtio,mmio",
    // PCIe hosts: every function behind one
    crate::pci::host::BINDING,
    "pci-host-cam-generic",
    "snps,dw-pcie-ecam",
    "snps,dw-pcie",
    // DMA controllers
    "arm,pl080",
    "arm,pl081",
    "arm,pl330",
    "arm,dma-350",
    "snps,axi-dma-1.01a",
    "xlnx,axi-dma-1.00.a",
    "xlnx,zynqmp-dma-1.0",
    // displays and graphics
    "arm,pl110",
    "arm,pl111",
    "arm,hdlcd",
    "arm,mali-dp500",
    "arm,mali-midgard",
    "arm,mali-bifrost",
    // storage and USB
    "generic-ahci",
    "snps,dwc-ahci",
    "generic-ehci",
    "generic-ohci",
    "generic-xhci",
    "snps,dwc3",
    "arasan,sdhci-8.9a",
    // network
    "snps,dwmac",
    "cdns,gem",
    "xlnx,zynqmp-gem",
    // trace into memory
    "arm,coresight-tmc",
];

/// The first binding of the node that is on the list.
pub(crate) fn known_binding(node: &Node<'_>) -> Option<&'static str> {
    node.compatible().find_map(|name| BINDINGS.into_iter().find(|&binding| binding == name))
}

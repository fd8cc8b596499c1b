//! Addresses behind bridges. A bridge passes on one range of each kind, so what is behind it lies together.

use alloc::vec::Vec;

use sluice_abi::PAGE_SIZE;
use sluice_platform::{PciAddress, Space};
use sluice_spec::Numbered;

use super::bars::{Assigned, Bar, Windows, write_bar};
use super::bridge::{BridgeError, GRANULE, Kind, is_wide, open_window};
use super::config::Access;

/// A function behind bridges, and what it decodes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Behind {
    pub(super) at: PciAddress,
    pub(super) bars: Vec<Bar>,
}

/// Everything behind the bridges of a host that gets addresses.
pub(super) struct Layout<'a> {
    pub(super) bridges: &'a [Numbered],
    pub(super) functions: &'a [Behind],
    /// Whether the host has a window above 4 GiB.
    pub(super) wide: bool,
}

/// Something in a window of a bridge.
#[derive(Clone, Copy)]
struct Item<'a> {
    size: u64,
    align: u64,
    what: What<'a>,
}

#[derive(Clone, Copy)]
enum What<'a> {
    Bar(PciAddress, Bar),
    Bridge(&'a Numbered),
}

/// The address of a bridge on the bus that it is on.
pub(super) fn address(bridge: &Numbered) -> Option<PciAddress> {
    let (device, function) = bridge.path.last()?;
    PciAddress::new(bridge.bus, *device, *function)
}

impl<'a> Layout<'a> {
    /// Places all BARs in memory, and opens the bridges to them. Ports get no place: no bridge passes any on.
    pub(super) fn assign(
        &self,
        access: &mut impl Access,
        windows: &mut Windows,
    ) -> Result<Vec<(PciAddress, Vec<Assigned>)>, BridgeError> {
        let mut placed: Vec<(PciAddress, Vec<Assigned>)> =
            self.functions.iter().map(|function| (function.at, Vec::new())).collect();
        let first = self.bridges.first().map(|bridge| bridge.bus);
        for top in self.bridges.iter().filter(|bridge| Some(bridge.bus) == first) {
            for kind in [Kind::Low, Kind::Prefetchable] {
                let (size, align) = self.extent(access, top, kind);
                let Some(bridge) = address(top).filter(|_| size != 0) else { continue };
                let space = if kind == Kind::Low { Space::Memory32 } else { Space::Memory64 };
                let prefetchable = kind == Kind::Prefetchable;
                let room = windows.reserve(space, size, align);
                let (base, cpu) = room.ok_or(BridgeError::NoRoom { bridge, size, prefetchable })?;
                self.fill(access, (top, kind), (base, cpu.wrapping_sub(base)), &mut placed)?;
            }
        }
        placed.iter_mut().for_each(|(_, bars)| bars.sort_by_key(|assigned| assigned.bar.index));
        Ok(placed)
    }

    /// Opens a bridge's window at `base`, and places what is in it. `delta` leads to the CPU's addresses.
    fn fill(
        &self,
        access: &mut impl Access,
        (bridge, kind): (&Numbered, Kind),
        (base, delta): (u64, u64),
        placed: &mut [(PciAddress, Vec<Assigned>)],
    ) -> Result<(), BridgeError> {
        let (size, _) = self.extent(access, bridge, kind);
        if let Some(at) = address(bridge) {
            open_window(access, at, kind, (base, size))?;
        }
        let mut from = base;
        for item in self.items(access, bridge, kind) {
            from = from.next_multiple_of(item.align);
            match item.what {
                What::Bridge(below) => self.fill(access, (below, kind), (from, delta), placed)?,
                What::Bar(at, bar) => {
                    let cpu_address = from.wrapping_add(delta);
                    let assigned = Assigned { bar, bus_address: from, cpu_address, mapped_size: item.size };
                    write_bar(access, at, &assigned).map_err(|error| BridgeError::Bars(at, error))?;
                    let bars = placed.iter_mut().filter(|(function, _)| *function == at);
                    bars.for_each(|(_, bars)| bars.push(assigned));
                }
            }
            from += item.size;
        }
        Ok(())
    }

    /// Bytes and alignment of a bridge's window; none when nothing of the kind is behind it.
    fn extent(&self, access: &impl Access, bridge: &Numbered, kind: Kind) -> (u64, u64) {
        let items = self.items(access, bridge, kind);
        let end = items.iter().fold(0u64, |end, item| {
            end.checked_next_multiple_of(item.align).unwrap_or(u64::MAX).saturating_add(item.size)
        });
        // What is too large for any window stays so.
        let size = end.checked_next_multiple_of(GRANULE).unwrap_or(1 << 63);
        (size, items.iter().map(|item| item.align).fold(GRANULE, u64::max))
    }

    /// What is in a bridge's window: the most aligned first, which leaves no gaps between BARs.
    fn items(&self, access: &impl Access, bridge: &Numbered, kind: Kind) -> Vec<Item<'a>> {
        let functions = self.functions.iter().filter(|function| function.at.bus() == bridge.secondary);
        let bars = functions.flat_map(|function| function.bars.iter().map(|bar| (function.at, *bar)));
        let mut items: Vec<Item<'a>> = bars
            .filter(|(at, bar)| self.kind(access, *at, *bar) == Some(kind))
            .map(|(at, bar)| {
                let size = bar.size.max(PAGE_SIZE);
                Item { size, align: size, what: What::Bar(at, bar) }
            })
            .collect();
        for below in self.bridges.iter().filter(|below| below.bus == bridge.secondary) {
            let (size, align) = self.extent(access, below, kind);
            if size != 0 {
                items.push(Item { size, align, what: What::Bridge(below) });
            }
        }
        items.sort_by_key(|item| core::cmp::Reverse(item.align));
        items
    }

    /// The window a BAR can be in. Only what may be prefetched can lie above 4 GiB, and only where every bridge can.
    fn kind(&self, access: &impl Access, at: PciAddress, bar: Bar) -> Option<Kind> {
        let mut above =
            self.bridges.iter().filter(|bridge| (bridge.secondary..=bridge.subordinate).contains(&at.bus()));
        match bar.space {
            Space::Io => None,
            Space::Memory32 => Some(Kind::Low),
            Space::Memory64 if !bar.prefetchable => Some(Kind::Low),
            Space::Memory64 => {
                let wide = above.all(|bridge| address(bridge).is_some_and(|bridge| is_wide(access, bridge)));
                Some(if wide && self.wide { Kind::Prefetchable } else { Kind::Low })
            }
        }
    }
}

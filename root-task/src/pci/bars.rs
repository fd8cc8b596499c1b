//! Base address registers (PCI Local Bus 3.0, 6.2.5): how large, and where.
//!
//! A capability protects pages, so a range takes whole pages, naturally aligned: no page holds the registers of two
//! functions.

use alloc::vec::Vec;
use core::fmt;

use sluice_abi::PAGE_SIZE;

use sluice_platform::{PciAddress, Space, Window};

use super::config::{Access, BAR0};

/// A BAR that decodes something.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bar {
    /// Its number; a 64-bit BAR has that of its lower half.
    pub index: u8,
    /// What it decodes.
    pub space: Space,
    /// Bytes, a power of two.
    pub size: u64,
    /// Whether reads have no side effects.
    pub prefetchable: bool,
}

/// A BAR with its place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Assigned {
    /// The BAR.
    pub bar: Bar,
    /// Address on the bus, as written into the register.
    pub bus_address: u64,
    /// Address for the CPU.
    pub cpu_address: u64,
    /// Bytes of the pages it takes.
    pub mapped_size: u64,
}

/// Windows of a host, filled from below.
#[derive(Clone, Debug, Default)]
pub struct Windows {
    windows: Vec<(Window, u64)>,
}

/// Why a function's ranges have no place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BarError {
    /// The writable bits are no size.
    Malformed {
        /// Number of the BAR.
        index: u8,
    },
    /// No window has room.
    NoRoom(Bar),
    /// The register did not keep the address.
    Lost(Bar),
}

const fn name(space: Space) -> &'static str {
    match space {
        Space::Io => "I/O",
        Space::Memory32 => "32-bit memory",
        Space::Memory64 => "64-bit memory",
    }
}

impl fmt::Display for BarError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed { index } => write!(f, "BAR {index} has no valid size"),
            Self::NoRoom(bar) => {
                write!(
                    f,
                    "no window of the host has room for BAR {} ({:#x} bytes of {})",
                    bar.index,
                    bar.size,
                    name(bar.space)
                )
            }
            Self::Lost(bar) => write!(f, "BAR {} does not keep the address written to it", bar.index),
        }
    }
}

/// Address bits a register of 32 bits does not have; they count as writable when the size is taken.
const BEYOND_32: u64 = 0xffff_ffff_0000_0000;

/// The BARs of an endpoint. Its decoding must be off: the registers hold all ones for a moment.
///
/// # Errors
/// [`BarError::Malformed`] when a BAR's size is no power of two.
pub fn size_bars(access: &mut impl Access, at: PciAddress) -> Result<Vec<Bar>, BarError> {
    let mut bars = Vec::new();
    let mut index = 0;
    while index < 6 {
        let (flags, low) = probe(access, at, index);
        let malformed = BarError::Malformed { index };
        let (space, writable, beyond) = if flags & 1 != 0 {
            // An I/O BAR may implement only its lower half.
            let beyond = if low >> 16 == 0 { 0xffff_ffff_ffff_0000 } else { BEYOND_32 };
            (Space::Io, u64::from(low & !0b11), beyond)
        } else if flags & 0b110 == 0 {
            (Space::Memory32, u64::from(low & !0b1111), BEYOND_32)
        } else if flags & 0b110 == 0b100 && index < 5 {
            let (_, high) = probe(access, at, index + 1);
            (Space::Memory64, u64::from(high) << 32 | u64::from(low & !0b1111), 0)
        } else {
            return Err(malformed);
        };
        if writable != 0 {
            let size = (writable | beyond).wrapping_neg();
            if !size.is_power_of_two() {
                return Err(malformed);
            }
            let prefetchable = space != Space::Io && flags & 1 << 3 != 0;
            bars.push(Bar { index, space, size, prefetchable });
        }
        index += if space == Space::Memory64 { 2 } else { 1 };
    }
    Ok(bars)
}

/// The type bits of a BAR, and which of its bits can be written.
fn probe(access: &mut impl Access, at: PciAddress, index: u8) -> (u32, u32) {
    let register = BAR0 + 4 * u16::from(index);
    let old = access.read(at, register);
    access.write(at, register, u32::MAX);
    let writable = access.read(at, register);
    access.write(at, register, old);
    (old, writable)
}

impl Windows {
    /// `windows`, empty.
    #[must_use]
    pub fn new(windows: impl IntoIterator<Item = Window>) -> Self {
        Self { windows: windows.into_iter().map(|window| (window, 0)).collect() }
    }

    /// Finds a place for each BAR, largest first, and writes it into the register.
    ///
    /// # Errors
    /// [`BarError`] when a BAR finds no room or does not keep its address; decoding must stay off then.
    pub fn assign(
        &mut self,
        access: &mut impl Access,
        at: PciAddress,
        bars: &[Bar],
    ) -> Result<Vec<Assigned>, BarError> {
        let mut order: Vec<Bar> = bars.to_vec();
        order.sort_by_key(|bar| (core::cmp::Reverse(bar.size), bar.index));
        let mut placed = Vec::new();
        for bar in order {
            let assigned = self.place(bar).ok_or(BarError::NoRoom(bar))?;
            write_bar(access, at, &assigned)?;
            placed.push(assigned);
        }
        placed.sort_by_key(|assigned| assigned.bar.index);
        Ok(placed)
    }

    /// A place for one BAR: in a window of its own kind, or for 64-bit memory also in a 32-bit one.
    fn place(&mut self, bar: Bar) -> Option<Assigned> {
        let exact = |window: &Window| window.space == bar.space;
        let lower = |window: &Window| bar.space == Space::Memory64 && window.space == Space::Memory32;
        self.place_in(bar, exact).or_else(|| self.place_in(bar, lower))
    }

    /// Whether there is a window of the kind.
    pub(super) fn has(&self, space: Space) -> bool {
        self.windows.iter().any(|(window, _)| window.space == space)
    }

    /// Room for what is behind a bridge: its address on the bus and for the CPU.
    pub(super) fn reserve(&mut self, space: Space, size: u64, align: u64) -> Option<(u64, u64)> {
        self.take(size, align, space != Space::Memory64, |window| window.space == space)
    }

    fn place_in(&mut self, bar: Bar, suits: impl Fn(&Window) -> bool) -> Option<Assigned> {
        let mapped_size = bar.size.max(PAGE_SIZE);
        let (bus_address, cpu_address) = self.take(mapped_size, mapped_size, bar.space != Space::Memory64, suits)?;
        Some(Assigned { bar, bus_address, cpu_address, mapped_size })
    }

    fn take(&mut self, size: u64, align: u64, below_4g: bool, suits: impl Fn(&Window) -> bool) -> Option<(u64, u64)> {
        self.windows.iter_mut().filter(|(window, _)| suits(window)).find_map(|(window, used)| {
            // A BAR that holds zero is taken for unassigned by some functions.
            let from = window.pci.checked_add(*used)?.max(PAGE_SIZE);
            let bus_address = from.checked_next_multiple_of(align)?;
            let end = bus_address.checked_add(size)?;
            if end > window.pci.checked_add(window.cpu.size())? || below_4g && end > 1 << 32 {
                return None;
            }
            let cpu_address = window.cpu.base().0.checked_add(bus_address - window.pci)?;
            *used = end - window.pci;
            Some((bus_address, cpu_address))
        })
    }
}

/// Writes an address and reads it back.
pub(super) fn write_bar(access: &mut impl Access, at: PciAddress, assigned: &Assigned) -> Result<(), BarError> {
    let register = BAR0 + 4 * u16::from(assigned.bar.index);
    access.write(at, register, assigned.bus_address as u32);
    let mut kept = u64::from(access.read(at, register) & !0b1111);
    if assigned.bar.space == Space::Memory64 {
        access.write(at, register + 4, (assigned.bus_address >> 32) as u32);
        kept |= u64::from(access.read(at, register + 4)) << 32;
    }
    if kept == assigned.bus_address { Ok(()) } else { Err(BarError::Lost(assigned.bar)) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sluice_abi::PhysAddr;
    use sluice_platform::Region;

    use super::super::fake::{Device, Host};
    use super::*;

    const AT: PciAddress = PciAddress::from_rid(0x10);

    fn window(space: Space, pci: u64, cpu: u64, size: u64) -> Window {
        Window { space, prefetchable: false, pci, cpu: Region::new(PhysAddr(cpu), size).unwrap() }
    }

    fn windows() -> Windows {
        Windows::new([
            window(Space::Io, 0, 0x3eff_0000, 0x1_0000),
            window(Space::Memory32, 0x1000_0000, 0x1000_0000, 0x2eff_0000),
            window(Space::Memory64, 1 << 39, 1 << 39, 1 << 39),
        ])
    }

    fn bars_of(device: Device) -> Result<Vec<(u8, Space, u64)>, BarError> {
        let bars = size_bars(&mut Host::new([(AT, device)]), AT)?;
        Ok(bars.into_iter().map(|bar| (bar.index, bar.space, bar.size)).collect())
    }

    #[test]
    fn sizes_are_read_from_the_writable_bits() {
        let device =
            Device::endpoint(1, 1).bar(0, 0x4000, 0b100).bar(2, 0x20, 1).bar(3, 0x10_0000, 0).bar(4, 1 << 33, 0b1100);
        assert_eq!(
            bars_of(device),
            Ok([
                (0, Space::Memory64, 0x4000),
                (2, Space::Io, 0x20),
                (3, Space::Memory32, 0x10_0000),
                (4, Space::Memory64, 1 << 33)
            ]
            .to_vec())
        );
        assert_eq!(bars_of(Device::endpoint(1, 1)), Ok(Vec::new()));
    }

    #[test]
    fn nonsense_is_refused() {
        let holes = Device::endpoint(1, 1).bar(1, 0x4800, 0);
        assert_eq!(bars_of(holes), Err(BarError::Malformed { index: 1 }));
        let reserved = Device::endpoint(1, 1).bar(0, 0x1000, 0b110);
        assert_eq!(bars_of(reserved), Err(BarError::Malformed { index: 0 }));
        let cut = Device::endpoint(1, 1).bar(5, 0x1000, 0b100);
        assert_eq!(bars_of(cut), Err(BarError::Malformed { index: 5 }));
    }

    #[test]
    fn probing_leaves_the_registers_as_they_were() {
        let mut host = Host::new([(AT, Device::endpoint(1, 1).bar(0, 0x4000, 0b100))]);
        host.write(AT, BAR0, 0x1234_8000);
        size_bars(&mut host, AT).unwrap();
        assert_eq!(host.read(AT, BAR0), 0x1234_8004);
    }

    #[test]
    fn each_kind_goes_to_its_window_and_ports_avoid_zero() {
        let mut host =
            Host::new([(AT, Device::endpoint(1, 1).bar(0, 0x4000, 0b100).bar(2, 0x20, 1).bar(3, 0x1000, 0))]);
        let bars = size_bars(&mut host, AT).unwrap();
        let placed = windows().assign(&mut host, AT, &bars).unwrap();
        let addresses: Vec<(u64, u64)> = placed.iter().map(|place| (place.bus_address, place.cpu_address)).collect();
        assert_eq!(addresses, [(1 << 39, 1 << 39), (0x1000, 0x3eff_1000), (0x1000_0000, 0x1000_0000)]);
        assert_eq!(host.read(AT, BAR0), 0x0000_0004);
        assert_eq!(host.read(AT, BAR0 + 4), 0x80);
        assert_eq!(host.read(AT, BAR0 + 8), 0x1001);
    }

    #[test]
    fn wide_bars_fall_back_to_low_memory_and_narrow_ones_never_go_high() {
        let bar = |space, size| Bar { index: 0, space, size, prefetchable: false };
        let low = window(Space::Memory32, 0x1000_0000, 0x1000_0000, 0x10_0000);
        let mut host = Host::new([(AT, Device::endpoint(1, 1).bar(0, 0x4000, 0b100))]);
        let placed = Windows::new([low]).assign(&mut host, AT, &[bar(Space::Memory64, 0x4000)]).unwrap();
        assert_eq!(placed[0].cpu_address, 0x1000_0000);
        let wide = bar(Space::Memory32, 0x4000);
        let high = window(Space::Memory64, 1 << 39, 1 << 39, 1 << 30);
        assert_eq!(Windows::new([high]).assign(&mut host, AT, &[wide]), Err(BarError::NoRoom(wide)));
        let huge = bar(Space::Memory64, 1 << 40);
        assert_eq!(windows().assign(&mut host, AT, &[huge]), Err(BarError::NoRoom(huge)));
    }

    #[test]
    fn a_bar_that_forgets_is_noticed() {
        let mut host = Host::new([(AT, Device::endpoint(1, 1))]);
        let bar = Bar { index: 0, space: Space::Memory32, size: 0x1000, prefetchable: false };
        assert_eq!(windows().assign(&mut host, AT, &[bar]), Err(BarError::Lost(bar)));
    }

    proptest! {
        #[test]
        fn no_page_has_two_owners(sizes in prop::collection::vec((4u32..24, 0u8..3), 1..40)) {
            let mut windows = windows();
            let mut pages: Vec<(u64, u64)> = Vec::new();
            for (index, (bits, kind)) in sizes.into_iter().enumerate() {
                let (space, flags) = [(Space::Io, 1), (Space::Memory32, 0), (Space::Memory64, 0b100)][usize::from(kind)];
                let bits = if space == Space::Io { bits.min(8) } else { bits };
                let at = PciAddress::from_rid(index as u16);
                let mut host = Host::new([(at, Device::endpoint(1, 1).bar(0, 1 << bits, flags))]);
                let bars = size_bars(&mut host, at).unwrap();
                prop_assert_eq!(bars[0].size, 1 << bits);
                let Ok(placed) = windows.assign(&mut host, at, &bars) else {
                    prop_assert_eq!(space, Space::Io);
                    continue;
                };
                let (from, to) = (placed[0].cpu_address, placed[0].cpu_address + placed[0].mapped_size);
                prop_assert!(from.is_multiple_of(PAGE_SIZE) && to.is_multiple_of(PAGE_SIZE));
                prop_assert!(placed[0].bus_address.is_multiple_of(1 << bits));
                prop_assert!(pages.iter().all(|(start, end)| to <= *start || *end <= from));
                pages.push((from, to));
            }
        }
    }
}

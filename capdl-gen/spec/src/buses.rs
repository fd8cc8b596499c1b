//! Bus numbers behind bridges. The generator and the root task number by this one function, from the places that the
//! system names: what else is plugged into the machine changes no number, and hence no stream.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

/// Device and function of a bridge on the bus it is on.
pub type Step = (u8, u8);

/// Most bridges above a device.
pub const MAX_BRIDGES: usize = 8;

/// A bridge above a device of the system, and the buses behind it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Numbered {
    /// The way to it from the host's first bus; the last is the bridge itself.
    pub path: Vec<Step>,
    /// The bus it is on.
    pub bus: u8,
    /// The bus right behind it.
    pub secondary: u8,
    /// The last bus behind it.
    pub subordinate: u8,
}

/// The bridges of one host do not fit between its first bus and its last.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TooManyBuses {
    /// Buses behind bridges.
    pub needed: usize,
    /// The host's last bus.
    pub last: u8,
}

impl core::fmt::Display for TooManyBuses {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{} buses behind bridges are too many: the host's last is {:02x}", self.needed, self.last)
    }
}

/// The bridges on the ways in `paths`, each before those behind it, with their buses depth first from `first`.
///
/// # Errors
/// [`TooManyBuses`] when the host's last bus does not suffice.
pub fn number_buses<'a>(
    (first, last): (u8, u8),
    paths: impl IntoIterator<Item = &'a [Step]>,
) -> Result<Vec<Numbered>, TooManyBuses> {
    // A way sorts before those that go on from it: their order is that of the walk.
    let ways: BTreeSet<&[Step]> =
        paths.into_iter().flat_map(|path| (1..=path.len()).filter_map(|len| path.get(..len))).collect();
    let error = TooManyBuses { needed: ways.len(), last };
    let mut numbered: Vec<Numbered> = Vec::new();
    for (way, offset) in ways.iter().zip(1usize..) {
        let number = |offset: usize| {
            let bus = usize::from(first).checked_add(offset).and_then(|bus| u8::try_from(bus).ok());
            bus.filter(|bus| *bus <= last).ok_or(error)
        };
        let behind = ways.iter().filter(|other| other.starts_with(way)).count();
        let above = way.split_last().map_or(&[][..], |(_, above)| above);
        let bus = numbered.iter().find(|other| other.path == above).map_or(first, |above| above.secondary);
        let (secondary, subordinate) = (number(offset)?, number(offset + behind - 1)?);
        numbered.push(Numbered { path: way.to_vec(), bus, secondary, subordinate });
    }
    Ok(numbered)
}

/// The bus that a device is on, behind these bridges.
#[must_use]
pub fn bus_behind(numbered: &[Numbered], first: u8, bridges: &[Step]) -> Option<u8> {
    if bridges.is_empty() {
        return Some(first);
    }
    numbered.iter().find(|bridge| bridge.path == bridges).map(|bridge| bridge.secondary)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buses(range: (u8, u8), paths: &[&[Step]]) -> Result<Vec<(u8, u8, u8)>, TooManyBuses> {
        let numbered = number_buses(range, paths.iter().copied())?;
        Ok(numbered.iter().map(|bridge| (bridge.bus, bridge.secondary, bridge.subordinate)).collect())
    }

    #[test]
    fn buses_are_numbered_depth_first_whatever_the_order_of_the_spec() {
        let (port, up, down) = ((1, 0), (0, 0), (1, 0));
        let paths: [&[Step]; 4] = [&[(2, 0)], &[port, up, down], &[port, up, (0, 0)], &[]];
        let expected = std::vec![(0, 1, 4), (1, 2, 4), (2, 3, 3), (2, 4, 4), (0, 5, 5)];
        assert_eq!(buses((0, 255), &paths), Ok(expected.clone()));
        let mut other = paths;
        other.reverse();
        assert_eq!(buses((0, 255), &other), Ok(expected));
        let numbered = number_buses((0, 255), paths).unwrap();
        assert_eq!(bus_behind(&numbered, 0, paths[1]), Some(4));
        assert_eq!(bus_behind(&numbered, 0, &[]), Some(0));
        assert_eq!(bus_behind(&numbered, 0, &[(9, 0)]), None);
    }

    #[test]
    fn a_host_may_begin_anywhere_and_has_a_last_bus() {
        let paths: [&[Step]; 2] = [&[(1, 0)], &[(2, 0)]];
        assert_eq!(buses((0x40, 0x42), &paths), Ok(std::vec![(0x40, 0x41, 0x41), (0x40, 0x42, 0x42)]));
        assert_eq!(buses((0x40, 0x41), &paths), Err(TooManyBuses { needed: 2, last: 0x41 }));
        assert_eq!(buses((0xfe, 0xff), &paths), Err(TooManyBuses { needed: 2, last: 0xff }));
        assert_eq!(buses((0, 0), &[]), Ok(std::vec![]));
    }
}

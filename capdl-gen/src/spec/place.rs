//! `at = "…"`: where a device is.

use std::fmt;

use sluice_spec::{MAX_BRIDGES, Step};

use crate::diagnostic::{At, Problem};

/// Where a device is, as written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Place {
    /// `pci:BB:DD.F`, or `pci:SSSS:BB:DD.F`, and `/DD.F` for what is behind a bridge.
    Pci(PciAddress),
    /// `dt:/path`.
    Node(String),
    /// `alias:NAME`: what the device tree's `/aliases` calls it.
    Alias(String),
}

/// A PCI function.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PciAddress {
    /// Number of the host in device-tree order.
    pub host: u16,
    /// The host's bus.
    pub bus: u8,
    /// The bridges above it, from that bus.
    pub bridges: Vec<Step>,
    /// Device, below 32.
    pub device: u8,
    /// Function, below 8.
    pub function: u8,
}

impl fmt::Display for PciAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host != 0 {
            write!(f, "{:04x}:", self.host)?;
        }
        write!(f, "{:02x}:", self.bus)?;
        self.bridges.iter().try_for_each(|(device, function)| write!(f, "{device:02x}.{function}/"))?;
        write!(f, "{:02x}.{}", self.device, self.function)
    }
}

pub(super) fn read(at: &At<String>) -> Result<At<Place>, Problem> {
    let malformed = |expected: &str| {
        Err(Problem::new(format!("`{}` is no place of a device", at.value)).at(at.span, format!("expected {expected}")))
    };
    let place = match at.value.split_once(':') {
        Some(("pci", address)) if address.contains('/') => {
            let Some(address) = parse_path(address) else {
                return malformed("a path such as \"pci:00:01.0/00.0\"");
            };
            if address.bridges.len() > MAX_BRIDGES {
                return Err(Problem::new(format!("`{}` is behind {} bridges", at.value, address.bridges.len()))
                    .at(at.span, format!("expected {MAX_BRIDGES} at most")));
            }
            Place::Pci(address)
        }
        Some(("pci", address)) => match parse_pci(address) {
            Some(address) => Place::Pci(address),
            None => return malformed("bus, device and function in hexadecimal: \"pci:00:02.0\""),
        },
        Some(("dt", path)) if path.starts_with('/') => Place::Node(path.to_owned()),
        Some(("dt", _)) => return malformed("a full path: \"dt:/path@unit\""),
        Some(("alias", name)) if !name.is_empty() => Place::Alias(name.to_owned()),
        Some(_) | None => return malformed("\"pci:00:02.0\", \"dt:/path@unit\" or \"alias:NAME\""),
    };
    Ok(at.with(place))
}

/// `BB:DD.F` or `SSSS:BB:DD.F`, each part with exactly that many digits.
fn parse_pci(text: &str) -> Option<PciAddress> {
    let (rest, slot) = text.rsplit_once(':')?;
    let (host, bus) = match rest.split_once(':') {
        Some((host, bus)) => (hex(host, 4)?, bus),
        None => (0, rest),
    };
    let (device, function) = parse_slot(slot)?;
    Some(PciAddress { host, bus: u8::try_from(hex(bus, 2)?).ok()?, bridges: Vec::new(), device, function })
}

/// An address, and `/DD.F` for each step behind the bridge before.
fn parse_path(text: &str) -> Option<PciAddress> {
    let (first, rest) = text.split_once('/')?;
    let mut address = parse_pci(first)?;
    for step in rest.split('/') {
        address.bridges.push((address.device, address.function));
        (address.device, address.function) = parse_slot(step)?;
    }
    Some(address)
}

/// `DD.F`.
fn parse_slot(text: &str) -> Option<(u8, u8)> {
    let (device, function) = text.split_once('.')?;
    let device = u8::try_from(hex(device, 2)?).ok().filter(|device| *device < 32)?;
    let function = u8::try_from(hex(function, 1)?).ok().filter(|function| *function < 8)?;
    Some((device, function))
}

/// A hexadecimal number of `digits` digits.
pub(super) fn hex(text: &str, digits: usize) -> Option<u16> {
    let all = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    all.then(|| u16::from_str_radix(text, 16).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pci_addresses_have_fixed_widths_and_ranges() {
        let address =
            |host, bus, device, function| Some(PciAddress { host, bus, bridges: Vec::new(), device, function });
        assert_eq!(parse_pci("00:02.0"), address(0, 0, 2, 0));
        assert_eq!(parse_pci("0001:0a:1f.7"), address(1, 10, 31, 7));
        for bad in ["", "2.0", "00:2.0", "00:20.0", "00:02.8", "00:02", "000:02.0", "00:02.0.0", "x0:02.0", "+0:02.0"] {
            assert_eq!(parse_pci(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_path_goes_through_bridges() {
        let path = parse_path("0001:00:01.0/00.2/1f.7").unwrap();
        assert_eq!((path.host, path.bus, path.device, path.function), (1, 0, 31, 7));
        assert_eq!(path.bridges, [(1, 0), (0, 2)]);
        assert_eq!(path.to_string(), "0001:00:01.0/00.2/1f.7");
        for bad in ["00:01.0/", "/00.0", "00:01.0//00.0", "00:01.0/20.0", "00:01.0/01:00.0", "00:01.0/0.0"] {
            assert_eq!(parse_path(bad), None, "{bad:?}");
        }
    }
}

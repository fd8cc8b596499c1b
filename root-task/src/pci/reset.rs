//! Resets: the best a function has, from function-level reset down to a change of power states.
//!
//! Mastering is turned off first and what is under way is waited for, so that nothing of the last owner reaches memory
//! after the reset. A reset forgets the BARs: they are put back, and the function then decodes nothing and masters
//! nothing until it is told to.

use sluice_platform::PciAddress;

use super::bridge::reset_bus;
use super::capability::{Capability, capabilities};
use super::config::{Access, BAR0, ID};
use super::control::quiesce;

/// PCI Express: device capabilities and, behind it, control and status (PCI Express Base 4.0, 7.5.3).
const DEVICE_CAPABILITIES: u16 = 0x4;
const DEVICE_CONTROL: u16 = 0x8;
const FLR_CAPABLE: u32 = 1 << 28;
const INITIATE_FLR: u32 = 1 << 15;
const TRANSACTIONS_PENDING: u32 = 1 << 21;
/// Bits of the status half that clear when written as one.
const STATUS: u32 = 0xffff_0000;
/// Conventional PCI Advanced Features (ECN, 2006): capabilities in the fourth byte, control and status behind.
const AF_FLR_CAPABLE: u32 = 1 << 25 | 1 << 24;
const AF_CONTROL: u16 = 0x4;
const AF_INITIATE: u32 = 1 << 0;
const AF_PENDING: u32 = 1 << 8;
/// Power management: control and status (PCI Bus Power Management 1.2, 3.2.4).
const POWER_CONTROL: u16 = 0x4;
const POWER_STATE: u32 = 0b11;
const NO_SOFT_RESET: u32 = 1 << 3;

/// Milliseconds a function may take to finish what it has begun, and to answer after a reset (PCI Express Base 4.0, 6.6.2
/// and 2.3.1: 100 ms to a second).
const QUIET_MS: u32 = 100;
const READY_MS: u32 = 100;
const ANSWER_MS: u32 = 1000;
/// Milliseconds between power states (PCI Bus Power Management 1.2, 5.6.1).
const POWER_MS: u32 = 10;

/// How a function can be reset.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reset {
    /// Function-level reset, by the PCI Express capability at this offset.
    Function(u16),
    /// Function-level reset of Advanced Features.
    Advanced(u16),
    /// From D3hot to D0, which resets functions that do not say otherwise.
    Power(u16),
    /// Of the bus behind this bridge, where nothing else is.
    Bus(PciAddress),
}

/// Why a reset did not succeed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ResetError {
    /// The function has none.
    None,
    /// It still waits for answers to what it mastered.
    Busy,
    /// It does not answer any more.
    Silent,
}

impl core::fmt::Display for ResetError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::None => "has no reset",
            Self::Busy => "has transactions that do not end",
            Self::Silent => "does not answer after its reset",
        })
    }
}

/// The best reset of a function; `above` is the bridge that it is alone behind.
pub fn best_reset(access: &impl Access, at: PciAddress, above: Option<PciAddress>) -> Option<Reset> {
    let all = capabilities(access, at);
    let of = |id: u8| all.iter().find(|capability| capability.id == id).map(|capability| capability.offset);
    let express =
        of(Capability::EXPRESS).filter(|offset| access.read(at, offset + DEVICE_CAPABILITIES) & FLR_CAPABLE != 0);
    let advanced =
        of(Capability::ADVANCED).filter(|offset| access.read(at, *offset) & AF_FLR_CAPABLE == AF_FLR_CAPABLE);
    let power = of(Capability::POWER).filter(|offset| access.read(at, offset + POWER_CONTROL) & NO_SOFT_RESET == 0);
    let own = express.map(Reset::Function).or(advanced.map(Reset::Advanced)).or(power.map(Reset::Power));
    own.or(above.map(Reset::Bus))
}

/// Resets a function, and leaves it quiet at the addresses it had. `wait` waits a number of milliseconds.
///
/// # Errors
/// [`ResetError`]; the function masters nothing then either.
pub fn reset(
    access: &mut impl Access,
    at: PciAddress,
    above: Option<PciAddress>,
    mut wait: impl FnMut(u32),
) -> Result<Reset, ResetError> {
    quiesce(access, at);
    let method = best_reset(access, at, above).ok_or(ResetError::None)?;
    let bars: [u32; 6] = core::array::from_fn(|index| access.read(at, bar(index)));
    match method {
        Reset::Function(offset) => {
            settle(access, at, (offset + DEVICE_CONTROL, TRANSACTIONS_PENDING), &mut wait)?;
            let control = access.read(at, offset + DEVICE_CONTROL) & !STATUS;
            access.write(at, offset + DEVICE_CONTROL, control | INITIATE_FLR);
            wait(READY_MS);
        }
        Reset::Advanced(offset) => {
            settle(access, at, (offset + AF_CONTROL, AF_PENDING), &mut wait)?;
            access.write(at, offset + AF_CONTROL, AF_INITIATE);
            wait(READY_MS);
        }
        Reset::Power(offset) => {
            let control = access.read(at, offset + POWER_CONTROL) & !STATUS & !POWER_STATE;
            access.write(at, offset + POWER_CONTROL, control | POWER_STATE);
            wait(POWER_MS);
            access.write(at, offset + POWER_CONTROL, control);
            wait(POWER_MS);
        }
        Reset::Bus(bridge) => {
            reset_bus(access, bridge, &mut wait);
            wait(READY_MS);
        }
    }
    let mut waited = 0;
    while access.read(at, ID) == u32::MAX {
        if waited == ANSWER_MS {
            return Err(ResetError::Silent);
        }
        wait(1);
        waited += 1;
    }
    for (index, value) in bars.into_iter().enumerate() {
        access.write(at, bar(index), value);
    }
    quiesce(access, at);
    Ok(method)
}

fn bar(index: usize) -> u16 {
    BAR0 + 4 * index as u16
}

/// Waits until nothing is pending.
fn settle(
    access: &impl Access,
    at: PciAddress,
    (register, pending): (u16, u32),
    wait: &mut impl FnMut(u32),
) -> Result<(), ResetError> {
    for _ in 0..QUIET_MS {
        if access.read(at, register) & pending == 0 {
            return Ok(());
        }
        wait(1);
    }
    Err(ResetError::Busy)
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::super::config::COMMAND;
    use super::super::fake::{Device, Host};
    use super::*;

    const AT: PciAddress = PciAddress::from_rid(0x10);

    fn host(words: &[(u16, u32)]) -> Host {
        let mut device = Device::endpoint(0x1b36, 0x0010).bar(0, 0x4000, 0b100);
        device.set(COMMAND, 1 << 20 | 0x0006);
        device.set(0x34, 0x40);
        words.iter().for_each(|(register, word)| device.set(*register, *word));
        let mut host = Host::new([(AT, device)]);
        host.write(AT, BAR0, 0x1000_0000);
        host.writes.clear();
        host
    }

    fn master_is_off_before(host: &Host, register: u16) -> bool {
        let off = host.writes.iter().position(|(_, at, value)| *at == COMMAND && value & 0b111 == 0);
        let initiated = host.writes.iter().position(|(_, at, _)| *at == register);
        off < initiated && off.is_some()
    }

    #[test]
    fn the_best_there_is_is_taken() {
        let express = [(0x40, 0x6010), (0x44, FLR_CAPABLE), (0x60, 0x7013 | 0x0300_0000), (0x70, 0x01), (0x74, 0)];
        assert_eq!(best_reset(&host(&express), AT, None), Some(Reset::Function(0x40)));
        let without = [(0x40, 0x6010), (0x44, 0), (0x60, 0x7013 | 0x0300_0000), (0x70, 0x01), (0x74, 0)];
        assert_eq!(best_reset(&host(&without), AT, None), Some(Reset::Advanced(0x60)));
        let power = [(0x40, 0x6010), (0x44, 0), (0x60, 0x7013), (0x70, 0x01), (0x74, 0)];
        assert_eq!(best_reset(&host(&power), AT, None), Some(Reset::Power(0x70)));
        let nothing = [(0x40, 0x01), (0x44, NO_SOFT_RESET)];
        assert_eq!(best_reset(&host(&nothing), AT, None), None);
    }

    #[test]
    fn a_function_is_quiet_first_and_keeps_its_addresses() {
        let mut host = host(&[(0x40, 0x10), (0x44, FLR_CAPABLE), (0x48, 0x2810)]);
        let mut waited = 0;
        assert_eq!(reset(&mut host, AT, None, |ms| waited += ms), Ok(Reset::Function(0x40)));
        assert!(host.writes.contains(&(AT, 0x48, 0x2810 | INITIATE_FLR)), "{:x?}", host.writes);
        assert!(master_is_off_before(&host, 0x48));
        assert_eq!(waited, READY_MS);
        assert!(host.writes.contains(&(AT, BAR0, 0x1000_0004)), "{:x?}", host.writes);
        assert_eq!(host.read(AT, COMMAND) & 0b111, 0);
    }

    #[test]
    fn power_states_change_twice() {
        let mut host = host(&[(0x40, 0x01), (0x44, 0x8100)]);
        assert_eq!(reset(&mut host, AT, None, |_| ()), Ok(Reset::Power(0x40)));
        let states: Vec<u32> =
            host.writes.iter().filter(|(_, at, _)| *at == 0x44).map(|(.., value)| value & 3).collect();
        assert_eq!(states, [3, 0]);
        assert!(master_is_off_before(&host, 0x44));
    }

    #[test]
    fn what_does_not_settle_is_not_reset() {
        let mut host = host(&[(0x40, 0x10), (0x44, FLR_CAPABLE), (0x48, TRANSACTIONS_PENDING)]);
        let mut waited = 0;
        assert_eq!(reset(&mut host, AT, None, |ms| waited += ms), Err(ResetError::Busy));
        assert_eq!(waited, QUIET_MS);
        assert!(host.writes.iter().all(|(_, at, _)| *at != 0x48));
        assert_eq!(host.read(AT, COMMAND) & 0b111, 0, "and it masters nothing");
    }

    #[test]
    fn the_bus_is_reset_where_the_function_has_no_reset_of_its_own() {
        let bridge = PciAddress::from_rid(0x8);
        let mut function = Device::endpoint(0x1234, 0x11e8).bar(0, 0x4000, 0);
        function.set(COMMAND, 0x0006);
        let mut host = Host::new([(bridge, Device::port(4, true)), (AT, function)]);
        host.write(AT, BAR0, 0x1000_0000);
        host.writes.clear();
        assert_eq!(reset(&mut host, AT, Some(bridge), |_| ()), Ok(Reset::Bus(bridge)));
        let control: Vec<u32> = host
            .writes
            .iter()
            .filter(|(at, register, _)| (*at, *register) == (bridge, 0x3c))
            .map(|write| write.2)
            .collect();
        assert_eq!(control, [0x0040_0100, 0x0000_0100], "held, and let go");
        assert!(master_is_off_before(&host, 0x3c));
        assert!(host.writes.contains(&(AT, BAR0, 0x1000_0000)), "{:x?}", host.writes);
        assert_eq!(best_reset(&self::host(&[(0x34, 0)]), AT, None), None);
    }

    #[test]
    fn without_a_way_nothing_but_mastering_changes() {
        let mut host = host(&[(0x34, 0)]);
        assert_eq!(reset(&mut host, AT, None, |_| ()), Err(ResetError::None));
        assert_eq!(host.read(AT, COMMAND) & 0b111, 0);
    }
}

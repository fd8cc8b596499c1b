//! The secure side of an SMMU (IHI 0070, 3.10.2), for a kernel that finds no firmware at EL3.
//!
//! Streams of secure devices have their own tables, queues and default, out of the kernel's reach once it is at EL2. They are
//! never used: the side stays down, and aborts.

use sluice_abi::PhysAddr;

/// Registers as secure software sees them.
pub trait SecureBus {
    /// Reads a 32-bit register.
    fn read32(&self, at: PhysAddr) -> u32;
    /// Writes a 32-bit register.
    fn write32(&self, at: PhysAddr, value: u32);
}

/// A register did not acknowledge, by its offset.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Unacknowledged(pub u64);

/// SMMU_CR0 and SMMU_S_CR0 with its acknowledgement (IHI 0070, 6.3.9).
const CR0: u64 = 0x20;
const S_CR0: u64 = 0x8020;
const S_CR0ACK: u64 = 0x8024;
const SMMUEN: u32 = 1;
/// SMMU_S_IDR1 (6.3.54): whether there is a secure side.
const S_IDR1: u64 = 0x8004;
const SECURE_IMPL: u32 = 1 << 31;
/// SMMU_S_INIT (6.3.61): one bit that forgets everything cached for any stream.
const S_INIT: u64 = 0x803c;
const INV_ALL: u32 = 1;
/// SMMU_S_GBPA: what becomes of secure streams while the side is down; written as its non-secure twin (6.3.14).
const S_GBPA: u64 = 0x8044;
const ABORT: u32 = 1 << 20;
const UPDATE: u32 = 1 << 31;
/// Looks at a register before giving it up.
const POLLS: u32 = 1 << 20;

/// Has every secure stream abort, and the SMMU forget what it has cached; whether there is a secure side.
///
/// To be called before the SMMU is enabled: INV_ALL may be set only while both sides are down.
///
/// # Errors
/// When a register does not acknowledge.
pub fn shut_secure_side(bus: &impl SecureBus, base: PhysAddr) -> Result<bool, Unacknowledged> {
    let read = |register| bus.read32(base.offset(register));
    let write = |register, value| bus.write32(base.offset(register), value);
    let wait =
        |register, mask| (0..POLLS).find(|_| read(register) & mask == 0).map(|_| ()).ok_or(Unacknowledged(register));
    if read(S_IDR1) & SECURE_IMPL == 0 {
        return Ok(false);
    }
    // The default first: it decides from the moment SMMUEN is 0.
    wait(S_GBPA, UPDATE)?;
    write(S_GBPA, read(S_GBPA) | ABORT | UPDATE);
    wait(S_GBPA, UPDATE)?;
    write(S_CR0, 0);
    wait(S_CR0ACK, SMMUEN)?;
    if read(CR0) & SMMUEN == 0 {
        write(S_INIT, INV_ALL);
        wait(S_INIT, INV_ALL)?;
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::cell::RefCell;
    use std::collections::BTreeMap;
    use std::vec::Vec;

    use super::*;

    const BASE: u64 = 0x2b40_0000;

    /// Registers that acknowledge at once, but for one, and the writes in order.
    struct Registers {
        values: RefCell<BTreeMap<u64, u32>>,
        writes: RefCell<Vec<(u64, u32)>>,
        stuck: Option<u64>,
    }

    impl Registers {
        fn new(values: &[(u64, u32)], stuck: Option<u64>) -> Self {
            let values = values.iter().copied().collect();
            Self { values: RefCell::new(values), writes: RefCell::default(), stuck }
        }
    }

    impl SecureBus for Registers {
        fn read32(&self, at: PhysAddr) -> u32 {
            let register = at.0 - BASE;
            let value = self.values.borrow().get(&register).copied().unwrap_or(0);
            if self.stuck == Some(register) { u32::MAX } else { value }
        }

        fn write32(&self, at: PhysAddr, value: u32) {
            let register = at.0 - BASE;
            self.writes.borrow_mut().push((register, value));
            let kept = match register {
                S_GBPA => value & !UPDATE,
                S_INIT => 0,
                _ => value,
            };
            self.values.borrow_mut().insert(register, kept);
            if register == S_CR0 {
                self.values.borrow_mut().insert(S_CR0ACK, value);
            }
        }
    }

    fn shut(registers: &Registers) -> Result<bool, Unacknowledged> {
        shut_secure_side(registers, PhysAddr(BASE))
    }

    #[test]
    fn secure_streams_abort_before_the_side_goes_down_and_everything_is_forgotten_after() {
        let registers = Registers::new(&[(S_IDR1, SECURE_IMPL), (S_CR0, 1), (S_CR0ACK, 1), (S_GBPA, 0x3)], None);
        assert_eq!(shut(&registers), Ok(true));
        let wanted = [(S_GBPA, 0x3 | ABORT | UPDATE), (S_CR0, 0), (S_INIT, INV_ALL)];
        assert_eq!(*registers.writes.borrow(), wanted);
    }

    #[test]
    fn nothing_is_written_where_there_is_no_secure_side() {
        let registers = Registers::new(&[], None);
        assert_eq!(shut(&registers), Ok(false));
        assert!(registers.writes.borrow().is_empty());
    }

    #[test]
    fn an_smmu_that_is_up_is_not_told_to_forget() {
        let registers = Registers::new(&[(S_IDR1, SECURE_IMPL), (CR0, SMMUEN)], None);
        assert_eq!(shut(&registers), Ok(true));
        assert!(registers.writes.borrow().iter().all(|(register, _)| *register != S_INIT));
    }

    #[test]
    fn a_register_that_does_not_settle_is_named() {
        for register in [S_GBPA, S_CR0ACK, S_INIT] {
            let registers = Registers::new(&[(S_IDR1, SECURE_IMPL)], Some(register));
            assert_eq!(shut(&registers), Err(Unacknowledged(register)));
        }
    }
}

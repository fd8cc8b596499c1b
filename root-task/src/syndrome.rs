//! What an exception syndrome says (DDI 0487, D24.2.40 ESR_ELx).
//!
//! For the reader of a console: the kernel passes the register on as it was, and nobody should need the manual to see
//! whether a component fetched from where nothing is or wrote to what it may only read.

use core::fmt;

/// The value of ESR_EL2.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Syndrome(pub u64);

/// What a thread did when memory refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// It loaded.
    Load,
    /// It stored, or cleaned a cache as if it did.
    Store,
    /// It was to execute what is there.
    Fetch,
}

impl Syndrome {
    /// EC, bits 31:26.
    const fn class(self) -> u64 {
        self.0 >> 26 & 0x3f
    }

    /// The access of a data or instruction abort; `None` for other exceptions.
    #[must_use]
    pub const fn access(self) -> Option<Access> {
        const STORE: u64 = 1 << 6;
        match self.class() {
            0x20 | 0x21 => Some(Access::Fetch),
            0x24 | 0x25 if self.0 & STORE != 0 => Some(Access::Store),
            0x24 | 0x25 => Some(Access::Load),
            _ => None,
        }
    }

    /// Why memory refused: the fault status code, bits 5:0, of an abort.
    fn refusal(self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (status, level) = (self.0 & 0x3f, self.0 & 0b11);
        match status {
            0x00..0x04 => write!(f, "the address is too large (address size fault, level {level})"),
            0x04..0x08 => write!(f, "nothing is mapped there (translation fault, level {level})"),
            0x08..0x0c => write!(f, "the entry was never used (access flag fault, level {level})"),
            0x0c..0x10 => write!(f, "it is mapped without that right (permission fault, level {level})"),
            0x10 => f.write_str("the bus refused (external abort)"),
            0x14..0x18 => write!(f, "the bus refused a table (external abort on a walk, level {level})"),
            0x21 => f.write_str("the address is not aligned (alignment fault)"),
            0x30 => f.write_str("two entries of the TLB fit (TLB conflict)"),
            0x34 | 0x35 => f.write_str("the memory is not for such an access (exclusive or lockdown)"),
            _ => write!(f, "for a reason of its own (fault status {status:#x})"),
        }
    }
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Load => "loads from",
            Self::Store => "stores to",
            Self::Fetch => "fetches from",
        })
    }
}

impl fmt::Display for Syndrome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.class() {
            0x00 => f.write_str("executes an undefined instruction"),
            0x01 => f.write_str("executes a trapped WFI or WFE"),
            0x07 => f.write_str("uses floating point or vectors where they trap"),
            0x0d => f.write_str("branches to no landing pad"),
            0x0e => f.write_str("executes in an illegal state"),
            0x11 | 0x15 => f.write_str("makes a system call in the wrong place"),
            0x12 | 0x16 => f.write_str("executes a hypervisor call"),
            0x13 | 0x17 => f.write_str("executes a call of secure firmware"),
            0x18 => f.write_str("accesses a system register that is not for it"),
            0x19 => f.write_str("uses scalable vectors where they trap"),
            0x20 | 0x21 | 0x24 | 0x25 => self.refusal(f),
            0x22 => f.write_str("branches to an address that is not aligned"),
            0x26 => f.write_str("uses a stack pointer that is not aligned"),
            0x28 | 0x2c => f.write_str("takes a floating-point exception"),
            0x2f => f.write_str("takes an SError"),
            0x30 | 0x31 => f.write_str("hits a breakpoint of the debug registers"),
            0x32 | 0x33 => f.write_str("takes a single step"),
            0x34 | 0x35 => f.write_str("hits a watchpoint"),
            0x38 | 0x3c => write!(f, "executes breakpoint instruction {:#x}", self.0 & 0xffff),
            class => write!(f, "takes an exception of class {class:#x}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::string::ToString;

    use super::*;

    fn abort(class: u64, rest: u64) -> Syndrome {
        Syndrome(class << 26 | 1 << 25 | rest)
    }

    #[test]
    fn aborts_say_access_and_reason() {
        for (syndrome, access, part) in [
            (Syndrome(0x9200_0046), Access::Store, "nothing is mapped there (translation fault, level 2)"),
            (Syndrome(0x9200_0007), Access::Load, "translation fault, level 3"),
            (abort(0x24, 1 << 6 | 0x0f), Access::Store, "permission fault, level 3"),
            (abort(0x20, 0x05), Access::Fetch, "translation fault, level 1"),
            (abort(0x20, 0x0e), Access::Fetch, "permission fault, level 2"),
            (abort(0x25, 0x21), Access::Load, "alignment fault"),
            (abort(0x24, 0x00), Access::Load, "address size fault, level 0"),
            (abort(0x24, 0x0b), Access::Load, "access flag fault, level 3"),
            (abort(0x24, 0x10), Access::Load, "external abort"),
            (abort(0x24, 0x17), Access::Load, "on a walk, level 3"),
            (abort(0x24, 0x30), Access::Load, "TLB conflict"),
            (abort(0x24, 0x35), Access::Load, "exclusive"),
            (abort(0x24, 0x3e), Access::Load, "fault status 0x3e"),
        ] {
            assert_eq!(syndrome.access(), Some(access), "{syndrome:?}");
            assert!(syndrome.to_string().contains(part), "{syndrome}");
        }
    }

    #[test]
    fn other_classes_are_named_and_are_no_accesses() {
        for (class, part) in [
            (0x00, "undefined instruction"),
            (0x07, "floating point"),
            (0x0e, "illegal state"),
            (0x16, "hypervisor call"),
            (0x17, "secure firmware"),
            (0x18, "system register"),
            (0x22, "branches to an address that is not aligned"),
            (0x26, "stack pointer"),
            (0x2f, "SError"),
            (0x3f, "class 0x3f"),
        ] {
            let syndrome = abort(class, 0);
            assert!(syndrome.to_string().contains(part), "{syndrome}");
            assert_eq!(syndrome.access(), None);
        }
        assert!(abort(0x3c, 0xf000).to_string().ends_with("breakpoint instruction 0xf000"));
    }

    #[test]
    fn every_word_reads_and_bits_beyond_the_class_change_nothing() {
        for class in 0..64 {
            for status in 0..64 {
                let syndrome = abort(class, status);
                assert!(!syndrome.to_string().is_empty());
                assert_eq!(Syndrome(syndrome.0 | 0xffff_ffff << 32).to_string(), syndrome.to_string());
            }
        }
    }
}

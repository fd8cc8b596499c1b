//! Registers and in-memory structures, each declared once (IHI 0070, chapters 4 to 7).
//!
//! Field positions are checked against the document's bit numbers at compile time. The software SMMU of the tests
//! shares these declarations and nothing else of the driver.

#[expect(missing_docs, reason = "register_bitfields! adds undocumented items beside the documented fields")]
mod cd;
#[expect(missing_docs, reason = "register_bitfields! adds undocumented items beside the documented fields")]
mod command;
#[expect(missing_docs, reason = "register_bitfields! adds undocumented items beside the documented fields")]
mod event;
#[expect(missing_docs, reason = "register_bitfields! adds undocumented items beside the documented fields")]
mod identity;
#[expect(missing_docs, reason = "register_bitfields! adds undocumented items beside the documented fields")]
mod mmio;
#[expect(missing_docs, reason = "register_bitfields! adds undocumented items beside the documented fields")]
mod ste;

pub use cd::{CD0, CD1, CD2, CD3, L1CD, s1dss, s1fmt};
pub use command::{CMD0_CFGI, CMD0_RESUME, CMD0_SYNC, CMD0_TLBI, CMD1_CFGI, CMD1_RESUME, CMD1_TLBI, opcode};
pub use event::{EVT0, EVT1, EVT3, kind};
pub use identity::{AIDR, IDR0, IDR1, IDR3, IDR5};
pub use mmio::{
    CMDQ_CONS, CR0, CR1, CR2, EVENTQ_INDEX, GBPA, GERROR, IRQ_CTRL, MEMORY_CACHED, MEMORY_INNER_SHAREABLE,
    MEMORY_OUTER_SHAREABLE, QUEUE_BASE, STRTAB_BASE, STRTAB_BASE_CFG, offset,
};
pub use ste::{L1STD, STE0, STE1, STE2, STE3, config};

/// Asserts that a field sits at the bits the document gives, counted from the start of its structure.
macro_rules! pin {
    ($word:literal: $($register:ident :: $field:ident = $high:literal : $low:literal),+ $(,)?) => {
        const _: () = {
            $(
                assert!($register::$field.shift == $low - 64 * $word);
                assert!($register::$field.mask.count_ones() == $high - $low + 1);
                assert!($register::$field.mask.trailing_ones() == $high - $low + 1);
            )+
        };
    };
}
use pin;

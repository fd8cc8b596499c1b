//! Event records: four 64-bit words each (IHI 0070, 7.3).

use tock_registers::register_bitfields;

use super::pin;

/// Event numbers that the interface does not list because no Sluice configuration produces them.
pub mod kind {
    /// Fetching the VM structure failed (7.3.20).
    pub const F_VMS_FETCH: u64 = 0x25;
}

register_bitfields! { u64,
    /// Bits 63:0, the same in every record.
    pub EVT0 [
        /// Event number.
        KIND OFFSET(0) NUMBITS(8) [],
        /// The substream number is valid.
        SSV OFFSET(11) NUMBITS(1) [],
        /// SubstreamID.
        SSID OFFSET(12) NUMBITS(20) [],
        /// StreamID.
        SID OFFSET(32) NUMBITS(32) []
    ],
    /// Bits 127:64 of records about a transaction.
    pub EVT1 [
        /// Tag of the stalled transaction.
        STAG OFFSET(0) NUMBITS(16) [],
        /// The transaction waits for a decision.
        STALL OFFSET(31) NUMBITS(1) [],
        /// Privileged.
        PNU OFFSET(33) NUMBITS(1) [],
        /// Instruction fetch.
        IND OFFSET(34) NUMBITS(1) [],
        /// Read.
        RNW OFFSET(35) NUMBITS(1) [],
        /// Stage 2 faulted.
        S2 OFFSET(39) NUMBITS(1) [],
        /// What was being done.
        CLASS OFFSET(40) NUMBITS(2) []
    ],
    /// Bits 255:192 of translation faults. Other records have a physical address here.
    pub EVT3 [
        /// Intermediate address bits 55:12.
        IPA OFFSET(12) NUMBITS(44) [],
        /// FetchAddr, of failed fetches: physical address bits 55:3.
        FETCH OFFSET(3) NUMBITS(53) []
    ]
}

pin!(0: EVT0::KIND = 7:0, EVT0::SSV = 11:11, EVT0::SSID = 31:12, EVT0::SID = 63:32);
pin!(1: EVT1::STAG = 79:64, EVT1::STALL = 95:95, EVT1::PNU = 97:97, EVT1::IND = 98:98, EVT1::RNW = 99:99, EVT1::S2 = 103:103,
    EVT1::CLASS = 105:104);
pin!(3: EVT3::IPA = 247:204, EVT3::FETCH = 247:195);

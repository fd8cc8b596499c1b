//! Type tags of capabilities, as `DebugCapIdentify` reports them and the first word of a capability holds them.

use crate::numbered::numbered;

numbered! {
    /// Kind of a capability.
    #[expect(missing_docs, reason = "each is the capability to the object of its name")]
    pub enum CapTag: u8 {
        Null = 0,
        Frame = 1,
        Untyped = 2,
        PageTable = 3,
        Endpoint = 4,
        Notification = 6,
        Reply = 8,
        VSpace = 9,
        CNode = 10,
        AsidControl = 11,
        Thread = 12,
        AsidPool = 13,
        IrqControl = 14,
        Vcpu = 15,
        IrqHandler = 16,
        SidControl = 17,
        Zombie = 18,
        Sid = 19,
        Domain = 20,
        CbControl = 21,
        Cb = 23,
        SgiSignal = 27,
        /// Sluice's own: a second-level stream table.
        StreamTable = 29,
    }
}

/// Data word of a CNode capability (`CNode_Mint`, `TCB_SetSpace`): guard bits 5:0, guard 63:6.
#[must_use]
pub const fn cnode_data(guard: u64, guard_bits: u32) -> u64 {
    guard << 6 | guard_bits as u64
}

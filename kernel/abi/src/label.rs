//! Invocation labels: what a message to a kernel object asks for.

use crate::numbered::numbered;

numbered! {
    /// A label of the hypervisor configuration with SMMU objects; 68 and up are Sluice's.
    ///
    /// Which object an invocation belongs to is the first word of its name; arguments are in the ABI reference.
    pub enum Label: u64 {
        /// No invocation.
        InvalidInvocation = 0,
        /// `Untyped_Retype`.
        UntypedRetype = 1,
        /// `TCB_ReadRegisters`.
        TcbReadRegisters = 2,
        /// `TCB_WriteRegisters`.
        TcbWriteRegisters = 3,
        /// `TCB_CopyRegisters`.
        TcbCopyRegisters = 4,
        /// `TCB_Configure`.
        TcbConfigure = 5,
        /// `TCB_SetPriority`.
        TcbSetPriority = 6,
        /// `TCB_SetMCPriority`.
        TcbSetMcPriority = 7,
        /// `TCB_SetSchedParams`.
        TcbSetSchedParams = 8,
        /// `TCB_SetIPCBuffer`.
        TcbSetIpcBuffer = 9,
        /// `TCB_SetSpace`.
        TcbSetSpace = 10,
        /// `TCB_Suspend`.
        TcbSuspend = 11,
        /// `TCB_Resume`.
        TcbResume = 12,
        /// `TCB_BindNotification`.
        TcbBindNotification = 13,
        /// `TCB_UnbindNotification`.
        TcbUnbindNotification = 14,
        /// `TCB_SetTLSBase`.
        TcbSetTlsBase = 15,
        /// `TCB_SetFlags`.
        TcbSetFlags = 16,
        /// `CNode_Revoke`.
        CNodeRevoke = 17,
        /// `CNode_Delete`.
        CNodeDelete = 18,
        /// `CNode_CancelBadgedSends`.
        CNodeCancelBadgedSends = 19,
        /// `CNode_Copy`.
        CNodeCopy = 20,
        /// `CNode_Mint`.
        CNodeMint = 21,
        /// `CNode_Move`.
        CNodeMove = 22,
        /// `CNode_Mutate`.
        CNodeMutate = 23,
        /// `CNode_Rotate`.
        CNodeRotate = 24,
        /// `CNode_SaveCaller`.
        CNodeSaveCaller = 25,
        /// `IRQControl_Get`.
        IrqControlGet = 26,
        /// `IRQHandler_Ack`.
        IrqHandlerAck = 27,
        /// `IRQHandler_SetNotification`.
        IrqHandlerSetNotification = 28,
        /// `IRQHandler_Clear`.
        IrqHandlerClear = 29,
        /// `DomainSet_Set`.
        DomainSetSet = 30,
        /// `DomainSet_ScheduleConfigure`.
        DomainScheduleConfigure = 31,
        /// `DomainSet_ScheduleSetStart`.
        DomainScheduleSetStart = 32,
        /// `ARM_VSpace_Clean_Data`.
        VSpaceCleanData = 33,
        /// `ARM_VSpace_Invalidate_Data`.
        VSpaceInvalidateData = 34,
        /// `ARM_VSpace_CleanInvalidate_Data`.
        VSpaceCleanInvalidateData = 35,
        /// `ARM_VSpace_Unify_Instruction`.
        VSpaceUnifyInstruction = 36,
        /// `ARM_SMC_Call`.
        SmcCall = 37,
        /// `ARM_PageTable_Map`.
        PageTableMap = 38,
        /// `ARM_PageTable_Unmap`.
        PageTableUnmap = 39,
        /// `ARM_Page_Map`.
        PageMap = 40,
        /// `ARM_Page_Unmap`.
        PageUnmap = 41,
        /// `ARM_Page_Clean_Data`.
        PageCleanData = 42,
        /// `ARM_Page_Invalidate_Data`.
        PageInvalidateData = 43,
        /// `ARM_Page_CleanInvalidate_Data`.
        PageCleanInvalidateData = 44,
        /// `ARM_Page_Unify_Instruction`.
        PageUnifyInstruction = 45,
        /// `ARM_Page_GetAddress`.
        PageGetAddress = 46,
        /// `ARM_ASIDControl_MakePool`.
        AsidControlMakePool = 47,
        /// `ARM_ASIDPool_Assign`.
        AsidPoolAssign = 48,
        /// `ARM_VCPU_SetTCB`.
        VcpuSetTcb = 49,
        /// `ARM_VCPU_InjectIRQ`.
        VcpuInjectIrq = 50,
        /// `ARM_VCPU_ReadRegs`.
        VcpuReadReg = 51,
        /// `ARM_VCPU_WriteRegs`.
        VcpuWriteReg = 52,
        /// `ARM_VCPU_AckVPPI`.
        VcpuAckVppi = 53,
        /// `IRQControl_GetTrigger`.
        IrqControlGetTrigger = 54,
        /// `IRQControl_IssueSGISignal`.
        IrqControlIssueSgiSignal = 55,
        /// `ARM_SIDControl_GetSID`.
        SidControlGetSid = 56,
        /// `ARM_SIDControl_GetFault`.
        SidControlGetFault = 57,
        /// `ARM_SIDControl_ClearFault`.
        SidControlClearFault = 58,
        /// `ARM_SID_BindCB`.
        SidBindCb = 59,
        /// `ARM_SID_UnbindCB`.
        SidUnbindCb = 60,
        /// `ARM_CBControl_GetCB`.
        CbControlGetCb = 61,
        /// `ARM_CBControl_TLBInvalidateAll`.
        CbControlTlbInvalidateAll = 62,
        /// `ARM_CB_AssignVspace`.
        CbAssignVspace = 63,
        /// `ARM_CB_UnassignVspace`.
        CbUnassignVspace = 64,
        /// `ARM_CB_TLBInvalidate`.
        CbTlbInvalidate = 65,
        /// `ARM_CB_CBGetFault`.
        CbGetFault = 66,
        /// `ARM_CB_CBClearFault`.
        CbClearFault = 67,
        /// `SIDControl_MapStreamTable` (Sluice).
        SidControlMapStreamTable = 68,
        /// `SIDControl_GetEventq` (Sluice).
        SidControlGetEventq = 69,
        /// `SIDControl_SkipCmdqError` (Sluice).
        SidControlSkipCmdqError = 70,
        /// `SIDControl_InitSMMU` (Sluice).
        SidControlInitSmmu = 71,
        /// `SIDControl_DisableSMMU` (Sluice).
        SidControlDisableSmmu = 72,
        /// `SID_SetFaultHandler` (Sluice).
        SidSetFaultHandler = 73,
        /// `SID_GetFault` (Sluice).
        SidGetFault = 74,
        /// `SID_ClearFault` (Sluice).
        SidClearFault = 75,
        /// `CB_AssignCDTable` (Sluice).
        CbAssignCdTable = 76,
        /// `CB_UnassignCDTable` (Sluice).
        CbUnassignCdTable = 77,
        /// `CB_InvalidateStage1` (Sluice).
        CbInvalidateStage1 = 78,
        /// `SIDControl_BypassStream` (Sluice).
        SidControlBypassStream = 79,
        /// `VCPU_ForwardIRQ` (Sluice).
        VcpuForwardIrq = 80,
        /// `VCPU_TakeBackIRQ` (Sluice).
        VcpuTakeBackIrq = 81,
    }
}

impl Label {
    /// The label with this number.
    #[must_use]
    pub fn from_word(word: u64) -> Option<Self> {
        Self::ALL.get(usize::try_from(word).ok()?).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_positions() {
        for (number, label) in Label::ALL.into_iter().enumerate() {
            assert_eq!(label as usize, number);
        }
    }
}

//! Register file (IHI 0070, 6.3).

use sluice_smmu::regs::{CR0, GBPA, GERROR, offset};

use crate::state::State;
use crate::{Faults, Identity, Model};

#[derive(Default)]
pub(crate) struct Registers {
    pub(crate) identity: Identity,
    pub(crate) cr0: u32,
    cr0ack: u32,
    pub(crate) cr1: u32,
    pub(crate) cr2: u32,
    pub(crate) gbpa: u32,
    irq_ctrl: u32,
    pub(crate) gerror: u32,
    pub(crate) gerrorn: u32,
    pub(crate) strtab_base: u64,
    pub(crate) strtab_cfg: u32,
    pub(crate) cmdq_base: u64,
    pub(crate) cmdq_prod: u32,
    pub(crate) cmdq_cons: u32,
    pub(crate) eventq_base: u64,
    pub(crate) eventq_prod: u32,
    pub(crate) eventq_cons: u32,
}

impl Registers {
    pub(crate) fn reset(identity: Identity) -> Self {
        Self { identity, ..Self::default() }
    }

    /// Whether the stream table decides.
    pub(crate) fn enabled(&self) -> bool {
        CR0::SMMUEN.is_set(self.cr0ack)
    }

    pub(crate) fn bypassed(&self) -> bool {
        !self.enabled() && !GBPA::ABORT.is_set(self.gbpa)
    }

    pub(crate) fn commands_run(&self) -> bool {
        CR0::CMDQEN.is_set(self.cr0ack) && !GERROR::CMDQ.is_set(self.gerror ^ self.gerrorn)
    }

    pub(crate) fn events_run(&self) -> bool {
        CR0::EVENTQEN.is_set(self.cr0ack)
    }

    pub(crate) fn raise(&mut self, error: u32) {
        let inactive = error & !(self.gerror ^ self.gerrorn);
        self.gerror ^= inactive;
    }

    pub(crate) fn read32(&self, register: u64) -> u32 {
        let identity = self.identity;
        match register {
            offset::IDR0 => identity.idr0,
            offset::IDR1 => identity.idr1,
            offset::IDR3 => identity.idr3,
            offset::IDR5 => identity.idr5,
            offset::AIDR => identity.aidr,
            offset::CR0 => self.cr0,
            offset::CR0ACK => self.cr0ack,
            offset::CR1 => self.cr1,
            offset::CR2 => self.cr2,
            offset::GBPA => self.gbpa,
            offset::IRQ_CTRL | offset::IRQ_CTRLACK => self.irq_ctrl,
            offset::GERROR => self.gerror,
            offset::GERRORN => self.gerrorn,
            offset::STRTAB_BASE_CFG => self.strtab_cfg,
            offset::CMDQ_PROD => self.cmdq_prod,
            offset::CMDQ_CONS => self.cmdq_cons,
            offset::EVENTQ_PROD => self.eventq_prod,
            offset::EVENTQ_CONS => self.eventq_cons,
            other => panic!("read of register {other:#x}"),
        }
    }

    pub(crate) fn read64(&self, register: u64) -> u64 {
        match register {
            offset::STRTAB_BASE => self.strtab_base,
            other => panic!("64-bit read of register {other:#x}"),
        }
    }

    fn write32(&mut self, register: u64, value: u32, faults: Faults) {
        let queue_off = |enabled: bool, name| assert!(!enabled, "{name} written while its queue is enabled");
        match register {
            offset::CR0 => {
                self.cr0 = value;
                if !faults.cr0_stuck {
                    self.cr0ack = value;
                }
            }
            offset::CR1 => self.cr1 = value,
            offset::CR2 => self.cr2 = value,
            offset::GBPA => {
                if GBPA::UPDATE.is_set(value) && !GBPA::UPDATE.is_set(self.gbpa) {
                    let keep = if faults.gbpa_stuck { u32::MAX } else { !GBPA::UPDATE.val(1).value };
                    self.gbpa = value & keep;
                }
            }
            offset::IRQ_CTRL => self.irq_ctrl = value,
            offset::GERRORN => self.gerrorn = value,
            offset::STRTAB_BASE_CFG => {
                assert!(!self.enabled(), "stream table changed while enabled");
                self.strtab_cfg = value;
            }
            offset::CMDQ_PROD => self.cmdq_prod = value,
            offset::CMDQ_CONS => {
                queue_off(CR0::CMDQEN.is_set(self.cr0ack), "CMDQ_CONS");
                self.cmdq_cons = value;
            }
            offset::EVENTQ_PROD => {
                queue_off(self.events_run(), "EVENTQ_PROD");
                self.eventq_prod = value;
            }
            offset::EVENTQ_CONS => self.eventq_cons = value,
            other => panic!("write of register {other:#x}"),
        }
    }

    fn write64(&mut self, register: u64, value: u64) {
        match register {
            offset::STRTAB_BASE => {
                assert!(!self.enabled(), "stream table moved while enabled");
                self.strtab_base = value;
            }
            offset::CMDQ_BASE => {
                assert!(!CR0::CMDQEN.is_set(self.cr0ack), "command queue moved while enabled");
                self.cmdq_base = value;
            }
            offset::EVENTQ_BASE => {
                assert!(!self.events_run(), "event queue moved while enabled");
                self.eventq_base = value;
            }
            offset::GERROR_IRQ_CFG0 | offset::EVENTQ_IRQ_CFG0 => assert_eq!(value, 0, "messages are not modelled"),
            other => panic!("64-bit write of register {other:#x}"),
        }
    }
}

impl Model {
    pub(crate) fn register_write32(&self, register: u64, value: u32) {
        let state: &mut State = &mut self.state.borrow_mut();
        state.registers.write32(register, value, self.faults.get());
        if matches!(register, offset::CMDQ_PROD | offset::GERRORN | offset::CR0) {
            state.run_commands(self.faults.get());
        }
    }

    pub(crate) fn register_write64(&self, register: u64, value: u64) {
        self.state.borrow_mut().registers.write64(register, value);
    }
}

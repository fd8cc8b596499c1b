//! Changes of a controller's readiness (7.3.2, 7.6), and whether it is still there.

use sluice_abi::Iova;
use tock_registers::LocalRegisterCopy;

use crate::error::Error;
use crate::hardware::{Clock, Registers};
use crate::layout;
use crate::registers::{self, AdminQueues, Capabilities, Config, State};

/// Longest time a normal shutdown may take.
const SHUTDOWN_MS: u64 = 5_000;

/// Whether the controller is there and not in a fatal state.
pub(crate) fn check_alive(registers: &impl Registers) -> Result<(), Error> {
    if state(registers)?.is_set(State::CFS) { Err(Error::Fatal) } else { Ok(()) }
}

/// Has the controller put away what it caches (7.6.2).
pub(crate) fn shut_down(registers: &impl Registers, clock: &impl Clock) -> Result<(), Error> {
    let mut config = LocalRegisterCopy::<u32, Config::Register>::new(registers.read(registers::CC));
    config.modify(Config::SHN::Normal);
    registers.write(registers::CC, config.get());
    wait_for(registers, clock, "the shutdown", SHUTDOWN_MS, |state| state.matches_all(State::SHST::Complete))
}

/// CSTS, unless nothing decodes it.
fn state(registers: &impl Registers) -> Result<LocalRegisterCopy<u32, State::Register>, Error> {
    match registers.read(registers::CSTS) {
        u32::MAX => Err(Error::Absent),
        value => Ok(LocalRegisterCopy::new(value)),
    }
}

fn wait_for(
    registers: &impl Registers,
    clock: &impl Clock,
    what: &'static str,
    ms: u64,
    reached: impl Fn(LocalRegisterCopy<u32, State::Register>) -> bool,
) -> Result<(), Error> {
    let start = clock.now_ms();
    while !reached(state(registers)?) {
        if clock.now_ms().saturating_sub(start) > ms {
            return Err(Error::TimedOut { what, ms });
        }
        clock.relax();
    }
    Ok(())
}

/// Resets the controller: CC.EN = 0, then RDY = 0 (7.3.2). Its interrupt is masked and its queues are forgotten.
pub(crate) fn disable(
    registers: &impl Registers,
    clock: &impl Clock,
    capabilities: &Capabilities,
) -> Result<(), Error> {
    registers.write(registers::INTMS, u32::MAX);
    let config = LocalRegisterCopy::<u32, Config::Register>::new(registers.read(registers::CC));
    if config.is_set(Config::EN) {
        // 3.1.5: EN may not be cleared before an enable under way has come to its end, be it a fatal status.
        wait_for(registers, clock, "the enable before the reset", capabilities.ready_ms, |state| {
            state.is_set(State::RDY) || state.is_set(State::CFS)
        })?;
    }
    registers.write(registers::CC, 0);
    wait_for(registers, clock, "the reset", capabilities.ready_ms, |state| !state.is_set(State::RDY))
}

/// Enables the controller with admin queues of `entries` at their places from `memory` on.
pub(crate) fn enable(
    registers: &impl Registers,
    clock: &impl Clock,
    capabilities: &Capabilities,
    memory: Iova,
    entries: u16,
) -> Result<(), Error> {
    let mut attributes = LocalRegisterCopy::<u32, AdminQueues::Register>::new(0);
    attributes.write(AdminQueues::ASQS.val(u32::from(entries - 1)) + AdminQueues::ACQS.val(u32::from(entries - 1)));
    registers.write(registers::AQA, attributes.get());
    registers::write_wide(registers, registers::ASQ, memory.offset(layout::ADMIN_SUBMISSION).0);
    registers::write_wide(registers, registers::ACQ, memory.offset(layout::ADMIN_COMPLETION).0);
    let mut config = LocalRegisterCopy::<u32, Config::Register>::new(0);
    config.write(Config::EN::SET + Config::IOSQES.val(6) + Config::IOCQES.val(4));
    registers.write(registers::CC, config.get());
    wait_for(registers, clock, "the enable", capabilities.ready_ms, |state| {
        state.is_set(State::RDY) || state.is_set(State::CFS)
    })?;
    check_alive(registers)
}

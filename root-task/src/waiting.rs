//! A call whose server has died: whether a thread is in one, and how it goes on without an answer.
//!
//! The right to answer died with the server. What is left is the caller's thread, which is the root task's to change: its
//! registers are those of the moment of its call, and its program counter is the call's instruction, where it would start over
//! were it resumed. So its answer is written into it, and it goes on behind the instruction.

use sluice_abi::{MessageInfo, Register, Syscall};
use sluice_manifest::supervisor::ServerEnd;
use sluice_sys::UserContext;

/// `svc #0` (DDI 0487, C6.2 SVC).
const SVC: u32 = 0xd400_0001;

/// The registers, from the program counter to `x1`, with which a thread goes on that calls the endpoint; `None` when it does
/// something else.
///
/// A thread that waits to be heard, waits for its answer, or is about to make the call looks the same: whichever it is, there is
/// no answer, and nothing was done for it that it has been told of.
#[must_use]
pub fn answer(
    context: &UserContext,
    endpoint: u64,
    instruction: impl Fn(u64) -> Option<u32>,
    end: ServerEnd,
) -> Option<[u64; 5]> {
    let at = context.get(Register::Pc);
    // An answer overwrites x0: who still has the endpoint there has had none.
    let calls = context.get(Register::X(7)) == Syscall::Call.word() && context.get(Register::X(0)) == endpoint;
    if !calls || instruction(at) != Some(SVC) {
        return None;
    }
    let info = MessageInfo::new(end as u64, 0, 0, 0).word();
    Some([at + 4, context.get(Register::Sp), context.get(Register::Spsr), 0, info])
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENDPOINT: u64 = 20;

    fn calling() -> UserContext {
        let context = UserContext::default().with(Register::Pc, 0x40_0010).with(Register::Sp, 0x1_0fff_ff00);
        let context = context.with(Register::Spsr, 0x6000_0040).with(Register::X(7), Syscall::Call.word());
        context.with(Register::X(0), ENDPOINT).with(Register::X(1), 0x200 << 12 | 3)
    }

    fn code(at: u64) -> Option<u32> {
        match at {
            0x40_0010 => Some(SVC),
            // An `svc` with another number, a `hvc`, and no system call.
            0x40_0014 => Some(0xd400_0021),
            0x40_0018 => Some(0xd400_0002),
            0x40_001c => Some(0xd503_201f),
            _ => None,
        }
    }

    #[test]
    fn who_calls_goes_on_behind_the_call_with_the_end_for_an_answer() {
        for (end, label) in [(ServerEnd::Died, 0x110), (ServerEnd::Gone, 0x111)] {
            let registers = answer(&calling(), ENDPOINT, code, end);
            assert_eq!(registers, Some([0x40_0014, 0x1_0fff_ff00, 0x6000_0040, 0, label << 12]));
            assert_eq!(ServerEnd::from_label(label), Some(end));
        }
        assert_eq!(ServerEnd::from_label(0), None);
    }

    #[test]
    fn who_does_something_else_is_left_alone() {
        let with = |register, value| answer(&calling().with(register, value), ENDPOINT, code, ServerEnd::Died);
        assert_eq!(with(Register::X(0), 21), None, "the call of another server");
        assert_eq!(with(Register::X(0), 0), None, "an answer that has come");
        for call in [Syscall::Send, Syscall::NbSend, Syscall::Recv, Syscall::Reply, Syscall::Yield] {
            assert_eq!(with(Register::X(7), call.word()), None, "{call:?}");
        }
        for at in [0x40_000c, 0x40_0014, 0x40_0018, 0x40_001c, 0x40_0011, 0, u64::MAX] {
            assert_eq!(with(Register::Pc, at), None, "{at:#x}");
        }
    }
}

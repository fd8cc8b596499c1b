//! A fault, told to its handler, and the handler's answer.

use sluice_abi::{MessageInfo, ObjectType, Syscall};

use super::ALL;
use crate::counter::{fault, syscall};
use crate::helper::{self, PRIORITY, Plan};
use crate::machine::{CNODE, Machine, TCB, VSPACE, done};
use crate::samples::Samples;

/// Answers a fault with one word: where the thread goes on, behind the instruction.
extern "C" fn handler(endpoint: u64) -> ! {
    const ANSWER: u64 = MessageInfo::new(0, 0, 0, 1).word();
    const INSTRUCTION: u64 = 4;
    let mut at = syscall(Syscall::Recv, endpoint, 0, 0).word;
    loop {
        at = syscall(Syscall::ReplyRecv, endpoint, ANSWER, at + INSTRUCTION).word;
    }
}

pub(super) fn round_trip(machine: &mut Machine, overhead: u64) {
    let endpoint = machine.make(ObjectType::Endpoint, 0);
    helper::start(machine, &Plan { entry: handler, argument: endpoint, priority: PRIORITY, faults: 0 });
    sluice_sys::yield_now();
    done(TCB.set_space(sluice_abi::CPtr(endpoint), CNODE, 0, VSPACE));
    let mut samples = Samples::new("fault", overhead);
    for _ in 0..ALL {
        let timed = fault(Syscall::Yield, 0, 0, 0);
        samples.add(timed.after - timed.before);
    }
    samples.print();
}

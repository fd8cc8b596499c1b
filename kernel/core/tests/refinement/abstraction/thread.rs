//! From thread control blocks and what waiting threads have in their buffers to threads.

use sluice_abi::{MessageInfo, PhysAddr, Register, ipc_buffer};
use sluice_abstract::{Buffer, Doing, Fault, ReceivePath, Registers, Sending, Thread};
use sluice_core::object::{Fault as ConcreteFault, Tcb, TcbSlot, ThreadState};
use sluice_core::{Handle, Kernel, Store, cap};
use sluice_paging::TableMemory;

use crate::machine::Machine;

pub(super) fn thread(kernel: &Kernel<Machine>, at: Handle<Tcb>) -> Thread {
    let tcb = kernel.tcb(at);
    let receive = || buffer(kernel, at).receive;
    let fault = tcb.fault.get();
    let doing = match tcb.state.get() {
        ThreadState::Inactive => Doing::Nothing,
        ThreadState::Running => Doing::Running,
        ThreadState::Restart => Doing::StartingOver,
        ThreadState::BlockedOnReceive { endpoint, grant } => {
            Doing::Receiving { endpoint: endpoint.at(), grant, into: receive() }
        }
        ThreadState::BlockedOnSend(how) => Doing::Sending(Sending {
            endpoint: how.endpoint.at(),
            badge: how.badge,
            grant: how.grant,
            grant_reply: how.grant_reply,
            call: how.call,
            buffer: if fault.is_some() { Buffer::default() } else { buffer(kernel, at) },
        }),
        ThreadState::BlockedOnReply => {
            Doing::AwaitingReply { into: if fault.is_some() { ReceivePath::default() } else { receive() } }
        }
        ThreadState::BlockedOnNotification(notification) => Doing::Waiting(notification.at()),
    };
    Thread {
        doing,
        registers: registers(tcb),
        next: tcb.context.pc.get(),
        fault: fault.map(|fault| match fault {
            ConcreteFault::Cap { cptr, receiving, failure } => Fault::Capability { cptr: cptr.0, receiving, failure },
            ConcreteFault::UnknownSyscall { number } => Fault::UnknownSystemCall(number),
            ConcreteFault::User { number, .. } => Fault::Exception(number),
            ConcreteFault::Vm { address, syndrome, instruction } => Fault::Page { address, syndrome, instruction },
            ConcreteFault::VgicMaintenance { index } => Fault::Maintenance(index),
            ConcreteFault::Vcpu { syndrome } => Fault::Guest(syndrome),
            ConcreteFault::Vppi { intid } => Fault::Timer(intid),
        }),
        priority: tcb.priority.get(),
        max_priority: tcb.max_priority.get(),
        handler: tcb.fault_handler.get(),
        buffer: tcb.ipc_buffer.get(),
        flags: tcb.flags.get(),
        notification: tcb.bound_notification.get().map(Handle::at),
        vcpu: tcb.vcpu.get().map(Handle::at),
    }
}

fn registers(tcb: &Tcb) -> Registers {
    let context = &tcb.context;
    let mut registers = Registers::default();
    for register in Register::ORDER {
        let value = match register {
            Register::Pc => context.restart_pc.get(),
            Register::Sp => context.sp.get(),
            Register::Spsr => context.spsr.get(),
            Register::X(number) => context.x[usize::from(number)].get(),
            Register::TpidrEl0 => context.tpidr.get(),
            Register::TpidrroEl0 => context.tpidrro.get(),
        };
        registers.set(register, value);
    }
    registers
}

/// Where a thread's IPC buffer is, if it has one.
pub(crate) fn buffer_at(kernel: &Kernel<Machine>, thread: Handle<Tcb>) -> Option<PhysAddr> {
    let cap::Cap::Frame(frame) = kernel.hal.slot(thread.slot(TcbSlot::Buffer as u64)).cap() else { return None };
    Some(frame.base.offset(kernel.tcb(thread).ipc_buffer.get() & (frame.size.bytes() - 1)))
}

fn trimmed(words: impl Iterator<Item = u64>) -> Vec<u64> {
    let mut words: Vec<u64> = words.collect();
    let used = words.iter().rposition(|word| *word != 0).map_or(0, |last| last + 1);
    words.truncate(used);
    words
}

fn buffer(kernel: &Kernel<Machine>, thread: Handle<Tcb>) -> Buffer {
    let Some(at) = buffer_at(kernel, thread) else { return Buffer::default() };
    let load = |offset| kernel.hal.load(at.offset(offset));
    let words = (MessageInfo::REGISTERS..MessageInfo::MAX_LENGTH as usize).map(ipc_buffer::message);
    Buffer {
        words: trimmed(words.map(load)),
        caps: trimmed((0..MessageInfo::MAX_EXTRA_CAPS as usize).map(ipc_buffer::cap_or_badge).map(load)),
        receive: ReceivePath {
            root: load(ipc_buffer::RECEIVE_CNODE),
            index: load(ipc_buffer::RECEIVE_INDEX),
            depth: load(ipc_buffer::RECEIVE_DEPTH),
        },
    }
}

/// The threads behind one another from this one on.
pub(super) fn queue(kernel: &Kernel<Machine>, head: Option<Handle<Tcb>>) -> Vec<PhysAddr> {
    let next = |thread: &Handle<Tcb>| kernel.tcb(*thread).queue_next.get();
    std::iter::successors(head, next).map(Handle::at).collect()
}

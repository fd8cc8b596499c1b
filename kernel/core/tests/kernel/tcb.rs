//! Invocations of threads that are not about scheduling or notifications.

use sluice_abi::bootinfo::slot::{INIT_CNODE, INIT_TCB, INIT_VSPACE};
use sluice_abi::cap::cnode_data;
use sluice_abi::{CPtr, Label, ObjectType, Register, Syscall};
use sluice_core::cap::{CNode, Cap};
use sluice_core::object::{TcbSlot, ThreadState};

use crate::user::*;

/// Words of a full register set: word i is 0x1000 + i.
fn registers() -> Vec<u64> {
    (0..36).map(|index| 0x1000 + index).collect()
}

fn write(system: &mut System, thread: Thread, flags: u64, registers: &[u64]) -> Reply {
    let mut words = vec![flags, registers.len() as u64];
    words.extend(registers);
    system.call(thread.cptr, Label::TcbWriteRegisters, &[], &words)
}

/// The interface's order, written out: pc sp spsr x0-x8 x16-x18 x29 x30, x9-x15 x19-x28 tpidr tpidrro.
const ORDER: [u8; 31] =
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 16, 17, 18, 29, 30, 9, 10, 11, 12, 13, 14, 15, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28];

#[test]
fn registers_are_written_and_read_in_order() {
    let mut system = System::boot();
    let thread = system.thread(10);
    assert_eq!(write(&mut system, thread, 0, &registers()), ok());
    let context = &system.kernel.tcb(thread.tcb).context;
    assert_eq!((context.restart_pc.get(), context.sp.get()), (0x1000, 0x1001));
    assert_eq!(context.spsr.get(), 0x40, "only the condition flags are the user's");
    for (position, number) in ORDER.into_iter().enumerate() {
        assert_eq!(context.x[usize::from(number)].get(), 0x1003 + position as u64, "x{number}");
    }
    assert_eq!((context.tpidr.get(), context.tpidrro.get()), (0x1022, 0x1023));
    let mut expected = registers();
    expected[2] = 0x40;
    assert_eq!(system.call(thread.cptr, Label::TcbReadRegisters, &[], &[0, 36]), ok_with(&expected));
    assert_eq!(system.call(thread.cptr, Label::TcbReadRegisters, &[], &[0, 1]), ok_with(&expected[..1]));
    assert_eq!(Register::ORDER[1], Register::Sp);
}

#[test]
fn writing_registers_may_start_the_thread() {
    let mut system = System::boot();
    let thread = system.thread(10);
    assert_eq!(write(&mut system, thread, 1, &[0x7000, 0x8000]), ok());
    assert_eq!(system.state(thread.tcb), ThreadState::Restart);
    system.set_priority(INIT_TCB, 5);
    assert_eq!(system.current(), thread.tcb);
    assert_eq!(system.kernel.tcb(thread.tcb).context.pc.get(), 0x7000);
}

#[test]
fn reading_may_stop_the_thread() {
    let mut system = System::boot();
    let thread = system.running(10);
    assert_eq!(system.call(thread.cptr, Label::TcbReadRegisters, &[], &[0, 1]).words.len(), 1);
    assert!(system.state(thread.tcb).is_runnable());
    assert_eq!(system.call(thread.cptr, Label::TcbReadRegisters, &[], &[1, 1]).words.len(), 1);
    assert_eq!(system.state(thread.tcb), ThreadState::Inactive);
}

#[test]
fn register_requests_that_cannot_be_met_are_refused() {
    let mut system = System::boot();
    let thread = system.thread(10);
    let read = |system: &mut System, cptr, words: &[u64]| system.call(cptr, Label::TcbReadRegisters, &[], words);
    assert_eq!(read(&mut system, thread.cptr, &[0]), truncated());
    assert_eq!(read(&mut system, thread.cptr, &[0, 0]), range(1, 36));
    assert_eq!(read(&mut system, thread.cptr, &[0, 37]), range(1, 36));
    assert_eq!(read(&mut system, INIT_TCB, &[0, 1]), illegal());
    let label = Label::TcbWriteRegisters;
    assert_eq!(system.call(thread.cptr, label, &[], &[0]), truncated());
    assert_eq!(system.call(thread.cptr, label, &[], &[0, 2, 5]), truncated());
    assert_eq!(system.call(INIT_TCB, label, &[], &[0, 1, 5]), illegal());
    let label = Label::TcbCopyRegisters;
    assert_eq!(system.call(thread.cptr, label, &[], &[0]), truncated());
    assert_eq!(system.call(thread.cptr, label, &[INIT_TCB], &[]), truncated());
    assert_eq!(system.call(thread.cptr, label, &[INIT_CNODE], &[0]), invalid_capability(1));
}

#[test]
fn copying_registers_takes_what_the_flags_say() {
    let mut system = System::boot();
    let (source, dest) = (system.thread(10), system.thread(10));
    assert_eq!(write(&mut system, source, 0, &registers()), ok());
    let copy = |system: &mut System, flags: u64| {
        system.done(dest.cptr, Label::TcbCopyRegisters, &[source.cptr], &[flags]);
    };
    copy(&mut system, 0b0100);
    let x = |system: &System, number: usize| system.kernel.tcb(dest.tcb).context.x[number].get();
    assert_eq!((x(&system, 0), x(&system, 30), x(&system, 9)), (0x1003, 0x1010, 0));
    copy(&mut system, 0b1000);
    assert_eq!(x(&system, 9), 0x1011);
    copy(&mut system, 0b0010);
    assert_eq!(system.state(dest.tcb), ThreadState::Restart);
    system.resume(source);
    copy(&mut system, 0b0001);
    assert_eq!(system.state(source.tcb), ThreadState::Inactive);
}

#[test]
fn configuring_sets_spaces_buffer_and_handler() {
    let mut system = System::boot();
    let thread = system.make(ObjectType::Tcb, 0);
    let frame = system.make(ObjectType::SmallPage, 0);
    let node = system.make(ObjectType::CNode, 4);
    let data = cnode_data(0x5, 60);
    let caps = [node, INIT_VSPACE, frame];
    system.done(thread, Label::TcbConfigure, &caps, &[0x77, data, 0, 0xa400]);
    let handle = system.handle(thread);
    let slot = |which: TcbSlot| system.cap_at(handle.slot(which as u64));
    assert!(matches!(slot(TcbSlot::CSpace), Cap::CNode(CNode { guard: 5, guard_bits: 60, radix: 4, .. })));
    assert_eq!(slot(TcbSlot::VSpace), system.cap(INIT_VSPACE));
    assert!(matches!(slot(TcbSlot::Buffer), Cap::Frame(_)));
    let tcb = system.kernel.tcb(handle);
    assert_eq!((CPtr(tcb.fault_handler.get()), tcb.ipc_buffer.get()), (CPtr(0x77), 0xa400));
    // Buffer address 0 takes the buffer away, whatever the capability is.
    system.done(thread, Label::TcbConfigure, &[node, INIT_VSPACE, 0], &[0, 0, 0, 0]);
    assert_eq!(system.cap_at(handle.slot(TcbSlot::Buffer as u64)), Cap::Null);
    // Deleting what it uses takes it away from the thread only when its parent goes.
    assert_eq!(system.revoke(node), ok());
    assert_eq!(system.cap_at(handle.slot(TcbSlot::CSpace as u64)), Cap::Null);
}

#[test]
fn unusable_spaces_and_buffers_are_refused() {
    let mut system = System::boot();
    let thread = system.thread(10).cptr;
    let frame = system.make(ObjectType::SmallPage, 0);
    let vspace = system.make(ObjectType::VSpace, 0);
    let good = [INIT_CNODE, INIT_VSPACE, frame];
    let configure =
        |system: &mut System, caps: &[u64], words: &[u64]| system.call(thread, Label::TcbConfigure, caps, words);
    assert_eq!(configure(&mut system, &good, &[0, 0, 0]), truncated());
    assert_eq!(configure(&mut system, &good[..2], &[0, 0, 0, 0]), truncated());
    assert_eq!(configure(&mut system, &good, &[0, 0, 0, 0x1200]), alignment());
    assert_eq!(configure(&mut system, &[INIT_CNODE, INIT_VSPACE, INIT_TCB], &[0, 0, 0, 0x1000]), illegal());
    assert_eq!(configure(&mut system, &[INIT_TCB, INIT_VSPACE, frame], &[0, 0, 0, 0x1000]), illegal());
    assert_eq!(configure(&mut system, &[INIT_CNODE, INIT_TCB, frame], &[0, 0, 0, 0x1000]), illegal());
    assert_eq!(configure(&mut system, &[INIT_CNODE, vspace, frame], &[0, 0, 0, 0x1000]), illegal());
    let too_deep = cnode_data(0, 60);
    assert_eq!(configure(&mut system, &good, &[0, too_deep, 0, 0x1000]), illegal());
    let space = |system: &mut System, caps: &[u64], words: &[u64]| system.call(thread, Label::TcbSetSpace, caps, words);
    assert_eq!(space(&mut system, &good[..2], &[0, 0]), truncated());
    assert_eq!(space(&mut system, &good[..1], &[0, 0, 0]), truncated());
    assert_eq!(space(&mut system, &[INIT_TCB, INIT_VSPACE], &[0, 0, 0]), illegal());
    assert_eq!(system.call(thread, Label::TcbSetIpcBuffer, &[], &[0x1000]), truncated());
    assert_eq!(system.call(thread, Label::TcbSetIpcBuffer, &[frame], &[0x1001]), alignment());
}

#[test]
fn device_memory_is_no_buffer() {
    let mut system = System::boot();
    let thread = system.thread(10).cptr;
    let is_page = |at: &u64| matches!(system.cap(*at), Cap::Untyped(u) if u.device && u.bits == 12);
    let device = (16..system.next_slot).find(is_page).expect("a device page");
    let frame = system.make_from(device, ObjectType::SmallPage, 0);
    assert_eq!(system.call(thread, Label::TcbSetIpcBuffer, &[frame], &[0x1000]), illegal());
}

#[test]
fn a_space_that_would_take_long_to_delete_is_not_replaced() {
    let mut system = System::boot();
    let thread = system.thread(10).cptr;
    let node = system.make(ObjectType::CNode, 4);
    system.done(thread, Label::TcbSetSpace, &[node, INIT_VSPACE], &[0, 0, 0]);
    assert_eq!(system.delete(node), ok());
    assert_eq!(system.call(thread, Label::TcbSetSpace, &[INIT_CNODE, INIT_VSPACE], &[0, 0, 0]), illegal());
}

#[test]
fn suspending_yourself_starts_over_when_resumed() {
    let mut system = System::boot();
    system.set_priority(INIT_TCB, 50);
    let thread = system.running(100);
    system.syscall(Syscall::Call, thread.cptr, Label::TcbSuspend as u64, &[], &[]);
    assert_eq!(system.current(), system.root);
    system.resume(thread);
    assert_eq!(system.kernel.tcb(thread.tcb).context.pc.get(), AFTER_SVC - 4);
}

#[test]
fn small_settings_are_kept() {
    let mut system = System::boot();
    let thread = system.thread(10);
    assert_eq!(system.call(thread.cptr, Label::TcbSetTlsBase, &[], &[]), truncated());
    system.done(thread.cptr, Label::TcbSetTlsBase, &[], &[0x1234]);
    assert_eq!(system.kernel.tcb(thread.tcb).context.tpidr.get(), 0x1234);
    let flags = |system: &mut System, words: &[u64]| system.call(thread.cptr, Label::TcbSetFlags, &[], words);
    assert_eq!(flags(&mut system, &[0]), truncated());
    assert_eq!(flags(&mut system, &[0, 0xff]), ok_with(&[1]));
    assert_eq!(flags(&mut system, &[0, 0]), ok_with(&[1]));
    assert_eq!(flags(&mut system, &[1, 0]), ok_with(&[0]));
    for label in [Label::InvalidInvocation, Label::CNodeCopy, Label::VcpuSetTcb] {
        assert_eq!(system.call(thread.cptr, label, &[], &[0; 8]), illegal());
    }
}

#[test]
fn debug_calls_answer() {
    let mut system = System::boot();
    let identify = |system: &mut System, cptr: u64| {
        system.syscall(Syscall::DebugCapIdentify, cptr, 0, &[], &[]);
        system.message(system.root).badge
    };
    assert_eq!([INIT_TCB, INIT_CNODE, INIT_VSPACE].map(|cptr| identify(&mut system, cptr)), [12, 10, 9]);
    assert_eq!(identify(&mut system, 0), 0);
    for byte in *b"ok" {
        system.syscall(Syscall::DebugPutChar, byte.into(), 0, &[], &[]);
    }
    assert_eq!(system.machine().take_console(), "ok");
}

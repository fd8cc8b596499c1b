//! Everything there is to see of a kernel and its machine, to compare.

use std::collections::BTreeMap;

use sluice_abi::vcpu::VcpuRegister;
use sluice_abi::{MessageInfo, PhysAddr, ipc_buffer};
use sluice_core::cap::{Cap, Links};
use sluice_core::object::{AsidPool, Context, Endpoint, Notification, Stream, Tcb, TcbSlot, Vcpu};
use sluice_core::{Handle, Kernel, Store};

use crate::machine::{Contents, Machine};

/// The state of kernel and machine.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Snapshot {
    slots: BTreeMap<u64, (Cap, Links)>,
    objects: BTreeMap<u64, String>,
    memory: Contents,
    enabled: BTreeMap<u32, bool>,
    loaded: Option<(PhysAddr, u8)>,
    guest: String,
    current: Option<Handle<Tcb>>,
}

impl Snapshot {
    pub(crate) fn of(kernel: &Kernel<Machine>) -> Self {
        let machine = &kernel.hal;
        let slots = machine.objects.slots().filter(|(_, slot)| !slot.is_empty() || slot.links() != Links::default());
        Self {
            slots: slots.map(|(at, slot)| (at.at().0, (slot.cap(), slot.links()))).collect(),
            objects: objects(machine, None),
            memory: machine.memory.contents(),
            enabled: machine.enabled(),
            loaded: machine.tlb.loaded(),
            guest: machine.guest.contents(),
            current: kernel.current(),
        }
    }

    /// The state without what a system call of `thread` and its answer touch: registers and buffer.
    pub(crate) fn apart_from_message_of(kernel: &Kernel<Machine>, thread: Handle<Tcb>) -> Self {
        let mut snapshot = Self { objects: objects(&kernel.hal, Some(thread)), ..Self::of(kernel) };
        if let Cap::Frame(frame) = kernel.hal.slot(thread.slot(TcbSlot::Buffer as u64)).cap() {
            let offset = kernel.tcb(thread).ipc_buffer.get() & (frame.size.bytes() - 1);
            for index in MessageInfo::REGISTERS..ipc_buffer::MESSAGE_WORDS {
                let at = frame.base.offset(offset + ipc_buffer::message(index));
                snapshot.memory.set_word(at, 0);
            }
        }
        snapshot
    }

    #[track_caller]
    pub(crate) fn assert_unchanged(&self, after: &Self) {
        assert_eq!(self.slots, after.slots, "slots changed");
        assert_eq!(self.objects, after.objects, "objects changed");
        assert!(self.memory == after.memory, "memory changed");
        assert_eq!(self, after);
    }
}

fn objects(machine: &Machine, apart_from: Option<Handle<Tcb>>) -> BTreeMap<u64, String> {
    let mut all = BTreeMap::new();
    for (at, tcb) in machine.objects.all::<Tcb>() {
        all.insert(at.at().0, thread(tcb, Some(at) == apart_from));
    }
    for (at, endpoint) in machine.objects.all::<Endpoint>() {
        all.insert(at.at().0, format!("endpoint {:?}", endpoint.queue.head()));
    }
    for (at, notification) in machine.objects.all::<Notification>() {
        let (state, bound) = (notification.state(), notification.bound_thread());
        all.insert(at.at().0, format!("notification {state:?} {bound:?} {:?}", notification.queue.head()));
    }
    for (at, pool) in machine.objects.all::<AsidPool>() {
        let entries: Vec<_> = (0..512).filter_map(|index| Some((index, pool.entry(index)?))).collect();
        all.insert(at.at().0, format!("pool {entries:?}"));
    }
    for (at, context) in machine.objects.all::<Context>() {
        let issued = context.issued.get();
        all.insert(at.at().0, format!("context {issued} {:?} {:?}", context.streams.get(), context.last_event.get()));
    }
    for (at, stream) in machine.objects.all::<Stream>() {
        let (issued, state, pending) = (stream.issued.get(), stream.state.get(), stream.pending.get());
        let counts = (stream.budget.get(), stream.delivered.get(), stream.dropped.get());
        all.insert(at.at().0, format!("stream {issued} {state:?} {pending:?} {counts:?}"));
    }
    for (at, vcpu) in machine.objects.all::<Vcpu>() {
        all.insert(at.at().0, processor(vcpu));
    }
    all
}

fn processor(vcpu: &Vcpu) -> String {
    let registers = VcpuRegister::ALL.map(|register| vcpu.register(register).get());
    let own = (vcpu.thread.get(), vcpu.cache_selection.get(), vcpu.timer_masked.get());
    let vgic = &vcpu.vgic;
    let interface = (vgic.control.get(), vgic.machine.get(), vgic.system_registers.get(), &vgic.active, &vgic.list);
    format!("processor {registers:x?} {own:?} {interface:x?}")
}

fn thread(tcb: &Tcb, without_message: bool) -> String {
    let context = &tcb.context;
    let x: Vec<_> = context.x.iter().skip(if without_message { 6 } else { 0 }).map(std::cell::Cell::get).collect();
    let restart = if without_message { 0 } else { context.restart_pc.get() };
    let others = (context.sp.get(), context.spsr.get(), context.tpidr.get(), context.tpidrro.get(), restart);
    let priorities = (tcb.priority.get(), tcb.max_priority.get(), tcb.domain.get(), tcb.time_slice.get());
    let queue =
        (tcb.queued.get(), tcb.sched_prev.get(), tcb.sched_next.get(), tcb.queue_prev.get(), tcb.queue_next.get());
    let own = (tcb.fault_handler.get(), tcb.ipc_buffer.get(), tcb.flags.get());
    let bound = (tcb.bound_notification.get(), tcb.vcpu.get());
    format!(
        "thread {:?} {:?} {x:x?} {others:x?} {priorities:?} {queue:?} {own:?} {bound:?} {:?}",
        tcb.state.get(),
        tcb.fault.get(),
        tcb.name.get()
    )
}

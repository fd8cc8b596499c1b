//! Faults put in on purpose, in the hardware and in what is expected of it. Each must be noticed.

mod smmus;

use std::panic::{AssertUnwindSafe, catch_unwind};

use sluice_abi::bootinfo::slot;
use sluice_abi::{Register, Syscall};
use sluice_abstract::{Cap, Invocation, Object, Slot, State, ThreadSlot, Vcpu, invariant};

use crate::input::{Act, Say};
use crate::machine::Sabotage;
use crate::scope::{EXITS, FORWARDED, IPC, MEMORY, STREAMS, Scope, acknowledged_early};
use crate::system::System;

/// The first slot of the root CNode whose capability is one of these.
fn find(system: &System, wanted: impl Fn(&Cap) -> bool) -> Slot {
    let mut slots = system.state.slots.iter();
    *slots.find(|(slot, held)| !slot.is_hidden() && wanted(&held.cap)).expect("such a capability").0
}

fn complaint(act: impl FnOnce()) -> Option<String> {
    let error = catch_unwind(AssertUnwindSafe(act)).err()?;
    Some(error.downcast_ref::<String>().cloned().unwrap_or_default())
}

/// Maps a page for the device, unmaps it again, and says what was noticed while the machine was sabotaged.
fn map_and_unmap(sabotage: Sabotage, to_device: bool) -> Option<String> {
    let mut system = MEMORY.start(false);
    let frame = find(&system, |cap| matches!(cap, Cap::Frame { mapped: None, .. }));
    let initial = Slot::Node { node: system.node, index: slot::INIT_VSPACE };
    let vspace = if to_device {
        *system.state.slots.keys().find(|at| **at != initial && is_space(&system, **at)).expect("a space")
    } else {
        initial
    };
    let at = sluice_abi::VirtAddr(0x41_0000);
    let rights = sluice_abstract::Rights::ALL;
    system.done(&Invocation::PageMap { frame, vspace, at, rights, execute: false, cacheable: true });
    system.kernel.hal.sabotage.set(sabotage);
    complaint(|| system.done(&Invocation::PageUnmap(frame)))
}

fn is_space(system: &System, slot: Slot) -> bool {
    !slot.is_hidden()
        && matches!(slot, Slot::Node { .. })
        && matches!(system.state.cap(slot), Some(Cap::VSpace { asid: Some(_), .. }))
}

#[test]
fn a_lost_invalidation_of_the_smmu_is_noticed() {
    assert_eq!(map_and_unmap(Sabotage::None, true), None);
    let complaint = map_and_unmap(Sabotage::LoseSmmuInvalidations, true).expect("a complaint");
    assert!(complaint.contains("reach of stream 8"), "{complaint}");
}

#[test]
fn a_lost_invalidation_of_the_cpu_is_noticed() {
    assert_eq!(map_and_unmap(Sabotage::None, false), None);
    let complaint = map_and_unmap(Sabotage::LoseCpuInvalidations, false).expect("a complaint");
    assert!(complaint.contains("the CPU's TLB"), "{complaint}");
}

#[test]
fn a_lost_store_is_noticed() {
    let complaint = map_and_unmap(Sabotage::LoseStores, true).expect("a complaint");
    assert!(complaint.contains("spaces"), "{complaint}");
}

#[test]
fn an_expectation_that_is_wrong_is_noticed() {
    let tampered = |scope: &Scope, tamper: fn(&mut State), invocation: fn(&System) -> Invocation| {
        let mut system = scope.start(false);
        let invocation = invocation(&system);
        tamper(&mut system.state);
        complaint(|| {
            let _ = system.act(&invocation.into());
        })
    };
    let revoke = |system: &System| Invocation::Revoke(find(system, |cap| matches!(cap, Cap::Untyped { bits: 15, .. })));
    assert_eq!(tampered(&STREAMS, |_| {}, revoke), None);
    let forget_parents = |state: &mut State| state.slots.values_mut().for_each(|held| held.parent = None);
    assert!(tampered(&STREAMS, forget_parents, revoke).is_some());
    let forget_pages = |state: &mut State| state.spaces.values_mut().for_each(|space| space.pages.clear());
    let copy = |system: &System| {
        let source = find(system, |cap| matches!(cap, Cap::Frame { .. }));
        let dest = Slot::Node { node: system.node, index: 100 };
        Invocation::Copy { source, dest, rights: sluice_abstract::Rights::READ }
    };
    assert_eq!(tampered(&MEMORY, |_| {}, copy), None);
    assert!(tampered(&MEMORY, forget_pages, copy).is_some());
}

fn first_object(state: &State) -> (sluice_abi::PhysAddr, Object) {
    let (at, object) = state.objects.iter().next().expect("an object");
    (*at, object.clone())
}

/// Each invariant can be broken, and says so.
#[test]
fn invariants_notice_states_that_cannot_be() {
    let state = MEMORY.start(false).state;
    let broken = |tamper: fn(&mut State)| {
        let mut state = state.clone();
        tamper(&mut state);
        invariant::ALL.iter().filter(|invariant| !(invariant.holds)(&state)).map(|invariant| invariant.name).collect()
    };
    let assert_breaks = |tamper: fn(&mut State), name: &'static str| {
        let names: Vec<&str> = broken(tamper);
        assert!(names.contains(&name), "{name} is not among {names:?}");
    };
    assert_eq!(invariant::broken(&state), None);
    assert_breaks(
        |state| {
            let (a, b) = (*state.slots.keys().next().expect("a slot"), *state.slots.keys().last().expect("a slot"));
            state.slots.get_mut(&a).expect("a slot").parent = Some(b);
            state.slots.get_mut(&b).expect("a slot").parent = Some(a);
        },
        "derivation_is_a_forest",
    );
    assert_breaks(
        |state| {
            for held in state.slots.values_mut().filter(|held| held.parent.is_some()) {
                if let Cap::Frame { base, .. } = &mut held.cap {
                    base.0 += 1 << 30;
                }
            }
        },
        "descendants_are_inside_their_ancestors",
    );
    assert_breaks(
        |state| {
            for held in state.slots.values_mut() {
                if let Cap::Untyped { used, .. } = &mut held.cap {
                    *used = 0;
                }
            }
        },
        "untyped_children_are_apart_and_inside",
    );
    assert_breaks(
        |state| {
            let (at, object) = first_object(state);
            state.objects.insert(at.offset(16), object);
        },
        "no_two_objects_overlap",
    );
    assert_breaks(
        |state| {
            state.objects.insert(sluice_abi::PhysAddr(0), sluice_abstract::Object::ENDPOINT);
        },
        "no_object_without_a_capability",
    );
    assert_breaks(
        |state| {
            let (at, _) = first_object(state);
            state.objects.remove(&at);
        },
        "no_capability_without_its_object",
    );
    assert_breaks(
        |state| {
            let running = state.running.and_then(|running| state.thread_mut(running));
            running.expect("a thread").vcpu = Some(sluice_abi::PhysAddr(0x1000));
        },
        "guests_have_their_processor",
    );
    assert_breaks(|state| state.pools.clear(), "free_names_have_no_space");
    let unmap_all = |state: &mut State| {
        for held in state.slots.values_mut() {
            if let Cap::Frame { mapped, .. } | Cap::PageTable { mapped, .. } = &mut held.cap {
                *mapped = None;
            }
        }
    };
    assert_breaks(unmap_all, "no_page_without_a_capability");
    assert_breaks(unmap_all, "no_table_without_a_capability");
    assert_breaks(|state| state.spaces.values_mut().for_each(|space| space.tables.clear()), "tables_carry_pages");
    assert_breaks(|state| state.spaces.clear(), "bindings_are_of_the_right_kind");
    assert_breaks(
        |state| state.slots.retain(|slot, held| slot.is_hidden() || !matches!(held.cap, Cap::Sid(_))),
        "streams_without_a_binding_reach_nothing",
    );
}

/// As above, for what threads, interrupts and the kernel's own memory are about.
#[test]
fn invariants_notice_threads_that_cannot_be() {
    let mut system = IPC.start(false);
    let endpoint = find(&system, |cap| matches!(cap, Cap::Endpoint { badge: 0, .. }));
    let Slot::Node { index, .. } = endpoint else { unreachable!("in the root CNode") };
    let say = |call| Act::Say(Say::new(call, index, 0));
    system.happens(&say(Syscall::Recv));
    let state = system.state;
    assert_eq!(invariant::broken(&state), None);
    let assert_breaks = |tamper: fn(&mut State), name: &str| {
        let mut state = state.clone();
        tamper(&mut state);
        let broken = invariant::ALL.iter().filter(|invariant| !(invariant.holds)(&state));
        let names: Vec<&str> = broken.map(|invariant| invariant.name).collect();
        assert!(names.contains(&name), "{name} is not among {names:?}");
    };
    fn threads(state: &mut State) -> Vec<sluice_abi::PhysAddr> {
        state.objects.iter().filter(|(_, object)| matches!(object, Object::Thread(_))).map(|(at, _)| *at).collect()
    }
    assert_breaks(
        |state| {
            state.objects.values_mut().for_each(|object| {
                if let Object::Endpoint { waiting } = object {
                    waiting.clear();
                }
            });
        },
        "waiting_threads_are_in_their_queue",
    );
    assert_breaks(
        |state| {
            let thread = threads(state)[0];
            state.objects.values_mut().for_each(|object| {
                if let Object::Notification { pending, waiting, .. } = object {
                    (*pending, *waiting) = (Some(1), vec![thread]);
                }
            });
        },
        "signals_do_not_wait",
    );
    assert_breaks(
        |state| {
            let thread = threads(state)[0];
            state.objects.values_mut().for_each(|object| {
                if let Object::Notification { bound, .. } = object {
                    *bound = Some(thread);
                }
            });
        },
        "bound_both_ways",
    );
    assert_breaks(
        |state| {
            let caller = threads(state)[0];
            let slot = *state.slots.keys().next().expect("a slot");
            state.slots.get_mut(&slot).expect("a slot").cap = Cap::Reply { caller, master: false, grant: true };
        },
        "replies_are_owed",
    );
    assert_breaks(|state| state.running = None, "the_highest_runs");
    assert_breaks(|state| state.interrupts.in_service.extend([35]), "interrupts_in_service_have_a_handler");
    assert_breaks(
        |state| {
            let frame = state.slots.values().find_map(|held| held.cap.memory()).expect("memory");
            state.kept.insert((frame.0, 8));
        },
        "kernel_memory_is_nobodys",
    );
}

/// As above, for interrupts that go to guests by themselves.
#[test]
fn invariants_notice_interrupts_that_go_astray() {
    let state = FORWARDED.start(false).state;
    assert_eq!(invariant::broken(&state), None);
    let tampers: [fn(&mut State); 4] = [
        |state| each_vcpu(state, |vcpu| vcpu.forwarded = vcpu.forwarded.values().map(|one| (2, *one)).collect()),
        |state| each_vcpu(state, |vcpu| vcpu.forwarded.values_mut().for_each(|one| one.device = 35)),
        |state| {
            let found = state.objects.values().find_map(|object| {
                if let Object::Vcpu(vcpu) = object { vcpu.forwarded.get(&0).copied() } else { None }
            });
            let found = found.expect("an interrupt that is forwarded");
            each_vcpu(state, |vcpu| vcpu.forwarded.extend([(1, found)]));
        },
        |state| {
            each_vcpu(state, |vcpu| {
                let linked = vcpu.forwarded.values().map(|one| (1, one.becomes));
                vcpu.injected = linked.collect();
            });
        },
    ];
    for (number, tamper) in tampers.into_iter().enumerate() {
        let mut state = state.clone();
        tamper(&mut state);
        let broken = invariant::ALL.iter().filter(|invariant| !(invariant.holds)(&state));
        let names: Vec<&str> = broken.map(|invariant| invariant.name).collect();
        assert!(names.contains(&"forwarded_interrupts_go_to_one_place"), "{number}: {names:?}");
    }
}

/// Longer than the exhaustive sequences: what the guest handles is not made pending under it.
#[test]
fn an_interrupt_that_comes_again_while_the_guest_is_at_it_leaves_it_alone() {
    let mut system = FORWARDED.start(true);
    for act in acknowledged_early(&system) {
        assert!(system.act(&act).is_some(), "{act:?}");
    }
}

fn each_vcpu(state: &mut State, change: impl Fn(&mut Vcpu)) {
    for object in state.objects.values_mut() {
        if let Object::Vcpu(vcpu) = object {
            change(vcpu);
        }
    }
}

/// As above, for what guests are.
#[test]
fn invariants_notice_guests_that_cannot_be() {
    let state = EXITS.start(false).state;
    assert_eq!(invariant::broken(&state), None);
    let assert_breaks = |tamper: fn(&mut Object), name: &str| {
        let mut state = state.clone();
        state.objects.values_mut().for_each(tamper);
        let broken = invariant::ALL.iter().filter(|invariant| !(invariant.holds)(&state));
        let names: Vec<&str> = broken.map(|invariant| invariant.name).collect();
        assert!(names.contains(&name), "{name} is not among {names:?}");
    };
    const EL1H: u64 = 5;
    const EL2H: u64 = 9;
    assert_breaks(
        |object| {
            if let Object::Thread(thread) = object
                && thread.vcpu.is_none()
            {
                thread.registers.set(Register::Spsr, EL1H);
            }
        },
        "only_guests_have_a_level",
    );
    assert_breaks(
        |object| {
            if let Object::Thread(thread) = object
                && thread.vcpu.is_some()
            {
                thread.registers.set(Register::Spsr, EL2H);
            }
        },
        "only_guests_have_a_level",
    );
    let tamper_injected: [fn(&mut Object); 2] = [
        |object| {
            if let Object::Vcpu(vcpu) = object {
                vcpu.injected.values_mut().for_each(|injected| injected.priority = 32);
            }
        },
        |object| {
            if let Object::Vcpu(vcpu) = object {
                vcpu.injected = vcpu.injected.values().map(|injected| (2, *injected)).collect();
            }
        },
    ];
    for tamper in tamper_injected {
        assert_breaks(tamper, "injected_interrupts_can_be");
    }
}

/// A message, a fault or a reply that is expected otherwise than it comes is noticed.
#[test]
fn an_expected_message_that_is_wrong_is_noticed() {
    let tampered = |tamper: fn(&mut State)| {
        let mut system = IPC.start(false);
        let endpoint = find(&system, |cap| matches!(cap, Cap::Endpoint { badge: 0, .. }));
        let Slot::Node { index, .. } = endpoint else { unreachable!("in the root CNode") };
        system.happens(&Act::Say(Say::new(Syscall::Recv, index, 0)));
        tamper(&mut system.state);
        complaint(|| {
            let _ = system.act(&Act::Say(Say { words: vec![1, 2, 3, 4, 5], ..Say::new(Syscall::Send, index, 9) }));
        })
    };
    assert_eq!(tampered(|_| {}), None);
    let forget_rights = |state: &mut State| {
        for held in state.slots.values_mut() {
            if let Cap::Endpoint { badge, .. } = &mut held.cap {
                *badge += 1;
            }
        }
    };
    assert!(tampered(forget_rights).is_some(), "another badge");
    let forget_buffers = |state: &mut State| {
        state.slots.retain(|slot, _| !matches!(slot, Slot::Thread { which: ThreadSlot::Buffer, .. }));
    };
    assert!(tampered(forget_buffers).is_some(), "no place for the fifth word");
}

#[test]
fn a_page_nobody_has_authority_for_breaks_confinement() {
    let mut system = STREAMS.start(false);
    let cb = find(&system, |cap| matches!(cap, Cap::Cb(_)));
    let sid = find(&system, |cap| matches!(cap, Cap::Sid(_)));
    let root = system.state.spaces.values().find(|space| space.pages.len() == 1).expect("a space with one page").root;
    let vspace = find(&system, |cap| matches!(cap, Cap::VSpace { root: found, .. } if *found == root));
    system.done(&Invocation::AssignVspace { cb, vspace });
    system.done(&Invocation::BindCb { sid, cb });
    let mut state = system.state;
    let space = state.spaces.values_mut().find(|space| space.root == root).expect("the space");
    let page = *space.pages.values().next().expect("a page");
    space.pages.insert(sluice_abi::VirtAddr(0x5000), page);
    assert!(!invariant::dma_is_confined(&state));
}

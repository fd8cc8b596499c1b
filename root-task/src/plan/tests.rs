//! What a component is told, for a system with everything in it.

use std::collections::BTreeSet;
use std::format;
use std::string::ToString;
use std::vec;

use sluice_spec::{Channel, Device, DmaMap, Faults, Location, Map, Mode, Perms, UntypedGrant};

use super::*;

fn perms(read: bool, write: bool) -> Perms {
    Perms { read, write, execute: false }
}

fn device(name: &str, sid: u64, intid: u32) -> Device {
    Device {
        name: name.to_string(),
        location: Location::Pci { host: "/pcie".into(), bridges: vec![], bus: 0, device: 2, function: 0 },
        expect: None,
        mode: Mode::Stage2,
        why: None,
        streams: vec![sid],
        context: sid as u16,
        dma: vec![DmaMap { region: 0, iova: 0x1_0000, perms: perms(true, true) }],
        interrupt: Some((intid, false)),
        faults: Some(Faults { notify: format!("{name}-fault"), budget: 4 }),
        address_bits: 64,
        coherent: true,
        manage: true,
        guest_slot: None,
        registers: vec![],
    }
}

fn component(name: &str) -> Component {
    Component {
        name: name.to_string(),
        image: 0,
        priority: 100,
        stack: 0x4000,
        heap: 0x10_0000,
        args: vec![("verbose".into(), "yes".into())],
        must_finish: false,
        restart: sluice_spec::Restart::Never,
        maps: vec![],
        devices: vec![],
        untyped: vec![],
        asid_pool: false,
        timer: None,
        guest: None,
    }
}

fn system() -> System {
    let mut driver = component("driver");
    driver.maps = vec![Map { region: 0, perms: perms(true, true), cached: true, vaddr: None, frames: false }];
    driver.devices = vec![device("disk", 0x10, 37), device("scratch", 0x30, 37)];
    driver.untyped = vec![UntypedGrant { name: "victim".into(), size_bits: 16 }];
    System {
        platform: "test".into(),
        regions: vec![sluice_spec::Region { name: "ring".into(), size: 0x3000, frame_bits: 12, contents: None }],
        components: vec![component("console"), driver],
        channels: vec![Channel { name: "console".into(), server: 0, clients: vec![1], notify: true }],
        blobs: vec![],
    }
}

fn live(bases: &[u64]) -> Vec<LiveDevice> {
    bases.iter().map(|base| LiveDevice { registers: vec![(0, *base, 0x4000)], ..LiveDevice::default() }).collect()
}

fn plan(translating: bool) -> Plan {
    let extra_args = vec![("kernel_canary".into(), "0x1000".into())];
    let circumstances = Circumstances { translating, extra_args, ..Circumstances::default() };
    Plan::new(&system(), 1, &live(&[0x1000_0000, 0x1000_4000]), &circumstances).unwrap()
}

#[test]
fn slots_are_consecutive_and_have_one_use() {
    let Plan { manifest, grants, .. } = plan(true);
    let mut next = slot::FIRST;
    for (slot, grant) in &grants {
        assert_eq!(*slot, next);
        next += match grant {
            Grant::Frames { .. } | Grant::RegionFrames { .. } => 3,
            Grant::RegisterFrames { size, .. } => size / 0x1000,
            Grant::Interrupt { .. }
            | Grant::Client { .. }
            | Grant::Server { .. }
            | Grant::Signal { .. }
            | Grant::Alarm
            | Grant::Stream { .. }
            | Grant::Context { .. }
            | Grant::Space { .. }
            | Grant::AsidPool
            | Grant::Untyped { .. } => 1,
        };
    }
    assert_eq!(manifest.first_free_slot, next);
    assert!(1 << manifest.cnode_bits >= next + SPARE_SLOTS);
    let manage = manifest.devices[1].manage.as_ref().unwrap();
    let at = |slot: u64| &grants.iter().find(|(at, _)| *at == slot).unwrap().1;
    assert_eq!(at(manage.sids[0]), &Grant::Stream { device: 1, stream: 0 });
    assert_eq!(at(manage.cb), &Grant::Context { device: 1 });
    assert_eq!(at(manage.space), &Grant::Space { device: 1 });
    assert_eq!(at(manifest.devices[1].dma[0].frames), &Grant::Frames { device: 1, mapping: 0 });
    assert_eq!(at(manifest.untyped[0].cap), &Grant::Untyped { size_bits: 16 });
    assert_eq!(at(manifest.clients[0].endpoint), &Grant::Client { channel: 0, badge: 1 });
}

#[test]
fn devices_on_one_line_share_its_handler() {
    let Plan { manifest, grants, .. } = plan(true);
    assert_eq!(manifest.devices[0].interrupt, manifest.devices[1].interrupt);
    assert_eq!(grants.iter().filter(|(_, grant)| matches!(grant, Grant::Interrupt { .. })).count(), 1);
    let mut system = system();
    system.components[1].devices[1].interrupt = Some((37, true));
    let error = Plan::new(&system, 1, &live(&[0, 0x4000]), &Circumstances::default());
    assert_eq!(error, Err(PlanError::Trigger(37)));
}

#[test]
fn signals_are_single_bits_above_all_client_badges() {
    let Plan { manifest, fault_badges, .. } = plan(true);
    let badges: BTreeSet<u64> = manifest.signals.iter().map(|signal| signal.badge).collect();
    assert_eq!(badges.len(), 4);
    assert!(badges.iter().all(|badge| badge.is_power_of_two() && *badge > u64::from(u32::MAX)));
    let named = |name: &str| manifest.signals.iter().find(|signal| signal.name == name).map(|signal| signal.badge);
    assert_eq!(fault_badges, [named("disk-fault"), named("scratch-fault")]);
    assert!(named(&manifest.devices[0].interrupt.as_ref().unwrap().signal).is_some());
}

#[test]
fn without_translation_there_are_no_stream_capabilities() {
    let Plan { manifest, grants, .. } = plan(false);
    assert!(manifest.devices.iter().all(|device| device.manage.is_none() && device.dma[0].frames == 0));
    let about_streams = |grant: &Grant| {
        matches!(grant, Grant::Stream { .. } | Grant::Context { .. } | Grant::Space { .. } | Grant::Frames { .. })
    };
    assert!(grants.iter().all(|(_, grant)| !about_streams(grant)));
}

#[test]
fn only_the_spec_decides_who_may_manage() {
    let mut system = system();
    system.components[1].devices.iter_mut().for_each(|device| device.manage = false);
    let circumstances = Circumstances { translating: true, ..Circumstances::default() };
    let plan = Plan::new(&system, 1, &live(&[0, 0x4000]), &circumstances).unwrap();
    assert!(plan.manifest.devices.iter().all(|device| device.manage.is_none() && device.dma[0].frames == 0));
    assert!(!plan.grants.iter().any(|(_, grant)| matches!(grant, Grant::Stream { .. } | Grant::Frames { .. })));
}

#[test]
fn both_sides_of_a_channel_agree() {
    let server = Plan::new(&system(), 0, &[], &Circumstances::default()).unwrap();
    let client = plan(true).manifest;
    let badge = client.signals.iter().find(|signal| signal.name == "console").unwrap().badge;
    let caller = Caller { name: "driver".into(), badge: 1, signal: Some(slot::FIRST + 1) };
    assert_eq!(server.manifest.servers[0].clients, [caller]);
    let signal = Grant::Signal { component: 1, badge };
    assert_eq!(server.grants, [(slot::FIRST, Grant::Server { channel: 0 }), (slot::FIRST + 1, signal)]);
    assert!(server.manifest.clients.is_empty());

    let mut quiet = system();
    quiet.channels[0].notify = false;
    let server = Plan::new(&quiet, 0, &[], &Circumstances::default()).unwrap();
    assert_eq!(server.manifest.servers[0].clients[0].signal, None);
    assert_eq!(server.grants, [(slot::FIRST, Grant::Server { channel: 0 })]);
    let client = Plan::new(&quiet, 1, &live(&[0, 0x4000]), &Circumstances::default()).unwrap();
    assert!(client.manifest.signals.iter().all(|signal| signal.name != "console"));
}

#[test]
fn a_client_of_several_servers_tells_their_signals_apart() {
    let mut system = system();
    system.components.push(component("timer"));
    for (name, server) in [("silent", 0), ("timer", 2)] {
        let notify = name == "timer";
        system.channels.push(Channel { name: name.to_string(), server, clients: vec![1], notify });
    }
    let manifest =
        |index: usize, live: &[LiveDevice]| Plan::new(&system, index, live, &Circumstances::default()).unwrap();
    let driver = manifest(1, &live(&[0, 0x4000])).manifest;
    let badges: Vec<_> = driver.signals.iter().map(|signal| (signal.name.as_str(), signal.badge)).collect();
    assert_eq!(badges[..2], [("console", 1 << 32), ("timer", 1 << 33)]);
    assert_eq!(manifest(2, &[]).grants[1].1, Grant::Signal { component: 1, badge: 1 << 33 });
}

#[test]
fn the_root_task_has_alarms_where_somebody_lives_again() {
    let mut system = system();
    system.components.push(component("timer"));
    system.components[2].timer = Some((30, false));
    system.channels.push(Channel { name: "timer".to_string(), server: 2, clients: vec![1, 0], notify: true });
    let clients = |system: &System| {
        let plan = Plan::new(system, 2, &[], &Circumstances::default()).unwrap();
        (plan.manifest.servers[0].clients.clone(), plan.grants)
    };
    assert_eq!((clients(&system).0.len(), alarm::channel(&system)), (2, None));
    system.components[0].restart = sluice_spec::Restart::Times(1);
    assert_eq!(alarm::channel(&system), Some(1), "the root task is at 99, below the console server");
    let (callers, grants) = clients(&system);
    let last = callers.last().unwrap();
    assert_eq!((callers.len(), last.badge, alarm::badge(&system.channels[1])), (3, 3, 3));
    assert!(last.name.contains(' '), "no component can be called so");
    assert!(grants.contains(&(last.signal.unwrap(), Grant::Alarm)));
    // A channel of that name whose server is no timer, or cannot signal, is another thing.
    system.channels[1].notify = false;
    assert_eq!(alarm::channel(&system), None);
    system.channels[1].notify = true;
    // One that does not wait whenever the root task runs may miss what it asks for.
    for priority in [0, 98, 99] {
        system.components[2].priority = priority;
        assert_eq!((alarm::channel(&system), clients(&system).0.len()), (None, 2));
    }
    system.components[2].priority = 255;
    assert_eq!(alarm::channel(&system), Some(1));
    system.channels[0].name = "other".to_string();
    assert_eq!(alarm::channel(&system), None, "nobody is above the root task without a console server");
    system.channels[0].name = "console".to_string();
    system.components[2].timer = None;
    assert_eq!((alarm::channel(&system), clients(&system).0.len()), (None, 2));
}

#[test]
fn the_timer_raises_a_signal_that_no_spec_can_name() {
    let mut system = system();
    system.components[0].timer = Some((30, false));
    let Plan { manifest, grants, .. } = Plan::new(&system, 0, &[], &Circumstances::default()).unwrap();
    let timer = manifest.timer.unwrap();
    let badge = manifest.signals.iter().find(|signal| signal.name == timer.signal).unwrap().badge;
    assert!(grants.contains(&(timer.handler, Grant::Interrupt { intid: 30, edge: false, badge })));
    assert!(timer.signal.contains(' '));
    let other = Plan::new(&system, 1, &live(&[0, 0x4000]), &Circumstances::default()).unwrap();
    assert_eq!(other.manifest.timer, None);
}

#[test]
fn registers_inside_a_page_keep_their_offset() {
    let circumstances = Circumstances::default();
    let mut one = system();
    one.components[1].devices.truncate(1);
    let live = [LiveDevice { registers: vec![(0, 0x900_0040, 0x20)], ..LiveDevice::default() }];
    let plan = Plan::new(&one, 1, &live, &circumstances).unwrap();
    let page = &plan.registers[0];
    assert_eq!((page.base, page.size), (0x900_0000, 0x1000));
    let registers = plan.manifest.devices[0].registers[0];
    assert_eq!((registers.vaddr, registers.size), (page.vaddr + 0x40, 0x20));
}

#[test]
fn contradictions_are_refused() {
    let circumstances = Circumstances::default();
    let plan = |change: fn(&mut System)| {
        let mut system = system();
        change(&mut system);
        Plan::new(&system, 1, &live(&[0, 0x4000]), &circumstances).map(|_| ())
    };
    assert_eq!(plan(|_| ()), Ok(()));
    assert_eq!(plan(|system| system.regions.clear()), Err(PlanError::Reference("region")));
    assert_eq!(
        plan(|system| system.components[1].maps[0].perms.read = false),
        Err(PlanError::WriteOnly("ring".into()))
    );
    assert_eq!(
        plan(|system| system.components[1].devices[0].dma[0].perms.read = false),
        Err(PlanError::WriteOnly("ring".into()))
    );
    assert_eq!(plan(|system| system.components[1].stack = 100), Err(PlanError::Unaligned(100)));
    assert!(matches!(plan(|system| system.components[1].heap = 1 << 40), Err(PlanError::Outside { .. })));
    assert_eq!(plan(|system| system.components[1].devices.truncate(1)), Err(PlanError::Reference("device")));
    assert_eq!(plan(|system| system.components.truncate(1)), Err(PlanError::Reference("component")));
}

#[test]
fn a_manifest_survives_its_encoding() {
    let manifest = plan(true).manifest;
    let bytes = manifest.encode().unwrap();
    assert_eq!(Manifest::decode(&bytes), Ok(manifest));
}

#[test]
fn the_command_line_overrides_the_spec_and_the_machine_overrides_both() {
    let system = system();
    let name = &system.components[1].name;
    let circumstances = Circumstances {
        translating: true,
        smmus: vec![],
        rng_seed: vec![],
        extra_args: vec![("canary".into(), "0x1000".into())],
        command_line: format!(
            "other.verbose=1 {name}.verbose=no {name}.canary=0x2000 {name}.bare {name}x.verbose=2 sluice.x=1"
        ),
    };
    let plan = Plan::new(&system, 1, &live(&[0x1000_0000, 0x1000_4000]), &circumstances).unwrap();
    let expected = [("verbose".into(), "no".into()), ("canary".into(), "0x1000".into())];
    assert_eq!(plan.manifest.args, expected);
}

/// A guest with two functions, each behind a stage 1 of its own.
fn guests() -> System {
    let mut system = system();
    let owner = &mut system.components[1];
    owner.guest = Some(sluice_spec::Guest { ram: 0, kernel: 1, initrd: None, bootargs: String::new(), vcpus: 1 });
    for (device, slot) in owner.devices.iter_mut().zip(1..) {
        device.mode = Mode::Nested;
        device.guest_slot = Some(slot);
        device.dma.clear();
    }
    system.regions.push(sluice_spec::Region { name: "kernel".into(), size: 0x1000, frame_bits: 12, contents: Some(0) });
    system.blobs.push(sluice_spec::Blob { name: "Image".into(), offset: 0, len: 64 });
    system
}

fn plan_guest(change: fn(&mut System), smmus: &[u32]) -> Result<Plan, PlanError> {
    let mut system = guests();
    change(&mut system);
    let smmus = smmus.iter().map(|idr0| [*idr0, 0, 0, 0]).collect();
    let circumstances = Circumstances { translating: true, smmus, ..Circumstances::default() };
    Plan::new(&system, 1, &live(&[0, 0x4000]), &circumstances)
}

#[test]
fn a_guests_function_has_one_stream_with_its_own_capabilities() {
    let Plan { manifest, grants, .. } = plan_guest(|_| (), &[0b11]).unwrap();
    let guest = manifest.guest.unwrap();
    assert_eq!(guest.smmu, Some([0b11, 0, 0, 0]));
    for (position, device) in guest.devices.iter().enumerate() {
        let stream = device.stream.unwrap();
        assert_eq!((stream.word, stream.nested), ([0x10, 0x30][position], true));
        let at = |slot: u64| grants.iter().find(|(own, _)| *own == slot).map(|(_, grant)| grant);
        assert_eq!(at(stream.sid), Some(&Grant::Stream { device: position, stream: 0 }));
        assert_eq!(at(stream.cb), Some(&Grant::Context { device: position }));
    }
    let quiet = plan_guest(|system| system.components[1].devices[0].mode = Mode::None, &[0b11]).unwrap();
    assert_eq!(quiet.manifest.guest.unwrap().devices[0].stream, None);
}

#[test]
fn a_guests_function_with_two_streams_or_none_is_refused() {
    let refused = |change: fn(&mut System), smmus: &[u32]| plan_guest(change, smmus).map(drop);
    let two: fn(&mut System) = |system| system.components[1].devices[1].streams.push(0x31);
    assert_eq!(refused(two, &[0b11]), Err(PlanError::Streams("scratch".into(), 2)));
    assert_eq!(
        refused(|system| system.components[1].devices[0].streams.clear(), &[0b11]),
        Err(PlanError::Streams("disk".into(), 0))
    );
}

#[test]
fn a_stage_1_of_the_guests_takes_one_smmu_with_both_stages() {
    for (idr0, missing) in [(0b01, 1), (0b10, 2)] {
        let message = plan_guest(|_| (), &[idr0]).map(drop).unwrap_err().to_string();
        assert_eq!(message, format!("its nested devices take both stages, and their SMMU has no stage {missing}"));
    }
    let apart: fn(&mut System) = |system| system.components[1].devices[1].streams[0] |= 1 << 32;
    let message = plan_guest(apart, &[0b11, 0b11]).map(drop).unwrap_err().to_string();
    assert_eq!(message, "its nested devices are behind several SMMUs");
}

use alloc::string::ToString;
use alloc::vec;

use sluice_manifest as manifest;

use super::*;

const READ_ONLY: manifest::Perms = manifest::Perms { read: true, write: false, execute: false };

fn env() -> Env {
    let device = manifest::Device {
        name: "disk".into(),
        registers: vec![manifest::Registers { index: 2, vaddr: layout::REGIONS + 0x1_0000, size: 0x4000 }],
        interrupt: Some(manifest::Interrupt { handler: 30, signal: "disk_irq".into() }),
        streams: vec![0x10, 1 << 40],
        dma: vec![manifest::DmaRegion {
            region: "ring".into(),
            iova: 0x1_0000,
            size: 0x3000,
            perms: READ_ONLY,
            frames: 40,
            frame_count: 3,
        }],
        manage: Some(manifest::Manage { sids: vec![31], cb: 32, space: 33 }),
        address_bits: 40,
        coherent: true,
        fault_signal: None,
    };
    let bare = manifest::Device { name: "bare".into(), manage: None, interrupt: None, ..device.clone() };
    Env::new(Manifest {
        name: "nvme".into(),
        args: vec![("attack".into(), "none".into())],
        cnode_bits: 7,
        first_free_slot: 126,
        heap_bytes: 0x1_0000,
        regions: vec![
            manifest::Region {
                name: "ring".into(),
                vaddr: layout::REGIONS,
                size: 0x3000,
                perms: READ_ONLY,
                frames: None,
            },
            manifest::Region {
                name: "wrong".into(),
                vaddr: layout::HEAP,
                size: 0x3000,
                perms: READ_ONLY,
                frames: None,
            },
        ],
        devices: vec![device, bare],
        clients: vec![manifest::Client { name: "console".into(), endpoint: 20 }],
        servers: vec![manifest::Server {
            name: "vault".into(),
            endpoint: 21,
            clients: vec![manifest::Caller { name: "edu".into(), badge: 1, signal: None }],
        }],
        signals: vec![manifest::Signal { name: "disk_irq".into(), badge: 0b10 }],
        untyped: vec![manifest::Untyped { name: "spare".into(), cap: 22, size_bits: 16 }],
        asid_pool: Some(60),
        timer: None,
        guest: None,
        life: 0,
    })
}

#[test]
fn what_the_spec_names_is_found() {
    let env = env();
    assert_eq!((env.name(), env.arg("attack"), env.arg("x")), ("nvme", Some("none"), None));
    assert_eq!(env.region("ring").expect("a region").address(), VirtAddr(layout::REGIONS));
    assert_eq!(env.channel_client("console"), Ok(Endpoint::from(20)));
    assert_eq!(env.untyped("spare"), Ok(UntypedGrant { cap: Untyped::from(22), size_bits: 16 }));
    let server = env.channel_server("vault").expect("a server");
    assert_eq!((server.endpoint(), server.client(1), server.client(2)), (Endpoint::from(21), Some((0, "edu")), None));
    let error = server.signal(0).expect_err("a channel without signals");
    assert_eq!(error.to_string(), "no signal to a client of `vault`; there are none");
    assert!(server.signal(1).is_err(), "there is one client");
}

#[test]
fn a_device_has_its_parts() {
    let env = env();
    let disk = env.device("disk").expect("a device");
    assert_eq!(disk.registers(2).expect("BAR 2").len(), 0x4000);
    let view = disk.dma("ring").expect("a region of both");
    assert_eq!((view.iova.0, view.memory.len()), (0x1_0000, 0x3000));
    assert_eq!(view.frames, [40, 41, 42].map(Frame::from));
    assert_eq!(disk.manage().expect("managed").space, VSpace::from(33));
    assert_eq!(disk.streams().count(), 1, "a word that is no stream is none");
}

#[test]
fn missing_things_are_named() {
    let env = env();
    assert_eq!(env.region("rung").expect_err("no such").to_string(), "no region `rung`; there are: ring, wrong");
    assert_eq!(env.device("usb").expect_err("no such").to_string(), "no device `usb`; there are: disk, bare");
    assert_eq!(env.untyped("x").expect_err("no such").to_string(), "no untyped `x`; there are: spare");
    let disk = env.device("disk").expect("a device");
    assert_eq!(disk.registers(0).expect_err("no BAR 0").to_string(), "no register range `0 of disk`; there are: 2");
    assert!(disk.fault_signal().is_err());
    let bare = env.device("bare").expect("a device");
    assert!(bare.manage().is_err() && bare.interrupt().is_err());
    assert_eq!(bare.dma("ring").expect("a region").frames, [], "frames come with management only");
}

#[test]
fn memory_where_rust_objects_are_is_refused() {
    assert_eq!(env().region("wrong"), Err(RtError::Address(layout::HEAP)));
}

#[test]
fn free_addresses_and_slots_are_given_once() {
    let env = env();
    assert_eq!(env.take_addresses(1), VirtAddr(layout::FREE));
    assert_eq!(env.take_addresses(0x2000), VirtAddr(layout::FREE + 0x1000));
    assert_eq!(env.take_addresses(0x1000), VirtAddr(layout::FREE + 0x3000));
    assert_eq!(env.slots().take().map(|slot| slot.index), Ok(126));
    assert_eq!(env.slots().take().map(|slot| slot.index), Ok(127));
    assert_eq!(env.slots().take(), Err(RtError::NoSlots));
}

//! The driver against QEMU's controller, without any kernel: registers and memory are reached through QEMU's test
//! protocol while the machine's processor waits. What the simulated controller of the other tests takes from the
//! specification, this one has from somebody else.

mod machine;

use std::fs;

use sluice_abi::Iova;
use sluice_nvme::prp::Pointers;
use sluice_nvme::stream::{self, Buffer};
use sluice_nvme::{Controller, Data, Operation, pattern, status};

use machine::{Machine, Memory};

const QUEUES: u64 = 0x4800_0000;
const BUFFER: u64 = 0x4900_0000;
const BUFFER_BYTES: u64 = 2 << 20;
/// No memory and no PCI window is there (reads of an empty window succeed).
const NOWHERE: Iova = Iova(0x200_0000_0000);

fn contents(bytes: usize) -> Vec<u8> {
    (0..bytes as u64).map(|at| (at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect()
}

#[test]
fn qemu_reads_writes_and_refuses() {
    let image = std::env::temp_dir().join(format!("sluice-nvme-{}.img", std::process::id()));
    let disk = contents((5 << 20) + 512 * 3);
    fs::write(&image, &disk).expect("a disk image");
    let machine = Machine::start(&image);
    let memory = Memory { machine: machine.clone(), at: QUEUES, bytes: 64 << 10 };
    let mut interrupt = machine.clone();
    let mut driver = Controller::open(machine.clone(), memory, machine.clone()).expect("opens");
    assert_eq!(driver.namespace().bytes(), disk.len() as u64);
    assert_eq!(driver.identity().serial.to_string(), "disk");
    assert_eq!(driver.depth(), 63);

    let buffer = Buffer::plan(&driver, Iova(BUFFER), BUFFER_BYTES, 32).expect("fits");
    let mut seen = Vec::new();
    let read = stream::read_all(&mut driver, &mut interrupt, buffer, |chunk| {
        assert_eq!(chunk.disk_offset, seen.len() as u64);
        seen.extend(machine.read_memory(BUFFER + chunk.buffer_offset, chunk.bytes));
    })
    .expect("reads");
    assert!(seen == disk, "the bytes of the image");
    assert_eq!(read.deepest, 32);
    assert!(read.interrupts > 0);

    let beyond = Operation::Read { lba: driver.namespace().blocks, blocks: 1, data: Data::At(Iova(BUFFER)) };
    let refused = stream::single(&mut driver, &mut interrupt, beyond).expect("ends").expect_err("beyond the end");
    assert_eq!((refused.kind, refused.do_not_retry), (status::LBA_OUT_OF_RANGE, true));

    let list_nowhere = Pointers { first: Iova(BUFFER), second: NOWHERE };
    let lost = Operation::Read { lba: 0, blocks: 24, data: Data::Through(list_nowhere) };
    let refused = stream::single(&mut driver, &mut interrupt, lost).expect("ends").expect_err("no such memory");
    assert_eq!(refused.kind, status::DATA_TRANSFER);
    // QEMU reports lost lists, but not lost data: for that, the SMMU's record is the only evidence.
    assert_eq!(driver.log_to(NOWHERE, 4), Ok(()));
    assert_eq!(driver.error_log().map(|entry| entry.count), Ok(0));

    let written = stream::write_all(
        &mut driver,
        &mut interrupt,
        buffer,
        |chunk| {
            let words = (0..chunk.bytes).step_by(8).flat_map(|at| pattern::word(chunk.disk_offset + at).to_le_bytes());
            machine.write_memory(BUFFER + chunk.buffer_offset, &words.collect::<Vec<_>>());
        },
        |_| (),
    )
    .expect("writes");
    assert_eq!(written.bytes, disk.len() as u64);
    assert_eq!(stream::single(&mut driver, &mut interrupt, Operation::Flush), Ok(Ok(())));
    driver.shut_down().expect("shuts down");
    let after = fs::read(&image).expect("the image");
    fs::remove_file(&image).expect("removed");
    assert_eq!(after.len(), disk.len());
    for (index, word) in after.chunks_exact(8).enumerate() {
        assert_eq!(word, pattern::word(index as u64 * 8).to_le_bytes(), "word at {:#x}", index * 8);
    }
}

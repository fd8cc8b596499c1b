//! Reading and writing through the queues.

use proptest::prelude::*;
use sluice_abi::Iova;
use sluice_nvme::hardware::{Dma, Interrupt};
use sluice_nvme::prp::Pointers;
use sluice_nvme::stream::{self, Buffer};
use sluice_nvme::{Data, Error, Operation, pattern, status};

use crate::fake::{BUFFER_AT, Driver, Handle, Nature};

fn machine(change: impl FnOnce(&mut Nature)) -> (Handle, Driver) {
    let mut nature = Nature::default();
    change(&mut nature);
    let machine = Handle::new(nature);
    let driver = machine.open().expect("opens");
    (machine, driver)
}

fn read_disk(machine: &Handle, driver: &mut Driver, buffer: Buffer) -> Result<(Vec<u8>, stream::Summary), Error> {
    let memory = machine.buffer();
    let mut seen = Vec::new();
    let summary = stream::read_all(driver, &mut machine.clone(), buffer, |chunk| {
        assert_eq!(chunk.disk_offset, seen.len() as u64, "chunks in order");
        for word in 0..chunk.bytes / 8 {
            seen.extend(memory.load(chunk.buffer_offset + 8 * word).to_le_bytes());
        }
    })?;
    Ok((seen, summary))
}

#[test]
fn a_whole_disk_is_read_in_order_at_depth() {
    let (machine, mut driver) = machine(|_| ());
    let buffer = Buffer::plan(&driver, Iova(BUFFER_AT), 512 << 10, 48).expect("fits");
    assert_eq!((buffer.slots, buffer.chunk), (48, 10752));
    let (seen, summary) = read_disk(&machine, &mut driver, buffer).expect("reads");
    let state = machine.0.borrow();
    assert!(seen == state.disk, "the bytes of the disk");
    assert_eq!(summary.bytes, 4 << 20);
    assert_eq!(summary.commands, (4_u64 << 20).div_ceil(10752));
    assert_eq!((summary.deepest, state.deepest), (48, 48));
    assert!(summary.interrupts > 0 && summary.interrupts <= summary.commands);
    assert!(state.wraps >= 4, "the completion queue went round {} times", state.wraps);
    assert!(state.faults.is_empty());
}

#[test]
fn a_whole_disk_is_written_and_flushed() {
    let (machine, mut driver) = machine(|nature| nature.seed = 77);
    let memory = machine.buffer();
    let buffer = Buffer::plan(&driver, Iova(BUFFER_AT), 4 << 20, 32).expect("fits");
    let summary = stream::write_all(
        &mut driver,
        &mut machine.clone(),
        buffer,
        |chunk| {
            for at in (0..chunk.bytes).step_by(8) {
                memory.store(chunk.buffer_offset + at, pattern::word(chunk.disk_offset + at));
            }
            memory.publish();
        },
        |_| (),
    );
    assert_eq!(summary.map(|summary| summary.bytes), Ok(4 << 20));
    assert_eq!(machine.0.borrow().flushes, 0);
    let flushed = stream::single(&mut driver, &mut machine.clone(), Operation::Flush);
    assert_eq!(flushed, Ok(Ok(())));
    let state = machine.0.borrow();
    assert_eq!(state.flushes, 1);
    for (index, word) in state.disk.chunks_exact(8).enumerate() {
        let expected = (index as u64 * 8) ^ 0x5c5c_5c5c_5c5c_5c5c;
        assert_eq!(word, expected.to_le_bytes(), "word at {:#x}", index * 8);
    }
}

#[test]
fn the_end_of_the_namespace_is_an_error_and_no_end() {
    let (machine, mut driver) = machine(|_| ());
    let beyond = Operation::Read { lba: 8191, blocks: 2, data: Data::At(Iova(BUFFER_AT)) };
    let result = stream::single(&mut driver, &mut machine.clone(), beyond).expect("ends");
    let status = result.expect_err("beyond the end");
    assert_eq!((status.kind, status.do_not_retry), (status::LBA_OUT_OF_RANGE, true));
    let last = Operation::Read { lba: 8191, blocks: 1, data: Data::At(Iova(BUFFER_AT)) };
    assert_eq!(stream::single(&mut driver, &mut machine.clone(), last), Ok(Ok(())));
    assert_eq!(machine.buffer().load(0).to_le_bytes(), machine.0.borrow().disk[8191 * 512..][..8]);
}

#[test]
fn memory_out_of_reach_is_an_error_and_no_end() {
    let (machine, mut driver) = machine(|_| ());
    let outside = Iova(0x5000_0000);
    let cases = [
        Pointers { first: outside, second: Iova(0) },
        Pointers { first: Iova(BUFFER_AT), second: outside },
        Pointers { first: Iova(BUFFER_AT), second: outside.offset(0x1000) },
    ];
    for (pointers, blocks) in cases.into_iter().zip([1, 16, 32]) {
        let read = Operation::Read { lba: 0, blocks, data: Data::Through(pointers) };
        let result = stream::single(&mut driver, &mut machine.clone(), read).expect("ends");
        assert_eq!(result.map_err(|status| status.kind), Err(status::DATA_TRANSFER));
    }
    assert_eq!(machine.0.borrow().faults, [outside.0, outside.0, outside.0 + 0x1000]);
    assert_eq!(
        driver.log_to(outside, 4).map_err(|error| error.to_string()),
        Err("Get Log Page failed: data transfer error (generic 0x04)".into())
    );
    assert_eq!(driver.error_log().map(|entry| entry.count), Ok(0));
    let buffer = Buffer::plan(&driver, Iova(BUFFER_AT), 1 << 20, 32).expect("fits");
    let (seen, _) = read_disk(&machine, &mut driver, buffer).expect("goes on");
    assert!(seen == machine.0.borrow().disk);
}

#[test]
fn one_bad_block_ends_the_stream_after_the_rest() {
    let (machine, mut driver) = machine(|nature| {
        nature.bad_blocks.insert(5000, 0x0281);
    });
    let buffer = Buffer::plan(&driver, Iova(BUFFER_AT), 1 << 20, 32).expect("fits");
    let error = read_disk(&machine, &mut driver, buffer).expect_err("a bad block");
    assert_eq!(error.to_string(), "transfer at block 4992 failed: unrecovered read error (media 0x81)");
    assert_eq!(driver.outstanding(), 0, "nothing may write the buffer any more");
    let good = Operation::Read { lba: 0, blocks: 8, data: Data::At(Iova(BUFFER_AT)) };
    assert_eq!(stream::single(&mut driver, &mut machine.clone(), good), Ok(Ok(())));
}

#[test]
fn the_queue_fills_and_empties() {
    let (machine, mut driver) = machine(|_| ());
    let read = |lba| Operation::Read { lba, blocks: 1, data: Data::At(Iova(BUFFER_AT + 512 * lba)) };
    for lba in 0..63 {
        driver.submit(read(lba)).expect("room");
    }
    assert_eq!(driver.submit(read(63)), Err(Error::Busy));
    assert_eq!(driver.outstanding(), 63);
    let buffer = Buffer { iova: Iova(BUFFER_AT), chunk: 4096, slots: 32 };
    assert_eq!(
        read_disk(&machine, &mut driver, buffer).map(|_| ()),
        Err(Error::Busy),
        "others' commands are in flight"
    );
    let mut ended = Vec::new();
    while driver.outstanding() > 0 {
        machine.clone().wait();
        while let Some(done) = driver.reap().expect("a completion") {
            assert_eq!(done.result, Ok(()));
            ended.push(done.lba);
        }
        driver.acknowledge();
    }
    assert_ne!(ended, (0..63).collect::<Vec<_>>(), "the order of their ends is not the order of submission");
    ended.sort_unstable();
    assert_eq!(ended, (0..63).collect::<Vec<_>>());
    let (seen, _) = read_disk(&machine, &mut driver, buffer).expect("reads");
    assert!(seen == machine.0.borrow().disk);
}

#[test]
fn a_buffer_of_no_whole_blocks_is_refused() {
    let (machine, mut driver) = machine(|_| ());
    for (chunk, slots) in [(0, 32), (511, 32), (4097, 32), (4096, 0), (4096, 65)] {
        let buffer = Buffer { iova: Iova(BUFFER_AT), chunk, slots };
        assert_eq!(read_disk(&machine, &mut driver, buffer).map(|_| ()), Err(Error::Blocks), "{buffer:?}");
    }
    assert_eq!(machine.0.borrow().io_commands, 0);
}

#[test]
fn what_does_not_fit_one_command_is_refused() {
    let (machine, mut driver) = machine(|_| ());
    let read = |blocks, at| Operation::Read { lba: 0, blocks, data: Data::At(Iova(at)) };
    assert_eq!(driver.submit(read(0, BUFFER_AT)), Err(Error::Blocks));
    assert_eq!(driver.submit(read(513, BUFFER_AT)), Err(Error::Blocks));
    assert_eq!(driver.submit(read(u32::MAX, BUFFER_AT)), Err(Error::Blocks));
    assert!(matches!(driver.submit(read(1, BUFFER_AT + 2)), Err(Error::Prp(_))));
    assert!(matches!(driver.submit(read(1, u64::MAX - 3)), Err(Error::Prp(_))));
    assert_eq!(driver.outstanding(), 0);
    assert_eq!(machine.0.borrow().io_commands, 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_geometry_reads_every_byte_once(
        seed: u64,
        mqes in 1u64..80,
        mdts in 0u8..9,
        block_bits in 9u8..=12,
        blocks in 1u64..600,
        buffer_pages in 1u64..256,
        skew in 0u64..512,
        depth in 1u16..70,
    ) {
        let (machine, mut driver) = machine(|nature| {
            nature.seed = seed;
            nature.cap = nature.cap & !0xffff | mqes;
            nature.mdts = mdts;
            nature.block_bits = block_bits;
            nature.blocks = blocks;
        });
        let skew = skew * 8;
        let bytes = buffer_pages * 4096;
        let Ok(buffer) = Buffer::plan(&driver, Iova(BUFFER_AT), bytes, depth) else {
            prop_assert!(bytes < u64::from(depth.min(driver.depth())) << block_bits);
            return Ok(());
        };
        prop_assert!(buffer.chunk * u64::from(buffer.slots) <= bytes);
        let shifted = Buffer { iova: Iova(BUFFER_AT + skew), ..buffer };
        let memory = machine.buffer();
        let mut seen = Vec::new();
        let summary = stream::read_all(&mut driver, &mut machine.clone(), shifted, |chunk| {
            for word in 0..chunk.bytes / 8 {
                seen.extend(memory.load(skew + chunk.buffer_offset + 8 * word).to_le_bytes());
            }
        });
        prop_assert_eq!(summary.map(|summary| summary.bytes), Ok(blocks << block_bits));
        prop_assert!(seen == machine.0.borrow().disk);
    }
}

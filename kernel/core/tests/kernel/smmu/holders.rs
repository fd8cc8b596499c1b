//! Batches of stage-1 commands by the holder of a context.

use super::*;

/// The batch as a message.
fn message(commands: &[[u64; 2]]) -> Vec<u64> {
    let mut words = vec![commands.len() as u64];
    words.extend(commands.iter().flatten());
    words
}

impl Device {
    fn batch(&mut self, commands: &[[u64; 2]]) -> Reply {
        self.system.model().take_executed();
        self.system.call(self.cb, Label::CbInvalidateStage1, &[], &message(commands))
    }
}

const SYNC: [u64; 2] = [0x46, 0];
/// The context's VMID in its place.
const VMID: u64 = 3 << 32;

#[test]
fn commands_reach_the_holders_own_context_and_streams_with_one_sync() {
    let mut device = Device::nested();
    let cb = device.cb;
    let other = device.system.next_slot;
    assert_eq!(device.system.get_sid(STREAM + 1), ok());
    device.system.done(other, Label::SidBindCb, &[cb], &[]);
    let foreign = 0x7fff << 32;
    let asid = 0xabcd << 48;
    let range = [5 << 12 | 2 << 20, 1 << 10 | 0x7000];
    let reply = device.batch(&[
        [0x30, 0],
        [foreign | 0x10, 0],
        [foreign | asid | 0x11, 0],
        [foreign | asid | 0x12, 0x1001],
        [foreign | range[0] | 0x13, range[1]],
        [0xdead_beef << 32 | 0x05, 1],
        [0xdead_beef << 32 | 0x06, 0],
    ]);
    assert_eq!(reply, ok());
    let streams = [(STREAM + 1) << 32, STREAM << 32];
    assert_eq!(
        device.system.model().take_executed(),
        [
            [VMID | 0x10, 0],
            [VMID | 0x10, 0],
            [VMID | asid | 0x11, 0],
            [VMID | asid | 0x12, 0x1001],
            [VMID | range[0] | 0x13, range[1]],
            [streams[0] | 0x05, 1],
            [streams[1] | 0x05, 1],
            [streams[0] | 0x06, 0],
            [streams[1] | 0x06, 0],
            SYNC,
        ]
    );
}

#[test]
fn nothing_of_a_batch_with_one_bad_command_is_executed() {
    let mut device = Device::nested();
    let good = [0x10, 0];
    let bad = [
        [0x46, 0],           // SYNC
        [0x28, 0],           // TLBI_S12_VMALL
        [0x2a, 0x1000],      // TLBI_S2_IPA
        [0x03, 1],           // CFGI_STE
        [0x04, 31],          // CFGI_ALL
        [0x20, 0],           // TLBI_EL2_ALL
        [0x01, 0],           // PREFETCH_CONFIG
        [0x40, 0],           // ATC_INV
        [0x10, 1],           // a reserved bit
        [0x410, 0],          // Secure
        [1 << 12 | 0x05, 0], // a substream, of which there are none
    ];
    for command in bad {
        for place in [0, 1, 58] {
            let mut batch = vec![good; 59];
            batch[place] = command;
            assert_eq!(device.batch(&batch), invalid_argument(place as u64), "{command:x?} at {place}");
            assert_eq!(device.system.model().take_executed(), Vec::<[u64; 2]>::new(), "{command:x?} at {place}");
        }
    }
    assert_eq!(device.batch(&[good; 59]), ok());
    assert_eq!(device.system.model().take_executed().len(), 60);
}

#[test]
fn batches_have_bounds_and_need_a_stage_1() {
    let mut device = Device::nested();
    let cb = device.cb;
    let call = |device: &mut Device, words: &[u64]| device.system.call(cb, Label::CbInvalidateStage1, &[], words);
    assert_eq!(call(&mut device, &[]), truncated());
    for count in [0, 60, u64::MAX, 1 << 32 | 1] {
        assert_eq!(call(&mut device, &[count, 0x10, 0]), range(1, 59), "{count:#x}");
    }
    assert_eq!(call(&mut device, &[1, 0x10]), truncated());
    assert_eq!(call(&mut device, &[59, 0x10, 0]), truncated());
    device.system.done(cb, Label::CbUnassignCdTable, &[], &[]);
    assert_eq!(device.batch(&[[0x10, 0]]), illegal());
    device.system.done(cb, Label::CbUnassignVspace, &[], &[]);
    assert_eq!(device.batch(&[[0x10, 0]]), illegal());
}

#[test]
fn a_batch_for_many_streams_is_bounded_too() {
    let mut device = Device::nested();
    let cb = device.cb;
    for stream in 0x40..0x40 + 64 {
        let sid = device.system.next_slot;
        assert_eq!(device.system.get_sid(stream), ok());
        device.system.done(sid, Label::SidBindCb, &[cb], &[]);
    }
    assert_eq!(device.batch(&[[0x06, 0]; 59]), ok());
    assert_eq!(device.system.model().take_executed(), [[0x04, 31], SYNC]);
    device.opcodes();
    device.system.done(device.frame, Label::PageUnmap, &[], &[]);
    assert_eq!(device.opcodes(), [0x2a, 0x46, 0x04, 0x46, 0x10, 0x46]);
}

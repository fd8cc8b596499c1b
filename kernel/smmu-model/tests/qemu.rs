//! The same driver against QEMU's SMMUv3 and a device that does DMA, through QEMU's qtest protocol.
//!
//! It needs `qemu-system-aarch64` (10 or later), which `scripts/setup` installs.

use std::cell::RefCell;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use sluice_abi::{FrameSize, Iova, PhysAddr, smmu::event};
use sluice_paging::{Access, Format, Leaf, MemoryType, TableMemory};
use sluice_smmu::{Bus, Event, Features, Memory, Smmu, Ste, memory_needed};

const SMMU: PhysAddr = PhysAddr(0x0905_0000);
const EDU_CONFIG: u64 = 0x40_1000_0000 + (1 << 15);
const EDU_BAR: u64 = 0x1000_0000;
/// Slot 1 of bus 0.
const SID: u32 = 1 << 3;
const STREAMS: PhysAddr = PhysAddr(0x4800_0000);
const ROOT: PhysAddr = PhysAddr(0x4900_0000);
const FRAME: u64 = 0x4a00_0000;
const IOVA: u64 = 0x12_3456_7000;
/// Address of the device's buffer, as the device names it.
const EDU_BUFFER: u64 = 0x4_0000;

struct Qemu {
    child: Child,
    pipe: RefCell<(ChildStdin, BufReader<ChildStdout>)>,
}

impl Qemu {
    fn start() -> Self {
        let arguments = "-M virt,virtualization=on,gic-version=3,iommu=smmuv3 -cpu cortex-a57 -m 512M -accel tcg \
            -nodefaults -display none -serial none -monitor none -qtest stdio \
            -device loader,addr=0x40200000,data=0x17ffffffd503207f,data-len=8 -device loader,addr=0x40200000,cpu-num=0 \
            -device edu,addr=1,dma_mask=0xffffffffff";
        let mut child = Command::new("qemu-system-aarch64")
            .args(arguments.split_whitespace())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("qemu-system-aarch64");
        let (input, output) = (child.stdin.take().expect("piped"), child.stdout.take().expect("piped"));
        let qemu = Self { child, pipe: RefCell::new((input, BufReader::new(output))) };
        qemu.ask(&format!("writel {:#x} {EDU_BAR:#x}", EDU_CONFIG + 0x10));
        qemu.ask(&format!("writew {:#x} 0x6", EDU_CONFIG + 4));
        qemu
    }

    fn ask(&self, line: &str) -> u64 {
        let (input, output) = &mut *self.pipe.borrow_mut();
        writeln!(input, "{line}").and_then(|()| input.flush()).expect("QEMU runs");
        loop {
            let mut answer = String::new();
            assert_ne!(output.read_line(&mut answer).expect("QEMU runs"), 0, "QEMU ended at {line:?}");
            if let Some(value) = answer.strip_prefix("OK") {
                let digits = value.trim().trim_start_matches("0x");
                return u64::from_str_radix(digits, 16).unwrap_or(0);
            }
            assert!(answer.starts_with("IRQ"), "{line:?}: {answer}");
        }
    }

    /// Lets the device copy 8 bytes between its buffer and `iova`.
    fn dma(&self, iova: u64, to_memory: bool) {
        let (source, target) = if to_memory { (EDU_BUFFER, iova) } else { (iova, EDU_BUFFER) };
        for (register, value) in [(0x80, source), (0x88, target), (0x90, 8), (0x98, 1 | u64::from(to_memory) << 1)] {
            self.ask(&format!("writeq {:#x} {value:#x}", EDU_BAR + register));
        }
        for _ in 0..100 {
            sleep(Duration::from_millis(20));
            if self.ask(&format!("readq {:#x}", EDU_BAR + 0x98)) & 1 == 0 {
                return;
            }
        }
        panic!("the device does not finish");
    }

    /// What arrives at `target` when the device copies from `iova`; `target` is reached without this stream's tables.
    fn copies(&self, iova: u64, value: u64, smmu: &Smmu) -> bool {
        self.store(PhysAddr(FRAME), value);
        self.dma(iova, false);
        self.store(PhysAddr(FRAME), 0);
        self.dma(iova, true);
        while smmu.next_event(self).is_some() {}
        self.load(PhysAddr(FRAME)) == value
    }
}

impl Drop for Qemu {
    fn drop(&mut self) {
        self.child.kill().and_then(|()| self.child.wait()).expect("QEMU can be ended");
    }
}

impl TableMemory for Qemu {
    fn load(&self, at: PhysAddr) -> u64 {
        self.ask(&format!("readq {:#x}", at.0))
    }
    fn store(&self, at: PhysAddr, value: u64) {
        self.ask(&format!("writeq {:#x} {value:#x}", at.0));
    }
}

impl Bus for Qemu {
    fn read32(&self, at: PhysAddr) -> u32 {
        self.ask(&format!("readl {:#x}", at.0)) as u32
    }
    fn write32(&self, at: PhysAddr, value: u32) {
        self.ask(&format!("writel {:#x} {value:#x}", at.0));
    }
    fn read64(&self, at: PhysAddr) -> u64 {
        self.load(at)
    }
    fn write64(&self, at: PhysAddr, value: u64) {
        self.store(at, value);
    }
    fn barrier(&self) {}
    fn clean(&self, _at: PhysAddr, _bytes: u64) {}
}

fn map(qemu: &Qemu, write: bool) {
    let mut table = ROOT;
    for level in 0..3u8 {
        let next = ROOT.offset(0x1000 * (u64::from(level) + 1));
        qemu.store(table.offset(8 * Format::index(level, IOVA)), Format::STAGE2.encode_table(next));
        table = next;
    }
    let access = Access { read: true, write, execute: false };
    let leaf = Leaf { address: PhysAddr(FRAME), size: FrameSize::Small, access, memory: MemoryType::Normal };
    qemu.store(slot(), Format::STAGE2.encode_leaf(&leaf));
}

fn slot() -> PhysAddr {
    ROOT.offset(0x3000 + 8 * Format::index(3, IOVA))
}

#[test]
fn a_device_reaches_what_its_entry_says() {
    let qemu = &Qemu::start();
    let features = Features::read(qemu, SMMU).expect("supported");
    let needs = memory_needed(&features, 0xff);
    let memory = Memory { strtab: PhysAddr(0x4500_0000), cmdq: PhysAddr(0x4600_0000), evtq: PhysAddr(0x4700_0000) };
    let smmu = Smmu::new(SMMU, features, needs, memory);
    assert!(qemu.copies(FRAME, 0x1111_2222_3333_4444, &smmu), "out of reset the device is bypassed");

    smmu.enable(qemu).expect("enable");
    let entry = STREAMS.offset(u64::from(SID) * 64);
    qemu.store(PhysAddr(FRAME), 7);
    qemu.dma(FRAME, true);
    assert_eq!(smmu.next_event(qemu).map(|event| event.kind), Some(event::C_BAD_STREAMID));
    while smmu.next_event(qemu).is_some() {}
    smmu.install_stream_table(qemu, 0, STREAMS).expect("install");
    qemu.dma(FRAME, true);
    assert_eq!(smmu.next_event(qemu), None, "abort is silent");
    assert_eq!(qemu.load(PhysAddr(FRAME)), 7);

    map(qemu, true);
    smmu.write_ste(qemu, SID, entry, &Ste::stage2(&features, 9, ROOT)).expect("bind");
    assert!(qemu.copies(IOVA, 0x5555_6666_7777_8888, &smmu), "stage 2 translates both ways");

    qemu.dma(IOVA + 0x1000, true);
    let fault = smmu.next_event(qemu).expect("recorded");
    assert_eq!((fault.kind, fault.sid, fault.iova), (event::F_TRANSLATION, SID, Iova(IOVA + 0x1000)));
    assert_eq!((fault.read, fault.stage2, fault.ipa), (false, true, Some(IOVA + 0x1000)));
    while smmu.next_event(qemu).is_some() {}

    map(qemu, false);
    smmu.invalidate_range(qemu, 9, IOVA, 0x1000, 12).expect("invalidate");
    qemu.store(PhysAddr(FRAME), 7);
    qemu.dma(IOVA, true);
    assert_eq!(smmu.next_event(qemu).map(|event: Event| (event.kind, event.read)), Some((event::F_PERMISSION, false)));
    while smmu.next_event(qemu).is_some() {}
    assert_eq!(qemu.load(PhysAddr(FRAME)), 7, "read-only");

    map(qemu, true);
    smmu.invalidate_range(qemu, 9, IOVA, 0x20_0000, 12).expect("invalidate a range");
    assert!(qemu.copies(IOVA, 1, &smmu));
    qemu.store(slot(), 0);
    assert!(qemu.copies(IOVA, 2, &smmu), "without TLBI the page stays");
    smmu.invalidate_range(qemu, 9, IOVA & !0x3fff, 0x2_0000, 12).expect("invalidate a range");
    assert!(!qemu.copies(IOVA, 3, &smmu), "with it the page is gone");

    map(qemu, true);
    assert!(qemu.copies(IOVA, 4, &smmu));
    smmu.write_ste(qemu, SID, entry, &Ste::abort()).expect("unbind");
    assert!(!qemu.copies(IOVA, 5, &smmu), "unbound");
    smmu.write_ste(qemu, SID, entry, &Ste::bypass()).expect("bypass");
    assert!(qemu.copies(FRAME, 6, &smmu));
    smmu.disable(qemu).expect("disable");
    assert!(!qemu.copies(FRAME, 7, &smmu), "down is abort");
    smmu.leave_bypassed(qemu).expect("off");
    assert!(qemu.copies(FRAME, 8, &smmu));
    assert_eq!(smmu.global_errors(qemu).active, 0);
}

//! QEMU's `virt` with its SMMUv3 and a device that does DMA, driven through the qtest protocol while no CPU runs.
//!
//! Instruction counting makes the virtual clock jump to the next timer when the CPU sleeps, so that the device's 100 ms
//! pass at once. Commands are sent ahead; only a value that is asked for waits for its answer.

use std::cell::RefCell;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use sluice_abi::PhysAddr;
use sluice_paging::TableMemory;
use sluice_smmu::Bus;

const EDU_CONFIG: u64 = 0x40_1000_0000 + (1 << 15);
const EDU_BAR: u64 = 0x1000_0000;
/// The device in slot 1 of bus 0.
pub(crate) const SID: u32 = 1 << 3;
/// Address of the device's buffer, as the device names it.
const EDU_BUFFER: u64 = 0x4_0000;
/// The options for QEMU's newest `virt`, whose SMMU has both stages.
pub(crate) const BOTH_STAGES: &str = "-M virt,virtualization=on,gic-version=3,iommu=smmuv3";
/// RAM.
pub(crate) const RAM: std::ops::Range<u64> = 0x4000_0000..0x6000_0000;
/// Commands sent ahead of their answers, at most: answers must fit the pipe.
const AHEAD: usize = 2000;
/// A machine that answers nothing for so long is stuck.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Qemu {
    child: Child,
    pipe: RefCell<Pipe>,
}

struct Pipe {
    input: BufWriter<ChildStdin>,
    answers: Receiver<String>,
    outstanding: usize,
}

impl Pipe {
    fn send(&mut self, line: &str) {
        writeln!(self.input, "{line}").expect("QEMU runs");
        self.outstanding += 1;
        if self.outstanding >= AHEAD {
            self.settle();
        }
    }

    fn answer(&mut self) -> String {
        self.outstanding -= 1;
        self.answers.recv_timeout(PATIENCE).expect("QEMU answers")
    }

    /// Takes every answer but the last one, and gives that.
    fn settle(&mut self) -> String {
        self.input.flush().expect("QEMU runs");
        let mut last = String::new();
        while self.outstanding > 0 {
            last = self.answer();
        }
        last
    }
}

impl Qemu {
    /// A machine that these options choose.
    pub(crate) fn start(machine: &str) -> Self {
        let arguments = "-cpu cortex-a57 -m 512M -accel tcg -icount shift=10,sleep=off -nodefaults -display none \
            -serial none -monitor none -qtest stdio -qtest-log /dev/null \
            -device loader,addr=0x40200000,data=0x17ffffffd503207f,data-len=8 -device loader,addr=0x40200000,cpu-num=0 \
            -device edu,addr=1,dma_mask=0xffffffffffffffff";
        let mut child = Command::new("qemu-system-aarch64")
            .args(machine.split_whitespace())
            .args(arguments.split_whitespace())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("qemu-system-aarch64");
        let input = BufWriter::new(child.stdin.take().expect("piped"));
        let output = BufReader::new(child.stdout.take().expect("piped"));
        let (sender, answers) = channel();
        // Ends with QEMU's output, or when nobody listens any more.
        std::thread::spawn(move || {
            output
                .lines()
                .map_while(Result::ok)
                .filter(|line| !line.starts_with("IRQ"))
                .try_for_each(|line| sender.send(line))
        });
        let qemu = Self { child, pipe: RefCell::new(Pipe { input, answers, outstanding: 0 }) };
        qemu.post(&format!("writel {:#x} {EDU_BAR:#x}", EDU_CONFIG + 0x10));
        qemu.post(&format!("writew {:#x} 0x6", EDU_CONFIG + 4));
        qemu
    }

    fn post(&self, line: &str) {
        self.pipe.borrow_mut().send(line);
    }

    fn ask(&self, line: &str) -> u64 {
        let mut pipe = self.pipe.borrow_mut();
        pipe.send(line);
        let answer = pipe.settle();
        let digits = answer.strip_prefix("OK 0x").unwrap_or_else(|| panic!("{line:?}: {answer:?}"));
        u64::from_str_radix(digits.trim(), 16).expect("a number")
    }

    /// Lets the device copy 4 bytes between its buffer and `address`.
    fn copy(&self, address: u64, to_memory: bool) {
        let (source, target) = if to_memory { (EDU_BUFFER, address) } else { (address, EDU_BUFFER) };
        for (register, value) in [(0x80, source), (0x88, target), (0x90, 4), (0x98, 1 | u64::from(to_memory) << 1)] {
            self.post(&format!("writeq {:#x} {value:#x}", EDU_BAR + register));
        }
        let idle = (0..100_000).any(|_| self.ask(&format!("readq {:#x}", EDU_BAR + 0x98)) & 1 == 0);
        assert!(idle, "the device does not finish");
    }

    /// Lets the device write what its buffer holds.
    pub(crate) fn device_writes(&self, address: u64) {
        self.copy(address, true);
    }

    /// Lets the device read into its buffer.
    pub(crate) fn device_reads(&self, address: u64) {
        self.copy(address, false);
    }

    pub(crate) fn store32(&self, at: u64, value: u32) {
        self.post(&format!("writel {at:#x} {value:#x}"));
    }

    pub(crate) fn load32(&self, at: u64) -> u32 {
        self.ask(&format!("readl {at:#x}")) as u32
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
        self.post(&format!("writeq {:#x} {value:#x}", at.0));
    }
}

impl Bus for Qemu {
    fn read32(&self, at: PhysAddr) -> u32 {
        self.load32(at.0)
    }
    fn write32(&self, at: PhysAddr, value: u32) {
        self.store32(at.0, value);
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

//! QEMU's `virt` machine over its test protocol: one command a line, one answer a line.

use std::cell::RefCell;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

use sluice_abi::Iova;
use sluice_nvme::hardware::{Clock, Dma, Interrupt, Registers};

/// Configuration space of function 00:02.0.
const FUNCTION: u64 = 0x40_1000_0000 + (2 << 15);
/// Where its registers go: the start of the host's 32-bit window.
const BAR: u64 = 0x1000_0000;
/// PCI Status: the function asserts its interrupt.
const INTERRUPT_STATUS: u32 = 1 << 19;

struct Process {
    child: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Drop for Process {
    fn drop(&mut self) {
        self.child.kill().expect("QEMU ends");
        self.child.wait().expect("QEMU has ended");
    }
}

/// The machine with one NVMe controller.
#[derive(Clone)]
pub(crate) struct Machine {
    process: Rc<RefCell<Process>>,
    start: Instant,
}

/// A piece of its memory; without translation, devices find it at the same address.
pub(crate) struct Memory {
    pub(crate) machine: Machine,
    pub(crate) at: u64,
    pub(crate) bytes: u64,
}

impl Machine {
    pub(crate) fn start(image: &Path) -> Self {
        let drive = format!("if=none,id=disk,format=raw,file={}", image.display());
        let mut child = Command::new("qemu-system-aarch64")
            .args(["-M", "virt,virtualization=on,gic-version=3,iommu=smmuv3", "-cpu", "cortex-a57", "-m", "512M"])
            .args(["-accel", "tcg", "-nodefaults", "-display", "none", "-serial", "none", "-monitor", "none"])
            .args(["-qtest", "stdio", "-drive", &drive, "-device", "nvme,serial=disk,drive=disk,addr=2"])
            // wfi; b . - 4
            .args(["-device", "loader,addr=0x40200000,data=0x17ffffffd503207f,data-len=8"])
            .args(["-device", "loader,addr=0x40200000,cpu-num=0"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("qemu-system-aarch64, which scripts/setup installs");
        let commands = child.stdin.take().expect("a pipe");
        let answers = BufReader::new(child.stdout.take().expect("a pipe"));
        let process = Rc::new(RefCell::new(Process { child, commands, answers }));
        let machine = Self { process, start: Instant::now() };
        assert_eq!(machine.load(FUNCTION), 0x0010_1b36, "an NVMe function");
        machine.store(FUNCTION + 0x10, BAR as u32);
        machine.store(FUNCTION + 0x14, 0);
        machine.store(FUNCTION + 0x04, 0b110);
        machine
    }

    fn command(&self, line: &str) -> String {
        let mut process = self.process.borrow_mut();
        writeln!(process.commands, "{line}").expect("QEMU listens");
        loop {
            let mut answer = String::new();
            assert_ne!(process.answers.read_line(&mut answer).expect("QEMU answers"), 0, "QEMU ended at {line:?}");
            if let Some(answer) = answer.strip_prefix("OK") {
                return answer.trim().to_owned();
            }
            assert!(answer.starts_with("IRQ"), "{line:?}: {answer}");
        }
    }

    fn number(&self, line: &str) -> u64 {
        let answer = self.command(line);
        u64::from_str_radix(answer.trim_start_matches("0x"), 16).expect("a number")
    }

    fn load(&self, at: u64) -> u32 {
        self.number(&format!("readl {at:#x}")) as u32
    }

    fn store(&self, at: u64, value: u32) {
        self.command(&format!("writel {at:#x} {value:#x}"));
    }

    pub(crate) fn read_memory(&self, at: u64, bytes: u64) -> Vec<u8> {
        let answer = self.command(&format!("read {at:#x} {bytes:#x}"));
        let digits = answer.trim_start_matches("0x").as_bytes();
        let digit = |digit: u8| char::from(digit).to_digit(16).expect("a digit") as u8;
        digits.chunks_exact(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
    }

    pub(crate) fn write_memory(&self, at: u64, data: &[u8]) {
        let digits: String = data.iter().map(|byte| format!("{byte:02x}")).collect();
        self.command(&format!("write {at:#x} {:#x} 0x{digits}", data.len()));
    }

    fn interrupted(&self) -> bool {
        self.load(FUNCTION + 0x04) & INTERRUPT_STATUS != 0
    }
}

impl Registers for Machine {
    fn size(&self) -> u64 {
        0x4000
    }

    fn read(&self, offset: u64) -> u32 {
        self.load(BAR + offset)
    }

    fn write(&self, offset: u64, value: u32) {
        self.store(BAR + offset, value);
    }
}

impl Dma for Memory {
    fn size(&self) -> u64 {
        self.bytes
    }

    fn iova(&self) -> Iova {
        Iova(self.at)
    }

    fn load(&self, offset: u64) -> u64 {
        self.machine.number(&format!("readq {:#x}", self.at + offset))
    }

    fn store(&self, offset: u64, value: u64) {
        self.machine.command(&format!("writeq {:#x} {value:#x}", self.at + offset));
    }

    fn publish(&self) {}

    fn observe(&self) {}
}

impl Clock for Machine {
    fn now_ms(&self) -> u64 {
        self.start.elapsed().as_millis() as u64
    }

    fn relax(&self) {
        thread::sleep(Duration::from_millis(1));
    }
}

impl Interrupt for Machine {
    fn wait(&mut self) {
        let start = self.now_ms();
        while !self.interrupted() {
            assert!(self.now_ms() - start < 10_000, "no interrupt");
            self.relax();
        }
    }

    fn rearm(&mut self) {}
}

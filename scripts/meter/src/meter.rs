//! What is counted, and when.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The only meter: QEMU's callbacks carry none.
pub(crate) static METER: Meter = Meter::new();

/// What an instruction means to the meter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    /// Of a thread.
    User,
    /// Of the kernel.
    Kernel,
    /// Of the kernel, which notices a pending interrupt here.
    Notice,
    /// `eret`, of the kernel.
    Return,
    /// `hint #64`: what comes belongs together.
    Start,
    /// `hint #65`: until here.
    Stop,
}

/// An instruction that was seen.
pub(crate) struct Instruction {
    address: u64,
    kind: Kind,
    ran: AtomicU64,
}

/// Counters. One virtual processor: no two callbacks run at a time.
pub(crate) struct Meter {
    kernel: AtomicU64,
    /// Instructions before the first of a thread.
    boot: AtomicU64,
    /// Instructions of the present stretch, 0 outside the kernel, and where it started.
    stretch: AtomicU64,
    started: AtomicU64,
    last: AtomicU64,
    /// Whether a thread has run.
    running: AtomicU64,
    marks: AtomicU64,
    seen: Mutex<BTreeMap<u64, &'static Instruction>>,
    longest: Mutex<BTreeMap<(u64, u64), u64>>,
    out: Mutex<Option<File>>,
    /// Whether only totals are counted.
    only_totals: AtomicU64,
    /// Instructions by [`Part`].
    totals: [AtomicU64; PARTS.len()],
}

/// Where instructions are.
const PARTS: [&str; 3] = ["kernel", "guest", "low"];
/// Addresses of a guest's kernel start here.
const GUEST: u64 = 0xffff_0000_0000_0000;

/// `mrs xN, isr_el1` and `mrs xN, icc_iar1_el1` without N; `wfi`; `eret`; `hint #64` and `hint #65`.
const ISR: u32 = 0xd538_c100;
const IAR: u32 = 0xd538_cc00;
const WFI: u32 = 0xd503_207f;
const ERET: u32 = 0xd69f_03e0;
const START: u32 = 0xd503_281f;
const STOP: u32 = 0xd503_283f;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Meter {
    const fn new() -> Self {
        Self {
            kernel: AtomicU64::new(u64::MAX),
            boot: AtomicU64::new(0),
            stretch: AtomicU64::new(0),
            started: AtomicU64::new(0),
            last: AtomicU64::new(0),
            running: AtomicU64::new(0),
            marks: AtomicU64::new(0),
            seen: Mutex::new(BTreeMap::new()),
            longest: Mutex::new(BTreeMap::new()),
            out: Mutex::new(None),
            only_totals: AtomicU64::new(0),
            totals: [const { AtomicU64::new(0) }; PARTS.len()],
        }
    }

    /// Reads the plugin's arguments.
    pub(crate) fn configure(&self, arguments: impl Iterator<Item = String>) -> Result<(), String> {
        for argument in arguments {
            match argument.split_once('=') {
                Some(("kernel", address)) => {
                    let digits = address.trim_start_matches("0x");
                    let address = u64::from_str_radix(digits, 16).map_err(|error| format!("kernel: {error}"))?;
                    self.kernel.store(address, Relaxed);
                }
                Some(("out", path)) => {
                    *lock(&self.out) = Some(File::create(path).map_err(|error| format!("{path}: {error}"))?);
                }
                // QEMU gives a flag the value "on".
                Some(("totals", "on")) => self.only_totals.store(1, Relaxed),
                _ => return Err(format!("{argument}: unknown")),
            }
        }
        Ok(())
    }

    /// Whether only totals are counted.
    pub(crate) fn is_total(&self) -> bool {
        self.only_totals.load(Relaxed) != 0
    }

    /// What to pass to [`Meter::pass`] whenever the block of `count` instructions at `address` runs.
    pub(crate) fn block(&self, address: u64, count: usize) -> usize {
        let part = if address >= GUEST {
            1
        } else if address >= self.kernel.load(Relaxed) {
            0
        } else {
            2
        };
        count * PARTS.len() + part
    }

    /// A block runs.
    pub(crate) fn pass(&self, block: usize) {
        let counter = &self.totals[block % PARTS.len()];
        counter.store(counter.load(Relaxed) + (block / PARTS.len()) as u64, Relaxed);
    }

    /// The record of the instruction `word` at `address`.
    pub(crate) fn instruction(&self, address: u64, word: u32) -> &'static Instruction {
        let kind = if address < self.kernel.load(Relaxed) {
            match word {
                START => Kind::Start,
                STOP => Kind::Stop,
                _ => Kind::User,
            }
        } else if matches!(word & !0x1f, ISR | IAR) || word == WFI {
            Kind::Notice
        } else if word == ERET {
            Kind::Return
        } else {
            Kind::Kernel
        };
        let mut seen = lock(&self.seen);
        match seen.get(&address) {
            Some(known) if known.kind == kind => known,
            _ => {
                let new = Box::leak(Box::new(Instruction { address, kind, ran: AtomicU64::new(0) }));
                seen.insert(address, new);
                new
            }
        }
    }

    /// The instruction is about to run.
    pub(crate) fn execute(&self, instruction: &Instruction) {
        let add = |counter: &AtomicU64, count| counter.store(counter.load(Relaxed) + count, Relaxed);
        // The kernel leaves for the first thread by its first exception return. Before, it runs at low addresses too.
        if self.running.load(Relaxed) == 0 {
            add(&self.boot, 1);
            self.running.store(u64::from(instruction.kind == Kind::Return), Relaxed);
            return;
        }
        match instruction.kind {
            Kind::User => self.end_stretch(),
            Kind::Start => {
                self.end_stretch();
                lock(&self.seen).values().for_each(|instruction| instruction.ran.store(0, Relaxed));
            }
            Kind::Stop => {
                self.end_stretch();
                self.mark();
            }
            Kind::Kernel | Kind::Notice | Kind::Return => {
                if self.stretch.load(Relaxed) == 0 {
                    self.started.store(instruction.address, Relaxed);
                }
                add(&self.stretch, 1);
                add(&instruction.ran, 1);
                self.last.store(instruction.address, Relaxed);
                if instruction.kind == Kind::Notice {
                    self.end_stretch();
                }
            }
        }
    }

    fn end_stretch(&self) {
        let count = self.stretch.swap(0, Relaxed);
        if count > 0 {
            let ends = (self.started.load(Relaxed), self.last.load(Relaxed));
            let mut longest = lock(&self.longest);
            let known = longest.entry(ends).or_default();
            *known = count.max(*known);
        }
    }

    /// Writes and forgets how often each instruction ran.
    fn mark(&self) {
        let number = self.marks.fetch_add(1, Relaxed);
        let mut lines = format!("mark {number}\n");
        for instruction in lock(&self.seen).values() {
            let ran = instruction.ran.swap(0, Relaxed);
            if ran > 0 {
                lines.push_str(&format!("count {:x} {ran}\n", instruction.address));
            }
        }
        self.write(&lines);
    }

    /// The machine's run is over.
    pub(crate) fn finish(&self) {
        if self.is_total() {
            let lines = PARTS.iter().zip(&self.totals);
            let lines: String = lines.map(|(part, count)| format!("{part} {}\n", count.load(Relaxed))).collect();
            self.write(&lines);
            return;
        }
        let mut lines = format!("boot {}\n", self.boot.load(Relaxed));
        for ((start, end), count) in lock(&self.longest).iter() {
            lines.push_str(&format!("stretch {count} {start:x} {end:x}\n"));
        }
        self.write(&lines);
    }

    fn write(&self, lines: &str) {
        if let Some(out) = lock(&self.out).as_mut()
            && let Err(error) = out.write_all(lines.as_bytes())
        {
            eprintln!("meter: {error}");
        }
    }
}

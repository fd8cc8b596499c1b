//! A controller in software: registers, queues and DMA as the specification has them, written without the driver's
//! encoders. It asserts what a real one could only suffer from: doorbells out of range or rung before the entry is
//! published, and an interrupt that is rearmed while it is still high.

mod execute;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use sluice_abi::Iova;
use sluice_nvme::hardware::{Clock, Dma, Interrupt, Registers};
use sluice_nvme::{Controller, Error, layout};

/// Where the driver's own memory is for the device.
pub(crate) const QUEUES_AT: u64 = 0x8000_0000;
/// Where the data buffer is for the device.
pub(crate) const BUFFER_AT: u64 = 0x9_0000_0000;
const BUFFER_BYTES: u64 = 4 << 20;

/// How the controller differs from a well-behaved one.
#[derive(Clone, Debug)]
pub(crate) struct Nature {
    pub cap: u64,
    pub mdts: u8,
    pub block_bits: u8,
    pub metadata: u8,
    pub entry_sizes: (u8, u8),
    pub blocks: u64,
    pub never_ready: bool,
    pub absent: bool,
    pub fatal_on_enable: bool,
    pub fails_admin: Option<(u8, u16)>,
    pub silent_admin: bool,
    pub silent_io: bool,
    pub bad_blocks: BTreeMap<u64, u16>,
    /// Changes the words of an I/O completion before they are written.
    pub forge: fn([u64; 2]) -> [u64; 2],
    /// Seed of the order in which commands end.
    pub seed: u64,
}

impl Default for Nature {
    fn default() -> Self {
        Self {
            // As QEMU's: 2048 entries, contiguous queues, 7.5 s, stride 4, NVM command set, pages of 4 KiB to 64 KiB.
            cap: 0x7ff | 1 << 16 | 15 << 24 | 1 << 37 | 4 << 52,
            mdts: 7,
            block_bits: 9,
            metadata: 0,
            entry_sizes: (0x66, 0x44),
            blocks: 8192,
            never_ready: false,
            absent: false,
            fatal_on_enable: false,
            fails_admin: None,
            silent_admin: false,
            silent_io: false,
            bad_blocks: BTreeMap::new(),
            forge: |words| words,
            seed: 1,
        }
    }
}

#[derive(Debug, Default)]
struct Queue {
    submissions: u64,
    completions: u64,
    entries: u16,
    sq_head: u16,
    sq_tail: u16,
    cq_head: u16,
    cq_tail: u16,
    phase: bool,
}

pub(crate) struct Machine {
    pub nature: Nature,
    queue_memory: Vec<u64>,
    pub buffer: Vec<u64>,
    pub disk: Vec<u8>,
    cc: u32,
    csts: u32,
    masked: bool,
    aqa: u32,
    asq: u64,
    acq: u64,
    queues: [Queue; 2],
    pending: Vec<[u32; 16]>,
    unpublished: bool,
    waited: bool,
    now_ms: u64,
    random: u64,
    /// Addresses of accesses that reached no memory.
    pub faults: Vec<u64>,
    pub flushes: u64,
    pub deepest: usize,
    pub io_commands: u64,
    /// Identifiers outstanding, to catch a reuse.
    live: Vec<u16>,
    /// Completion queue passes.
    pub wraps: u64,
}

#[derive(Clone)]
pub(crate) struct Handle(pub(crate) Rc<RefCell<Machine>>);

#[derive(Clone)]
pub(crate) struct Memory {
    handle: Handle,
    iova: u64,
    size: u64,
}

pub(crate) type Driver = Controller<Handle, Memory, Handle>;

impl Handle {
    pub(crate) fn new(nature: Nature) -> Self {
        let bytes = nature.blocks.checked_shl(nature.block_bits.into()).unwrap_or(0).min(16 << 20) as usize;
        let disk = (0..bytes).map(|at| (at as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes()[0]).collect();
        let random = nature.seed;
        Self(Rc::new(RefCell::new(Machine {
            nature,
            // Stale contents: a driver that does not clear its queues takes them for completions.
            queue_memory: vec![u64::MAX; layout::BYTES as usize / 8],
            buffer: vec![0; BUFFER_BYTES as usize / 8],
            disk,
            cc: 0,
            csts: 0,
            masked: false,
            aqa: 0,
            asq: 0,
            acq: 0,
            queues: Default::default(),
            pending: Vec::new(),
            unpublished: false,
            waited: false,
            now_ms: 0,
            random,
            faults: Vec::new(),
            flushes: 0,
            deepest: 0,
            io_commands: 0,
            live: Vec::new(),
            wraps: 0,
        })))
    }

    pub(crate) fn queue_memory(&self) -> Memory {
        Memory { handle: self.clone(), iova: QUEUES_AT, size: layout::BYTES }
    }

    pub(crate) fn buffer(&self) -> Memory {
        Memory { handle: self.clone(), iova: BUFFER_AT, size: BUFFER_BYTES }
    }

    pub(crate) fn open(&self) -> Result<Driver, Error> {
        Controller::open(self.clone(), self.queue_memory(), self.clone())
    }
}

impl Registers for Handle {
    fn size(&self) -> u64 {
        0x4000
    }

    fn read(&self, offset: u64) -> u32 {
        let machine = self.0.borrow();
        if machine.nature.absent {
            return u32::MAX;
        }
        match offset {
            0x00 => machine.nature.cap as u32,
            0x04 => (machine.nature.cap >> 32) as u32,
            0x14 => machine.cc,
            0x1c => machine.csts,
            _ => panic!("read of register {offset:#x}"),
        }
    }

    fn write(&self, offset: u64, value: u32) {
        self.0.borrow_mut().write(offset, value);
    }
}

impl Dma for Memory {
    fn size(&self) -> u64 {
        self.size
    }

    fn iova(&self) -> Iova {
        Iova(self.iova)
    }

    fn load(&self, offset: u64) -> u64 {
        assert!(offset.is_multiple_of(8) && offset < self.size, "load at {offset:#x}");
        *self.handle.0.borrow_mut().word(self.iova + offset).expect("inside")
    }

    fn store(&self, offset: u64, value: u64) {
        assert!(offset.is_multiple_of(8) && offset < self.size, "store at {offset:#x}");
        let mut machine = self.handle.0.borrow_mut();
        *machine.word(self.iova + offset).expect("inside") = value;
        machine.unpublished = true;
    }

    fn publish(&self) {
        self.handle.0.borrow_mut().unpublished = false;
    }

    fn observe(&self) {}
}

impl Clock for Handle {
    fn now_ms(&self) -> u64 {
        self.0.borrow().now_ms
    }

    fn relax(&self) {
        self.0.borrow_mut().now_ms += 10;
    }
}

impl Interrupt for Handle {
    fn wait(&mut self) {
        let mut machine = self.0.borrow_mut();
        machine.now_ms += 100;
        machine.waited = true;
        machine.complete_some();
    }

    fn rearm(&mut self) {
        let machine = self.0.borrow();
        let io = &machine.queues[1];
        assert_eq!(io.cq_head, io.cq_tail, "rearmed while the interrupt line is high");
        assert!(!machine.masked, "waiting for an interrupt that is masked");
    }
}

impl Machine {
    fn word(&mut self, iova: u64) -> Option<&mut u64> {
        let (memory, base) = match iova {
            BUFFER_AT.. => (&mut self.buffer, BUFFER_AT),
            QUEUES_AT.. => (&mut self.queue_memory, QUEUES_AT),
            _ => return None,
        };
        memory.get_mut(((iova - base) / 8) as usize)
    }

    fn write(&mut self, offset: u64, value: u32) {
        match offset {
            0x0c => self.masked |= value & 1 != 0,
            0x10 => self.masked &= value & 1 == 0,
            0x14 => self.configure(value),
            0x24 => self.aqa = value,
            0x28 => self.asq = self.asq & !0xffff_ffff | u64::from(value),
            0x2c => self.asq = self.asq & 0xffff_ffff | u64::from(value) << 32,
            0x30 => self.acq = self.acq & !0xffff_ffff | u64::from(value),
            0x34 => self.acq = self.acq & 0xffff_ffff | u64::from(value) << 32,
            0x1000.. => self.doorbell(offset, value as u16),
            _ => panic!("write of register {offset:#x}"),
        }
    }

    fn configure(&mut self, value: u32) {
        if value & 1 == 0 {
            self.csts = 0;
            self.queues = Default::default();
            self.pending.clear();
            self.live.clear();
        } else if self.cc & 1 == 0 {
            assert_eq!((value >> 16) & 0xff, 0x46, "entry sizes");
            assert_eq!(value & 0x3ff0, 0, "command set, page size and arbitration");
            assert!(!self.unpublished, "enabled before the queues were cleared");
            let (submissions, completions) = (self.asq, self.acq);
            assert_eq!(self.aqa & 0xfff, self.aqa >> 16);
            let entries = (self.aqa & 0xfff) as u16 + 1;
            self.queues[0] = Queue { submissions, completions, entries, phase: true, ..Queue::default() };
            self.csts = match (self.nature.fatal_on_enable, self.nature.never_ready) {
                (true, _) => 0b10,
                (false, true) => 0,
                (false, false) => 1,
            };
        }
        if value >> 14 & 3 == 1 {
            self.csts |= 2 << 2;
        }
        self.cc = value;
    }

    fn doorbell(&mut self, offset: u64, value: u16) {
        let stride = 4 << (self.nature.cap >> 32 & 0xf);
        assert_eq!((offset - 0x1000) % stride, 0, "doorbell at {offset:#x}");
        let index = ((offset - 0x1000) / stride) as usize;
        assert!(!self.unpublished, "doorbell rung before the stores were published");
        let queue = &mut self.queues[index / 2];
        assert!(value < queue.entries, "doorbell value {value} in a queue of {}", queue.entries);
        if index % 2 == 1 {
            let distance = |from: u16, to: u16| (to + queue.entries - from) % queue.entries;
            assert!(distance(queue.cq_head, value) <= distance(queue.cq_head, queue.cq_tail), "head beyond the tail");
            queue.cq_head = value;
            return;
        }
        queue.sq_tail = value;
        while self.queues[index / 2].sq_head != self.queues[index / 2].sq_tail {
            self.fetch(index / 2);
        }
    }

    fn fetch(&mut self, number: usize) {
        let queue = &mut self.queues[number];
        let at = queue.submissions + u64::from(queue.sq_head) * 64;
        queue.sq_head = (queue.sq_head + 1) % queue.entries;
        let mut entry = [0; 16];
        for index in 0..8 {
            let word = *self.word(at + 8 * index as u64).expect("submission queue in memory");
            entry[2 * index] = word as u32;
            entry[2 * index + 1] = (word >> 32) as u32;
        }
        if number == 0 {
            self.execute_admin(entry);
            return;
        }
        let id = (entry[0] >> 16) as u16;
        assert!(!self.live.contains(&id), "identifier {id} reused while outstanding");
        self.live.push(id);
        self.pending.push(entry);
        self.deepest = self.deepest.max(self.pending.len());
        self.io_commands += 1;
    }

    /// Ends some of the outstanding commands, in an order of its own.
    fn complete_some(&mut self) {
        if self.nature.silent_io || self.pending.is_empty() {
            return;
        }
        let count = self.next_random() as usize % self.pending.len() + 1;
        for _ in 0..count {
            let io = &self.queues[1];
            if (io.cq_tail + 1) % io.entries == io.cq_head {
                return;
            }
            let pick = self.next_random() as usize % self.pending.len();
            let entry = self.pending.swap_remove(pick);
            let status = self.execute_io(&entry);
            let id = (entry[0] >> 16) as u16;
            self.live.retain(|&live| live != id);
            let head = self.queues[1].sq_head;
            let words = [0, u64::from(head) | 1 << 16 | u64::from(id) << 32 | u64::from(status) << 49];
            let words = (self.nature.forge)(words);
            self.post(1, words);
        }
    }

    /// Writes a completion with the queue's phase tag.
    fn post(&mut self, number: usize, words: [u64; 2]) {
        let queue = &mut self.queues[number];
        let at = queue.completions + u64::from(queue.cq_tail) * 16;
        let tag = u64::from(queue.phase) << 48;
        queue.cq_tail += 1;
        if queue.cq_tail == queue.entries {
            queue.cq_tail = 0;
            queue.phase = !queue.phase;
            self.wraps += 1;
        }
        *self.word(at).expect("completion queue in memory") = words[0];
        *self.word(at + 8).expect("completion queue in memory") = words[1] & !(1 << 48) | tag;
    }

    fn next_random(&mut self) -> u64 {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.random >> 33
    }
}

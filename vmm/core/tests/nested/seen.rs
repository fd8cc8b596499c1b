//! What a guest can know of a transaction.

use sluice_abi::smmu::event;
use sluice_smmu::Event;
use sluice_smmu_model::{Abort, Outcome};
use sluice_vmm::layout::RAM_BASE;
use sluice_vmm::memory::{GuestMemory, GuestPhysAddr, OutsideRam};
use sluice_vmm::smmu::{Backend, Delivery, Interrupt, Smmu, Stage1};

use crate::world::{RAM_AT, physical};

/// Events that a stream without a good entry would cause, where the virtual SMMU aborts in silence.
const SILENT: [u64; 3] = [event::C_BAD_STREAMID, event::F_STE_FETCH, event::C_BAD_STE];
/// Bits of an address that are known where stage 2 faulted.
const PAGE: u64 = !0xfff;

/// What the guest can know of a transaction.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Seen {
    /// It reached its memory there.
    Reached(u64),
    /// It aborted with this record.
    Told([u64; 4]),
    /// It aborted without one.
    Silence,
    /// Stage 1 let it pass to this page, where the guest has nothing.
    Nothing(u64),
}

impl Seen {
    /// How the guest sees what the physical SMMU makes of a transaction of its stream.
    pub(crate) fn of(smmu: &Smmu, stream: usize, outcome: &Outcome) -> Self {
        match (outcome.result, outcome.record) {
            (Ok(at), _) => Self::Reached(at.0 - RAM_AT + RAM_BASE),
            (Err(_), None) => Self::Silence,
            (Err(_), Some(words)) => {
                let record = Event::decode(words).record(0, 0);
                let mut queue = Queue::default();
                match smmu.clone().deliver(stream, &record, &mut queue) {
                    Delivery::Guest => Self::Told(queue.record),
                    Delivery::Lost => panic!("the queue is enabled, and empty"),
                    Delivery::Owner => Self::Nothing(record.ipa),
                }
            }
        }
    }

    /// Number of the kind.
    pub(crate) const fn kind(&self) -> usize {
        match self {
            Self::Reached(_) => 0,
            Self::Told(_) => 1,
            Self::Silence => 2,
            Self::Nothing(_) => 3,
        }
    }

    /// Whether an outcome looks like this.
    pub(crate) fn is(&self, permitted: &Outcome) -> bool {
        match (*self, permitted.result, permitted.record) {
            (Self::Reached(at), Ok(permitted), _) => at == permitted.0,
            (Self::Told([a, b, c, fetch]), Err(_), Some(record)) => {
                [a, b, c, fetch & PAGE] == [record[0], record[1], record[2], record[3] & PAGE]
            }
            (Self::Silence, Err(Abort::Configured), _) => true,
            (Self::Silence, Err(Abort::Event(kind)), record) => {
                // Descriptors that no address reaches make an entry illegal here, and the fetch fail there.
                let beyond = record.is_some_and(|record| record[0] & 0xff == event::F_CD_FETCH && record[3] >> 44 != 0);
                SILENT.contains(&kind) || beyond
            }
            (Self::Nothing(page), Ok(at), _) => physical(at.0).is_none() && at.0 & PAGE == page,
            (Self::Reached(_) | Self::Told(_) | Self::Silence | Self::Nothing(_), _, _) => false,
        }
    }
}

/// Takes one record.
#[derive(Default)]
struct Queue {
    record: [u64; 4],
}

impl GuestMemory for Queue {
    fn read(&self, _at: GuestPhysAddr, _into: &mut [u8]) -> Result<(), OutsideRam> {
        Err(OutsideRam)
    }

    fn write(&mut self, _at: GuestPhysAddr, from: &[u8]) -> Result<(), OutsideRam> {
        let (words, _) = from.as_chunks();
        self.record.iter_mut().zip(words).for_each(|(word, bytes)| *word = u64::from_le_bytes(*bytes));
        Ok(())
    }
}

impl Backend for Queue {
    fn set_stage1(&mut self, _stream: usize, _stage1: Stage1) {
        panic!("a record changes no stream");
    }

    fn invalidate(&mut self, _stream: usize, _commands: &[[u64; 2]]) {
        panic!("a record invalidates nothing");
    }

    fn publish(&mut self, _offset: u64, _value: u32) {}

    fn interrupt(&mut self, _interrupt: Interrupt) {}
}

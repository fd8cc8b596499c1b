//! The redistributors' registers (IHI 0069, 12.11).

use super::Gic;
use super::bank::Bank;
use super::delivery::ListRegisters;
use super::registers::{self, GICR_TYPER, WAKER};
use crate::layout::REDISTRIBUTOR_STRIDE;
use crate::mmio::{Place, Width};
use crate::processor::Processor;

/// GICR_TYPER.Last: the last redistributor of the region.
const TYPER_LAST: u64 = 1 << 4;
/// GICR_TYPER.Processor_Number.
const TYPER_NUMBER: u32 = 8;
/// GICR_TYPER.Affinity_Value.
const TYPER_AFFINITY: u32 = 32;

/// GICR_WAKER.ProcessorSleep.
const PROCESSOR_SLEEP: u64 = 1 << 1;
/// GICR_WAKER.ChildrenAsleep, which follows ProcessorSleep at once.
const CHILDREN_ASLEEP: u64 = 1 << 2;

/// Offset of the frame for SGIs and PPIs.
const SGI_FRAME: u64 = 0x1_0000;

/// What one processor has.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Redistributor {
    /// SGIs and PPIs.
    pub(super) bank: Bank,
    /// Nothing is to be signalled to the processor.
    pub(super) asleep: bool,
    pub(super) list: ListRegisters,
}

impl Redistributor {
    pub(super) const fn new() -> Self {
        Self { bank: Bank::private(), asleep: true, list: ListRegisters::new() }
    }
}

/// An access of one frame of one redistributor.
enum Frame {
    /// RD_base.
    Control(Processor, Place),
    /// SGI_base.
    Interrupts(Processor, Place),
}

impl Gic {
    /// Reads a redistributor; offsets are in [`REDISTRIBUTORS`](crate::layout::REDISTRIBUTORS).
    #[must_use]
    pub fn read_redistributors(&self, place: Place) -> u64 {
        match self.frame(place) {
            Some(Frame::Control(processor, place)) => self.read_control(processor, place),
            Some(Frame::Interrupts(processor, place)) => match registers::of_a_bank(place) {
                Some((0, register)) => self.redistributors[processor.index()].bank.read(register).into(),
                Some(_) | None => 0,
            },
            None => 0,
        }
    }

    /// Writes a redistributor.
    pub fn write_redistributors(&mut self, place: Place, value: u64) {
        match self.frame(place) {
            Some(Frame::Control(processor, Place { offset: WAKER, width: Width::Word })) => {
                self.redistributors[processor.index()].asleep = value & PROCESSOR_SLEEP != 0;
            }
            Some(Frame::Interrupts(processor, place)) => {
                if let Some((0, register)) = registers::of_a_bank(place) {
                    self.redistributors[processor.index()].bank.write(register, value as u32);
                }
            }
            Some(Frame::Control(..)) | None => {}
        }
    }

    fn frame(&self, Place { offset, width }: Place) -> Option<Frame> {
        let processor = Processor::new(usize::try_from(offset / REDISTRIBUTOR_STRIDE).ok()?)?;
        if processor.index() >= self.processors {
            return None;
        }
        Some(match offset % REDISTRIBUTOR_STRIDE {
            offset if offset < SGI_FRAME => Frame::Control(processor, Place { offset, width }),
            offset => Frame::Interrupts(processor, Place { offset: offset - SGI_FRAME, width }),
        })
    }

    fn read_control(&self, processor: Processor, place: Place) -> u64 {
        let last = if processor.index() + 1 == self.processors { TYPER_LAST } else { 0 };
        let number = processor.index() as u64;
        let kind = processor.affinity() << TYPER_AFFINITY | number << TYPER_NUMBER | last;
        match (place.width, place.offset) {
            (Width::Double, GICR_TYPER) => kind,
            (Width::Word, GICR_TYPER) => kind & Width::Word.mask(),
            (Width::Word, offset) if offset == GICR_TYPER + 4 => kind >> 32,
            (Width::Word, WAKER) if self.redistributors[processor.index()].asleep => PROCESSOR_SLEEP | CHILDREN_ASLEEP,
            // CTLR has nothing but LPIs and 1-of-N to control; IIDR, STATUSR and the LPI registers are zero too.
            (Width::Word, offset) if place.is_aligned() => registers::identity(offset).into(),
            (Width::Byte | Width::Half | Width::Word | Width::Double, _) => 0,
        }
    }
}

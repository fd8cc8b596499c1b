//! The component that keeps the pages.

use alloc::vec::Vec;

use sluice_abi::{CapRights, PAGE_SIZE, VirtAddr, VmAttributes};
use sluice_manifest::{layout, slot};
use sluice_rt::{Env, Memory, RtError};
use sluice_sys::{CNode, Frame, Message, ReceiveSlot, Received, Slot, set_receive_slot};

use crate::pattern;
use crate::protocol::{Damage, Refusal, Request, verdict_words};

extern crate alloc;

/// Pages a keeper can have besides its own: those of the window that needs no translation tables.
const MOST_ADOPTED: usize = ((layout::WINDOW_END - layout::WINDOW) / PAGE_SIZE) as usize;

/// Where a frame is, as an answer.
fn address(frame: Frame) -> Result<[u64; 4], Refusal> {
    frame.get_address().map(|at| [at.0, 0, 0, 0]).map_err(|_| Refusal::Kernel)
}

/// The keeper's end of the channel; call [`Keeper::answer`] with each message.
///
/// Who hands a frame over can still revoke it; the next check then faults, and the keeper is gone. A client that wants
/// its verdicts asks for a release first.
#[derive(Debug)]
pub struct Keeper<'a> {
    env: &'a Env,
    own: Memory,
    frame: Frame,
    adopted: Vec<(Slot, Memory)>,
    receive: Slot,
}

impl<'a> Keeper<'a> {
    /// Keeps `own`, a page of the component that `frame` is the capability of.
    ///
    /// From here on the keeper owns the thread's receive slot.
    ///
    /// # Errors
    /// When there is no free slot, or `own` is no page.
    pub fn new(env: &'a Env, own: Memory, frame: Frame) -> Result<Self, RtError> {
        let own = own.part(0, PAGE_SIZE as usize).ok_or(RtError::Address(own.address().0))?;
        let keeper = Self { env, own, frame, adopted: Vec::new(), receive: env.slots().take()? };
        keeper.open_receive_slot();
        fill(0, own);
        Ok(keeper)
    }

    /// Does what a client asks; returns the answer for it.
    #[must_use]
    pub fn answer(&mut self, message: &Received) -> Message<4> {
        let outcome = self.serve(message);
        match outcome {
            Ok(words) => Message::new(0, words),
            Err(refusal) => Message::new(refusal as u64, [0; 4]),
        }
    }

    fn serve(&mut self, message: &Received) -> Result<[u64; 4], Refusal> {
        let received = message.caps() == 1 && message.unwrapped_badge(0).is_none();
        match Request::from_label(message.label()) {
            Some(Request::Adopt) if received => return self.adopt(),
            Some(Request::Where | Request::Adopt | Request::Check | Request::Release | Request::Adopted) | None => {
                // A capability behind a badge is in the slot as well; an empty slot stays empty.
                if message.caps() > 0 {
                    self.receive.delete().map_err(|_| Refusal::Kernel)?;
                }
            }
        }
        match Request::from_label(message.label()).ok_or(Refusal::Request)? {
            Request::Where => address(self.frame),
            Request::Adopted => self.adopted.last().map_or(Ok([0; 4]), |(slot, _)| address(Frame::from(slot.index))),
            Request::Adopt => Err(Refusal::NoFrame),
            Request::Check => Ok(verdict_words(self.damage())),
            Request::Release => self.release().map(|()| [0; 4]),
        }
    }

    /// Takes over the frame in the receive slot; a capability that cannot be kept is deleted.
    fn adopt(&mut self) -> Result<[u64; 4], Refusal> {
        let outcome = self.map_received();
        match outcome {
            Ok(next) => {
                self.receive = next;
                self.open_receive_slot();
                Ok([self.adopted.len() as u64, 0, 0, 0])
            }
            Err(refusal) => {
                self.receive.delete().map_err(|_| Refusal::Kernel)?;
                Err(refusal)
            }
        }
    }

    /// Maps and fills the received frame; returns the slot for the next.
    fn map_received(&mut self) -> Result<Slot, Refusal> {
        let number = self.adopted.len();
        if number == MOST_ADOPTED {
            return Err(Refusal::Full);
        }
        let next = self.env.slots().take().map_err(|_| Refusal::Full)?;
        let at = VirtAddr(layout::WINDOW + number as u64 * PAGE_SIZE);
        let mapped = Frame::from(self.receive.index).map(
            self.env.vspace(),
            at,
            CapRights::READ | CapRights::WRITE,
            VmAttributes::DEFAULT | VmAttributes::EXECUTE_NEVER,
        );
        let Some(memory) = Memory::at(at, PAGE_SIZE).filter(|_| mapped.is_ok()) else {
            self.env.slots().put_back(next);
            return Err(Refusal::Unmappable);
        };
        self.adopted.push((self.receive, memory));
        fill(number as u64 + 1, memory);
        Ok(next)
    }

    fn release(&mut self) -> Result<(), Refusal> {
        while let Some((slot, _)) = self.adopted.pop() {
            slot.delete().map_err(|_| Refusal::Kernel)?;
            self.env.slots().put_back(slot);
        }
        Ok(())
    }

    fn damage(&self) -> Option<Damage> {
        let pages = core::iter::once(self.own).chain(self.adopted.iter().map(|(_, memory)| *memory));
        (0..).zip(pages).find_map(|(page, memory)| {
            pattern::first_damage(page, |word| memory.read64(8 * word)).map(|(word, found)| Damage {
                page,
                word,
                found,
            })
        })
    }

    fn open_receive_slot(&self) {
        set_receive_slot(ReceiveSlot {
            root: CNode::from(slot::CNODE),
            index: self.receive.index,
            depth: self.receive.depth,
        });
    }
}

fn fill(page: u64, memory: Memory) {
    for word in 0..pattern::WORDS {
        memory.write64(8 * word, pattern::word(page, word));
    }
}

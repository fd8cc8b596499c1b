//! Messages to threads. Registers and priorities are not modelled; what fills a thread's slots is a delete and a copy.

use sluice_abi::{Error, Label, PhysAddr, WORD_BITS, ipc_buffer};
use sluice_abstract::{Cap, Invocation, Rights, Slot, ThreadSlot};

use super::{Demand, Demanded, Effect, Message};

impl Message<'_> {
    pub(super) fn of_thread(&self, thread: PhysAddr) -> Demanded {
        Ok(match self.label.ok_or(Error::IllegalOperation)? {
            Label::TcbSuspend => Demand::Step(Invocation::Suspend(self.slot)),
            Label::TcbResume => Demand::Step(Invocation::Resume(self.slot)),
            Label::TcbBindNotification => {
                Demand::Step(Invocation::BindNotification { thread: self.slot, notification: self.extra(0)? })
            }
            Label::TcbUnbindNotification => Demand::Step(Invocation::UnbindNotification(self.slot)),
            Label::TcbConfigure => {
                self.expect(4, 3)?;
                let buffer = self.buffer(thread, 3, 2)?;
                Demand::Steps([self.space(thread)?, buffer].concat())
            }
            Label::TcbSetSpace => {
                self.expect(3, 2)?;
                Demand::Steps(self.space(thread)?)
            }
            Label::TcbSetIpcBuffer => {
                self.expect(1, 1)?;
                Demand::Steps(self.buffer(thread, 0, 0)?)
            }
            Label::TcbReadRegisters => {
                self.expect(2, 0)?;
                Demand::Beside(Effect::Steps(self.flagged(0, Invocation::Suspend(self.slot))))
            }
            Label::TcbWriteRegisters => {
                self.expect(2, 0)?;
                Demand::Beside(Effect::Steps(self.flagged(0, Invocation::Resume(self.slot))))
            }
            Label::TcbCopyRegisters => {
                self.expect(1, 1)?;
                let suspend = self.flagged(0, Invocation::Suspend(self.extra(0)?));
                let resume = self.flagged(1, Invocation::Resume(self.slot));
                Demand::Beside(Effect::Steps([suspend, resume].concat()))
            }
            _ => {
                return self.only(&[
                    Label::TcbSetPriority,
                    Label::TcbSetMcPriority,
                    Label::TcbSetSchedParams,
                    Label::TcbSetTlsBase,
                    Label::TcbSetFlags,
                ]);
            }
        })
    }

    /// The step, if bit `bit` of the first word is set.
    fn flagged(&self, bit: u32, step: Invocation) -> Vec<Invocation> {
        if self.words[0] >> bit & 1 == 0 { vec![] } else { vec![step] }
    }

    fn buffer(&self, thread: PhysAddr, word: usize, cap: usize) -> Result<Vec<Invocation>, Error> {
        let source = self.extra(cap)?;
        let dest = Slot::Thread { thread, which: ThreadSlot::Buffer };
        let address = self.words[word];
        if address == 0 {
            return Ok(vec![Invocation::Delete(dest)]);
        }
        let Cap::Frame { device: false, .. } = self.derivable(source)? else { return Err(Error::IllegalOperation) };
        if !address.is_multiple_of(1 << ipc_buffer::SIZE_BITS) {
            return Err(Error::AlignmentError);
        }
        Ok(vec![Invocation::Delete(dest), copy(source, dest, 0)])
    }

    /// Words: fault handler, CSpace data, VSpace data. Capabilities: CSpace root, VSpace root.
    fn space(&self, thread: PhysAddr) -> Result<Vec<Invocation>, Error> {
        let [cspace, vspace] = [ThreadSlot::CSpace, ThreadSlot::VSpace].map(|which| Slot::Thread { thread, which });
        // The last capability to a CNode takes long to delete, for which this call cannot be interrupted.
        if self.state.is_last(cspace) {
            return Err(Error::IllegalOperation);
        }
        let (roots, spaces) = (self.extra(0)?, self.extra(1)?);
        let Cap::CNode { radix, .. } = self.derivable(roots)? else { return Err(Error::IllegalOperation) };
        let guard_bits = (self.words[1] & 0x3f) as u32;
        if self.words[1] != 0 && radix + guard_bits > WORD_BITS {
            return Err(Error::IllegalOperation);
        }
        let Cap::VSpace { asid: Some(_), .. } = self.derivable(spaces)? else { return Err(Error::IllegalOperation) };
        Ok(vec![
            Invocation::Delete(cspace),
            copy(roots, cspace, self.words[1]),
            Invocation::Delete(vspace),
            copy(spaces, vspace, self.words[2]),
        ])
    }

    /// What a copy would be of, if there can be one.
    fn derivable(&self, source: Slot) -> Result<Cap, Error> {
        match self.state.cap(source).ok_or(Error::IllegalOperation)? {
            Cap::Untyped { .. } if self.state.children(source).next().is_some() => Err(Error::RevokeFirst),
            cap => Ok(cap),
        }
    }
}

fn copy(source: Slot, dest: Slot, data: u64) -> Invocation {
    let rights = Rights::ALL;
    if data == 0 { Invocation::Copy { source, dest, rights } } else { Invocation::Mint { source, dest, rights, data } }
}

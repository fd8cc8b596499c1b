//! Messages to threads.

use sluice_abi::{Label, USER_CONTEXT_WORDS};

use super::{Decoded, Request};
use crate::{Invocation, NewBuffer, NewSpace, Refused};

impl Request<'_> {
    pub(super) fn of_thread(&self) -> Decoded {
        let thread = self.slot;
        Ok(match self.label.ok_or(Refused::IllegalOperation)? {
            Label::TcbReadRegisters => {
                self.expect(2, 0)?;
                Invocation::ReadRegisters { thread, suspend: self.flag(0), count: self.words[1] }
            }
            Label::TcbWriteRegisters => {
                self.expect(2, 0)?;
                let values = &self.words[2..];
                let count = usize::try_from(self.words[1]).ok().filter(|count| *count <= values.len());
                let count = count.ok_or(Refused::Truncated)?.min(USER_CONTEXT_WORDS);
                Invocation::WriteRegisters { thread, resume: self.flag(0), values: values[..count].to_vec() }
            }
            Label::TcbCopyRegisters => {
                self.expect(1, 1)?;
                Invocation::CopyRegisters {
                    thread,
                    source: self.extra(0)?,
                    which: [0, 1, 2, 3].map(|bit| self.flag(bit)),
                }
            }
            Label::TcbConfigure => {
                self.expect(4, 3)?;
                Invocation::Configure { thread, space: Some(self.space()?), buffer: Some(self.buffer(3, 2)?) }
            }
            Label::TcbSetSpace => {
                self.expect(3, 2)?;
                Invocation::Configure { thread, space: Some(self.space()?), buffer: None }
            }
            Label::TcbSetIpcBuffer => {
                self.expect(1, 1)?;
                Invocation::Configure { thread, space: None, buffer: Some(self.buffer(0, 0)?) }
            }
            Label::TcbSetPriority => self.priorities(&[None, Some(0)])?,
            Label::TcbSetMcPriority => self.priorities(&[Some(0), None])?,
            Label::TcbSetSchedParams => self.priorities(&[Some(0), Some(1)])?,
            Label::TcbSuspend => Invocation::Suspend(thread),
            Label::TcbResume => Invocation::Resume(thread),
            Label::TcbBindNotification => Invocation::BindNotification { thread, notification: self.extra(0)? },
            Label::TcbUnbindNotification => Invocation::UnbindNotification(thread),
            Label::TcbSetTlsBase => {
                self.expect(1, 0)?;
                Invocation::SetTlsBase { thread, base: self.words[0] }
            }
            Label::TcbSetFlags => {
                self.expect(2, 0)?;
                Invocation::SetFlags { thread, clear: self.words[0], set: self.words[1] }
            }
            _ => return Err(Refused::IllegalOperation),
        })
    }

    /// Bit `bit` of the first word.
    fn flag(&self, bit: u32) -> bool {
        self.words[0] >> bit & 1 != 0
    }

    /// Words of the highest priority to be given, and of the priority.
    fn priorities(&self, words: &[Option<usize>; 2]) -> Decoded {
        let needed = words.iter().flatten().max().map_or(0, |last| last + 1);
        self.expect(needed, 1)?;
        let [max_priority, priority] = words.map(|word| word.map(|word| self.words[word]));
        Ok(Invocation::SetPriorities { thread: self.slot, authority: self.extra(0)?, max_priority, priority })
    }

    fn buffer(&self, word: usize, cap: usize) -> Result<NewBuffer, Refused> {
        Ok(NewBuffer { address: self.words[word], frame: self.extra(cap)? })
    }

    /// Words: fault handler, data of the CSpace's root, data of the address space.
    fn space(&self) -> Result<NewSpace, Refused> {
        let (cspace, vspace) = (self.extra(0)?, self.extra(1)?);
        Ok(NewSpace { handler: self.words[0], cspace, cspace_data: self.words[1], vspace, vspace_data: self.words[2] })
    }
}

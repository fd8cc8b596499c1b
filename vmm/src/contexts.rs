//! The streams of the guest's functions, and what translates for them.
//!
//! Stage 2 of every context is the guest's address space. A stream that is not bound aborts.

use alloc::string::String;
use alloc::vec::Vec;

use sluice_rt::Memory;
use sluice_sys::{Cb, Failure, Sid};
use sluice_vmm::layout::SMMU;
use sluice_vmm::smmu::{Binding, Stage1, Step};
use sluice_vmm::world::Contexts as Wanted;

/// A stream and the context it has for itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stream {
    pub(crate) sid: Sid,
    pub(crate) context: Cb,
    state: Binding,
}

/// The streams behind the virtual SMMU, and the frames in which the guest reads its registers.
pub(crate) struct Contexts {
    pub(crate) streams: Vec<Stream>,
    /// The first page of each of the two register pages.
    pub(crate) pages: Option<[Memory; 2]>,
    /// Something was refused: what the guest counts on is not so.
    pub(crate) broken: Option<String>,
}

impl Stream {
    pub(crate) const fn new(sid: Sid, context: Cb) -> Self {
        Self { sid, context, state: Binding { bound: false, has_table: false } }
    }

    /// Has stage 2 alone translate for the stream.
    pub(crate) fn bind(&mut self) -> Result<(), Failure> {
        self.set(Stage1::Bypass)
    }

    /// Has the stream abort.
    pub(crate) fn unbind(&mut self) -> Result<(), Failure> {
        self.set(Stage1::Abort)
    }

    fn set(&mut self, stage1: Stage1) -> Result<(), Failure> {
        for step in self.state.steps(stage1) {
            self.take(step)?;
        }
        Ok(())
    }

    fn take(&mut self, step: Step) -> Result<(), Failure> {
        match step {
            Step::Bind => self.sid.bind_cb(self.context),
            Step::Unbind => self.sid.unbind_cb(),
            Step::Assign(table) => self.context.assign_cd_table(table),
            Step::Unassign => self.context.unassign_cd_table(),
        }?;
        self.state.done(step);
        Ok(())
    }
}

impl Contexts {
    fn note(&mut self, what: &str, stream: usize, outcome: Result<(), Failure>) {
        if let Err(failure) = outcome {
            self.broken = Some(alloc::format!("the kernel refuses to {what} of stream {stream}: {failure}"));
        }
    }
}

impl Wanted for Contexts {
    fn set_stage1(&mut self, stream: usize, stage1: Stage1) {
        let Some(context) = self.streams.get_mut(stream) else { return };
        let outcome = context.set(stage1);
        self.note("set stage 1", stream, outcome);
    }

    fn invalidate(&mut self, stream: usize, commands: &[[u64; 2]]) {
        let Some(context) = self.streams.get(stream) else { return };
        let outcome = context.context.invalidate_stage1(commands);
        self.note("invalidate stage 1", stream, outcome);
    }

    fn publish(&mut self, offset: u64, value: u32) {
        let half = SMMU.size / 2;
        let page = self.pages.as_ref().and_then(|pages| pages.get((offset / half) as usize));
        let offset = (offset % half) as usize;
        if let Some(page) = page.filter(|page| offset < page.len()) {
            page.write32(offset, value);
        }
    }
}

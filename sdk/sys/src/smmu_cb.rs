//! Translation contexts.

use sluice_abi::smmu::{CdTable, ContextId, MAX_STAGE1_COMMANDS};
use sluice_abi::{Iova, Label};

use crate::{Failure, Message, Slot, VSpace, capability, invoke};

capability! {
    /// Authority over the contexts of every SMMU.
    CbControl
}

capability! {
    /// The capability to one translation context.
    Cb
}

impl CbControl {
    /// Makes the capability of a context.
    ///
    /// # Errors
    /// `RevokeFirst` when it exists, `Range` when the SMMU has no such context.
    pub fn get_cb(self, context: ContextId, to: Slot) -> Result<(), Failure> {
        invoke(self.0, &get_cb(context, to)).map(drop)
    }

    /// Drops every cached translation of an SMMU.
    ///
    /// # Errors
    /// When there is no such SMMU.
    pub fn tlb_invalidate_all(self, smmu: u8) -> Result<(), Failure> {
        invoke(self.0, &Message::invocation(Label::CbControlTlbInvalidateAll, [u64::from(smmu)])).map(drop)
    }
}

impl Cb {
    /// Translates with a VSpace.
    ///
    /// # Errors
    /// When the context has one, or the VSpace has no ASID.
    pub fn assign_vspace(self, space: VSpace) -> Result<(), Failure> {
        invoke(self.0, &Message::invocation(Label::CbAssignVspace, []).with_cap(space.cptr())).map(drop)
    }

    /// Translates nothing any more.
    ///
    /// # Errors
    /// When the context has no VSpace.
    pub fn unassign_vspace(self) -> Result<(), Failure> {
        invoke(self.0, &Message::invocation(Label::CbUnassignVspace, [])).map(drop)
    }

    /// Drops the context's cached translations.
    ///
    /// # Errors
    /// When the context has no VSpace.
    pub fn tlb_invalidate(self) -> Result<(), Failure> {
        invoke(self.0, &Message::invocation(Label::CbTlbInvalidate, [])).map(drop)
    }

    /// Type and address of the latest event of any of its streams; `None` when there was none.
    ///
    /// # Errors
    /// When the capability is no context.
    pub fn get_fault(self) -> Result<Option<(u64, Iova)>, Failure> {
        let reply = invoke(self.0, &Message::invocation(Label::CbGetFault, []))?;
        Ok((reply.word(0) != 0).then(|| (reply.word(0), Iova(reply.word(1)))))
    }

    /// Forgets the latest event.
    ///
    /// # Errors
    /// When the capability is no context.
    pub fn clear_fault(self) -> Result<(), Failure> {
        invoke(self.0, &Message::invocation(Label::CbClearFault, [])).map(drop)
    }

    /// Puts the holder's own stage 1 before stage 2.
    ///
    /// # Errors
    /// When the context has no stage 2, or the SMMU does not support the request.
    pub fn assign_cd_table(self, table: CdTable) -> Result<(), Failure> {
        invoke(self.0, &Message::invocation(Label::CbAssignCdTable, table.words())).map(drop)
    }

    /// Takes stage 1 away.
    ///
    /// # Errors
    /// When there is none.
    pub fn unassign_cd_table(self) -> Result<(), Failure> {
        invoke(self.0, &Message::invocation(Label::CbUnassignCdTable, [])).map(drop)
    }

    /// Issues stage-1 invalidation commands of the holder; more than 59 are refused by the kernel.
    ///
    /// # Errors
    /// `InvalidArgument` with the index of the first command refused; none has been executed then.
    pub fn invalidate_stage1(self, commands: &[[u64; 2]]) -> Result<(), Failure> {
        // Most batches are of a few commands, and a long message takes its time to be put together.
        if commands.len() <= FEW {
            invoke(self.0, &invalidate_stage1::<{ 1 + 2 * FEW }>(commands)).map(drop)
        } else {
            invoke(self.0, &invalidate_stage1::<{ 1 + 2 * MAX_STAGE1_COMMANDS }>(commands)).map(drop)
        }
    }
}

fn get_cb(context: ContextId, to: Slot) -> Message<3> {
    Message::invocation(Label::CbControlGetCb, [context.word(), to.index, u64::from(to.depth)]).with_cap(to.root.cptr())
}

/// Commands of a short batch.
const FEW: usize = 4;

/// The count is sent as it is, so that a batch too long is the kernel's to refuse; the words are cut to what fits.
fn invalidate_stage1<const WORDS: usize>(commands: &[[u64; 2]]) -> Message<WORDS> {
    let mut words = [0; WORDS];
    words[0] = commands.len() as u64;
    for (word, command) in words[1..].iter_mut().zip(commands.iter().flatten()) {
        *word = *command;
    }
    Message::invocation(Label::CbInvalidateStage1, words).shortened(1 + 2 * commands.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CNode;

    #[test]
    fn contexts_carry_their_smmu() {
        let message = get_cb(ContextId { smmu: 1, cb: 7 }, CNode::from(2).slot(33));
        assert_eq!((message.label(), message.words()), (61, [1 << 32 | 7, 33, 64].as_slice()));
    }

    #[test]
    fn batches_carry_their_count() {
        assert_eq!(invalidate_stage1::<9>(&[[1, 2], [3, 4]]).words(), [2, 1, 2, 3, 4]);
        assert_eq!(invalidate_stage1::<119>(&[[1, 2], [3, 4]]).words(), [2, 1, 2, 3, 4]);
        let long = invalidate_stage1::<119>(&[[9, 9]; 60]);
        assert_eq!((long.words()[0], long.words().len()), (60, 119));
    }
}

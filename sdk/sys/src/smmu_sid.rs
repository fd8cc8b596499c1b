//! Streams: authority over a device's memory accesses, and over the SMMUs as a whole.

use sluice_abi::smmu::{Record, SmmuState, StreamId};
use sluice_abi::{CPtr, Label};

use crate::answer::Answer;
use crate::{Cb, Failure, Message, Notification, Slot, capability, invoke};

capability! {
    /// Authority over the streams of every SMMU.
    SidControl
}

capability! {
    /// The capability to one stream.
    Sid
}

/// How an SMMU fares.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct GlobalFault {
    /// Bits of GERROR (IHI 0070, 6.3.19) that are active, or were since they were last acknowledged.
    pub active: u64,
    /// Why a command was rejected (IHI 0070, 7.1), 0 when none was.
    pub command_error: u64,
    /// Index of the command.
    pub command_index: u64,
    /// How often event records were lost.
    pub losses: u64,
    /// What it does with streams; `None` for a number that this library does not know.
    pub state: Option<SmmuState>,
}

impl SidControl {
    /// Makes the capability of a stream.
    ///
    /// # Errors
    /// `RevokeFirst` when it exists, `Range` when the SMMU has no such stream, `Lookup` when no stream table covers it.
    pub fn get_sid(self, stream: StreamId, to: Slot) -> Result<(), Failure> {
        invoke(self.0, &get_sid(stream, to)).map(drop)
    }

    /// Installs a stream table (an object) for the streams from `first` on.
    ///
    /// # Errors
    /// When `first` is not aligned to the table's span, or one is there.
    pub fn map_stream_table(self, table: CPtr, first: StreamId) -> Result<(), Failure> {
        let message = Message::invocation(Label::SidControlMapStreamTable, [first.word()]).with_cap(table);
        invoke(self.0, &message).map(drop)
    }

    /// The global errors of an SMMU.
    ///
    /// # Errors
    /// When there is no such SMMU.
    pub fn get_fault(self, smmu: u8) -> Result<GlobalFault, Failure> {
        let reply = invoke(self.0, &about(Label::SidControlGetFault, smmu))?;
        let state = SmmuState::ALL.into_iter().find(|state| *state as u64 == reply.word(4));
        let (active, command_error, command_index) = (reply.word(0), reply.word(1), reply.word(2));
        Ok(GlobalFault { active, command_error, command_index, losses: reply.word(3), state })
    }

    /// Acknowledges the global errors of an SMMU.
    ///
    /// # Errors
    /// When there is no such SMMU.
    pub fn clear_fault(self, smmu: u8) -> Result<(), Failure> {
        invoke(self.0, &about(Label::SidControlClearFault, smmu)).map(drop)
    }

    /// The oldest event record that no stream's handler claims.
    ///
    /// # Errors
    /// When there is no such SMMU.
    pub fn get_eventq(self, smmu: u8) -> Result<Option<Record>, Failure> {
        record(&invoke(self.0, &about(Label::SidControlGetEventq, smmu))?)
    }

    /// Takes the command that the SMMU rejected last. The kernel has stepped over it and made up for it already.
    ///
    /// # Errors
    /// When there is none, or no such SMMU.
    pub fn skip_command_error(self, smmu: u8) -> Result<[u64; 2], Failure> {
        let reply = invoke(self.0, &about(Label::SidControlSkipCmdqError, smmu))?;
        Ok([reply.word(0), reply.word(1)])
    }

    /// Brings an SMMU up: each stream does what its entry says.
    ///
    /// # Errors
    /// When it is up, does not come up (and aborts everything), or there is no such SMMU.
    pub fn init_smmu(self, smmu: u8) -> Result<(), Failure> {
        invoke(self.0, &about(Label::SidControlInitSmmu, smmu)).map(drop)
    }

    /// Takes an SMMU down, to abort.
    ///
    /// # Errors
    /// When there is no such SMMU.
    pub fn disable_smmu(self, smmu: u8) -> Result<(), Failure> {
        invoke(self.0, &about(Label::SidControlDisableSmmu, smmu)).map(drop)
    }

    /// Lets a stream reach **all memory**, untranslated, until it is unbound or nobody holds it.
    ///
    /// # Errors
    /// When the stream is bound, or bypasses.
    pub fn bypass_stream(self, stream: Sid) -> Result<(), Failure> {
        invoke(self.0, &Message::invocation(Label::SidControlBypassStream, []).with_cap(stream.cptr())).map(drop)
    }
}

impl Sid {
    /// Translates the stream with a context.
    ///
    /// # Errors
    /// When the context has no VSpace, or the stream is bound.
    pub fn bind_cb(self, context: Cb) -> Result<(), Failure> {
        invoke(self.0, &Message::invocation(Label::SidBindCb, []).with_cap(context.cptr())).map(drop)
    }

    /// Aborts what the stream does from now on.
    ///
    /// # Errors
    /// When the stream is not bound, and does not bypass.
    pub fn unbind_cb(self) -> Result<(), Failure> {
        invoke(self.0, &Message::invocation(Label::SidUnbindCb, [])).map(drop)
    }

    /// Signals `handler` for each fault record, until `budget` records are used up (0: no limit).
    ///
    /// # Errors
    /// When the capability is no notification.
    pub fn set_fault_handler(self, handler: Notification, budget: u64) -> Result<(), Failure> {
        invoke(self.0, &set_fault_handler(handler, budget)).map(drop)
    }

    /// Signals nobody.
    ///
    /// # Errors
    /// When the capability is no stream.
    pub fn clear_fault_handler(self) -> Result<(), Failure> {
        invoke(self.0, &Message::invocation(Label::SidSetFaultHandler, [0])).map(drop)
    }

    /// The oldest fault record of the stream.
    ///
    /// # Errors
    /// When the capability is no stream.
    pub fn get_fault(self) -> Result<Option<Record>, Failure> {
        record(&invoke(self.0, &Message::invocation(Label::SidGetFault, []))?)
    }

    /// Drops the stream's records and lifts its quarantine.
    ///
    /// # Errors
    /// When the capability is no stream.
    pub fn clear_fault(self) -> Result<(), Failure> {
        invoke(self.0, &Message::invocation(Label::SidClearFault, [])).map(drop)
    }
}

fn get_sid(stream: StreamId, to: Slot) -> Message<3> {
    Message::invocation(Label::SidControlGetSid, [stream.word(), to.index, u64::from(to.depth)])
        .with_cap(to.root.cptr())
}

fn set_fault_handler(handler: Notification, budget: u64) -> Message<1> {
    Message::invocation(Label::SidSetFaultHandler, [budget]).with_cap(handler.cptr())
}

fn about(label: Label, smmu: u8) -> Message<1> {
    Message::invocation(label, [u64::from(smmu)])
}

fn record(answer: &Answer) -> Result<Option<Record>, Failure> {
    let words: [u64; Record::WORDS] = answer.words();
    decode_record(words.get(..answer.length()).unwrap_or(&[0]))
}

/// No words are no record; anything but a whole record is a kernel that speaks another interface.
fn decode_record(words: &[u64]) -> Result<Option<Record>, Failure> {
    if words.is_empty() {
        return Ok(None);
    }
    let words = words.try_into().map_err(|_| Failure::Malformed { label: 0 })?;
    Record::from_words(words).map(Some).ok_or(Failure::Malformed { label: 0 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CNode;

    #[test]
    fn streams_carry_their_smmu() {
        let message = get_sid(StreamId { smmu: 2, sid: 0x108 }, CNode::from(2).slot(33));
        assert_eq!((message.label(), message.words()), (56, [2 << 32 | 0x108, 33, 64].as_slice()));
        assert_eq!(message.caps(), [CNode::from(2).cptr()]);
    }

    #[test]
    fn a_fault_handler_has_a_budget() {
        let message = set_fault_handler(Notification::from(4), 64);
        assert_eq!((message.label(), message.words()), (73, [64].as_slice()));
        assert_eq!(message.caps(), [Notification::from(4).cptr()]);
    }

    #[test]
    fn records_decode_whole_or_not_at_all() {
        let words = [0x10, 8, 0xdead_f000, 0, Record::STAGE2, 3];
        let decoded = decode_record(&words).expect("a whole record").expect("not empty");
        assert_eq!((decoded.event, decoded.iova.0, decoded.dropped), (0x10, 0xdead_f000, 3));
        assert_eq!(decode_record(&[]), Ok(None));
        assert!(decode_record(&words[..5]).is_err());
        assert!(decode_record(&[0x10, 1 << 36, 0, 0, 0, 0]).is_err(), "no such stream word");
    }
}

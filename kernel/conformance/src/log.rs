//! The log's lines.

use sluice_abi::smmu::{Record, StreamId};
use sluice_abi::{Iova, PhysAddr};
use sluice_abstract::Abilities;

/// How a call ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ending {
    /// It was carried out.
    Accepted,
    /// It was refused with the error of this number.
    Refused(u64),
    /// An interrupt came; the thread starts it over.
    Preempted,
}

/// An invocation of a kernel object.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Call {
    /// The caller.
    pub thread: PhysAddr,
    /// Address of the slot of the invoked capability.
    pub slot: PhysAddr,
    /// The message's label.
    pub label: u64,
    /// How it ended.
    pub ending: Ending,
    /// The message's words.
    pub words: Vec<u64>,
    /// Addresses of the slots of its capabilities.
    pub caps: Vec<PhysAddr>,
    /// Words of the answer, as far as they are logged.
    pub answer: Vec<u64>,
}

/// A line.
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "the fields are those of the log's format")]
pub enum Line {
    Smmu { number: u8, streams: u64, contexts: u32, can: Abilities },
    Table { number: u8, first: u32 },
    Cap { slot: PhysAddr, words: [u64; 2] },
    Irq(u32),
    Irqs { last: u32 },
    Guests { lists: u8, timer: u32 },
    Start(PhysAddr),
    Call(Call),
    Owe { caller: PhysAddr, thread: PhysAddr, grant: bool },
    Answer { caller: PhysAddr },
    Drop { thread: PhysAddr },
    Pass { source: PhysAddr, dest: PhysAddr },
    Fault { thread: PhysAddr, label: u64 },
    Event(Record),
}

impl Line {
    /// Reads one.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(text: &str) -> Result<Self, String> {
        let mut fields = Fields(text.split(' '));
        let line = match fields.text("kind of line")? {
            "smmu" => Self::Smmu {
                number: fields.small("SMMU")?,
                streams: fields.number("streams")?,
                contexts: fields.small("contexts")?,
                can: abilities(fields.number("features")?),
            },
            "table" => Self::Table { number: fields.small("SMMU")?, first: fields.small("first stream")? },
            "cap" => {
                Self::Cap { slot: fields.address("slot")?, words: [fields.number("word 0")?, fields.number("word 1")?] }
            }
            "irq" => Self::Irq(fields.small("interrupt")?),
            "irqs" => Self::Irqs { last: fields.small("last interrupt")? },
            "guests" => Self::Guests { lists: fields.small("list registers")?, timer: fields.small("interrupt")? },
            "start" => Self::Start(fields.address("thread")?),
            "call" => Self::Call(Call {
                thread: fields.address("thread")?,
                slot: fields.address("slot")?,
                label: fields.number("label")?,
                ending: fields.ending()?,
                words: fields.list("w=")?,
                caps: fields.list("c=")?.into_iter().map(PhysAddr).collect(),
                answer: fields.list("r=")?,
            }),
            "owe" => Self::Owe {
                caller: fields.address("caller")?,
                thread: fields.address("thread")?,
                grant: fields.number("grant")? != 0,
            },
            "answer" => Self::Answer { caller: fields.address("caller")? },
            "drop" => Self::Drop { thread: fields.address("thread")? },
            "pass" => Self::Pass { source: fields.address("source")?, dest: fields.address("destination")? },
            "fault" => Self::Fault { thread: fields.address("thread")?, label: fields.number("kind")? },
            "event" => {
                let word = fields.number("stream")?;
                let stream = StreamId::from_word(word).ok_or_else(|| format!("{word:x} is no stream"))?;
                Self::Event(Record {
                    event: fields.number("type")?,
                    stream,
                    iova: Iova(fields.number("IOVA")?),
                    ipa: fields.number("IPA")?,
                    flags: fields.number("flags")?,
                    dropped: 0,
                })
            }
            other => return Err(format!("no line begins with {other:?}")),
        };
        match fields.0.next() {
            None => Ok(line),
            Some(more) => Err(format!("{more:?} is one field too many")),
        }
    }
}

struct Fields<'a>(std::str::Split<'a, char>);

impl<'a> Fields<'a> {
    fn text(&mut self, name: &str) -> Result<&'a str, String> {
        self.0.next().ok_or_else(|| format!("no {name}"))
    }

    fn number(&mut self, name: &str) -> Result<u64, String> {
        number(name, self.text(name)?)
    }

    fn small<T: TryFrom<u64>>(&mut self, name: &str) -> Result<T, String> {
        let value = self.number(name)?;
        T::try_from(value).map_err(|_| format!("{name} {value:x} is too large"))
    }

    fn address(&mut self, name: &str) -> Result<PhysAddr, String> {
        self.number(name).map(PhysAddr)
    }

    fn ending(&mut self) -> Result<Ending, String> {
        Ok(match self.text("result")? {
            "p" => Ending::Preempted,
            "0" => Ending::Accepted,
            error => Ending::Refused(number("result", error)?),
        })
    }

    fn list(&mut self, prefix: &str) -> Result<Vec<u64>, String> {
        let text = self.text(prefix)?;
        let list = text.strip_prefix(prefix).ok_or_else(|| format!("{text:?} where {prefix} belongs"))?;
        list.split(',').filter(|_| !list.is_empty()).map(|text| number(prefix, text)).collect()
    }
}

/// What an SMMU can do, by the bits that `sluice_core`'s trace names.
fn abilities(bits: u64) -> Abilities {
    let flag = |bit: u32| bits >> bit & 1 != 0;
    Abilities {
        stage1: flag(0),
        stage2: flag(1),
        always_stalls: flag(2),
        substream_bits: (bits >> 16 & 0xff) as u32,
        asid_bits: (bits >> 8 & 0xff) as u32,
        ranges: flag(3),
        granules: [4, 5, 6].map(flag),
    }
}

fn number(name: &str, text: &str) -> Result<u64, String> {
    u64::from_str_radix(text, 16).map_err(|_| format!("{name} {text:?} is no hexadecimal number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_carry_words_and_slots() {
        let line = Line::read("call 10 20 28 6 w=8100000000,3,4 c=40 r=0,2,15");
        let call = Call {
            thread: PhysAddr(0x10),
            slot: PhysAddr(0x20),
            label: 0x28,
            ending: Ending::Refused(6),
            words: vec![0x81_0000_0000, 3, 4],
            caps: vec![PhysAddr(0x40)],
            answer: vec![0, 2, 21],
        };
        assert_eq!(line, Ok(Line::Call(call.clone())));
        let empty = Call { ending: Ending::Preempted, words: vec![], caps: vec![], answer: vec![], ..call };
        assert_eq!(Line::read("call 10 20 28 p w= c= r="), Ok(Line::Call(empty)));
    }

    #[test]
    fn what_an_smmu_can_do_is_in_its_bits() {
        assert_eq!(abilities(0x107b), Abilities::QEMU);
        let other = Abilities { stage2: false, always_stalls: true, ranges: false, ..Abilities::QEMU };
        let other = Abilities { substream_bits: 4, asid_bits: 8, granules: [true, false, true], ..other };
        assert_eq!(abilities(0x4_0855), other);
    }

    #[test]
    fn malformed_lines_are_refused_with_the_reason() {
        for (line, reason) in [
            ("", "no line begins with \"\""),
            ("hello 1", "no line begins with \"hello\""),
            ("start", "no thread"),
            ("start xyz", "thread \"xyz\" is no hexadecimal number"),
            ("start 1 2", "\"2\" is one field too many"),
            ("call 1 2 3 0 c= r=", "\"c=\" where w= belongs"),
            ("call 1 2 3 0 w= c=", "no r="),
            ("call 1 2 3 0 w=1,,2 c=", "w= \"\" is no hexadecimal number"),
            ("call 1 2 3 0 w=1", "no c="),
            ("smmu 0 1 1", "no features"),
            ("smmu 100 1 1 1", "SMMU 100 is too large"),
            ("event 1000000000 1 1", "1000000000 is no stream"),
        ] {
            assert_eq!(Line::read(line), Err(reason.to_owned()), "{line}");
        }
    }
}

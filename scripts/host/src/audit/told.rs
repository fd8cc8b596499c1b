//! What a machine says about its streams and components: the lines `AUDIT ...` of the kernel and the root task.
//!
//! They come behind these two names only. A component's lines have its own in front, so it cannot add to them.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};

use super::PAGE;
use crate::transcript::{KERNEL, ROOT};

/// Everything said at one moment.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Moment {
    /// Its name: `start`, that of a guest's device, that of a guest and `made` or `over`, or `end`.
    pub name: String,
    /// Where regions are.
    pub regions: Vec<Region>,
    /// Where registers of devices are.
    pub registers: Vec<Registers>,
    /// Streams that do not abort.
    pub streams: BTreeMap<String, Stream>,
    /// What each SMMU does with the others.
    pub smmus: BTreeMap<String, Others>,
    /// Address spaces of components.
    pub spaces: Vec<Space>,
    /// What components are made of, and have made.
    pub made: Vec<Made>,
    /// Virtual processors that have a thread, by address, and the tables that this runs with.
    pub processors: BTreeMap<u64, Option<u64>>,
    /// What the root task named last.
    pub(super) named: Named,
}

/// What lines about address spaces are of.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Named {
    /// The last of [`Moment::spaces`].
    #[default]
    Own,
    /// The last of [`Moment::made`].
    Made,
}

/// What a component is made of, and the address spaces that were made of that: its own, its devices' and its guest's.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Made {
    /// Name of the component.
    pub name: String,
    /// First physical address and bytes of each piece.
    pub memory: Vec<(u64, u64)>,
    /// The address spaces that processors can run in.
    pub spaces: Vec<Space>,
}

impl Made {
    /// Whether memory at this address is what the component is made of.
    #[must_use]
    pub fn has(&self, physical: u64) -> bool {
        self.memory.iter().any(|(base, bytes)| (*base..base.saturating_add(*bytes)).contains(&physical))
    }
}

/// A part of a region that is in one piece in memory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Region {
    /// Name of the region.
    pub name: String,
    /// Where in it the part begins.
    pub offset: u64,
    /// Bytes.
    pub bytes: u64,
    /// First physical address.
    pub physical: u64,
}

/// Registers of a device.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Registers {
    /// Name of the device.
    pub device: String,
    /// First physical address.
    pub base: u64,
    /// Bytes.
    pub bytes: u64,
}

/// A stream that does not abort.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stream {
    /// Where its entry is.
    pub entry: u64,
    /// What translates.
    pub stages: Stages,
    /// What it reaches by that.
    pub pieces: Vec<Piece>,
    /// Lines that say that its tables are not as the kernel writes them.
    pub strange: Vec<String>,
}

/// The address space of a component.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Space {
    /// Name of the component.
    pub name: String,
    /// Where its tables are, if the kernel said that it has some.
    pub tables: Option<u64>,
    /// What is mapped as ordinary memory.
    pub normal: Vec<Piece>,
    /// What is mapped as registers are.
    pub device: Vec<Piece>,
    /// Lines that say that its tables are not as the kernel writes them.
    pub strange: Vec<String>,
}

/// What an entry says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stages {
    /// Transactions pass untranslated.
    Bypass,
    /// Stage 1 alone translates.
    One,
    /// Stage 2 alone translates.
    Two,
    /// Both do.
    Both,
    /// Nothing that the kernel writes.
    Unknown,
}

/// Addresses behind which memory is in one piece.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Piece {
    /// First address for the device, or the processor.
    pub iova: u64,
    /// Bytes.
    pub bytes: u64,
    /// Of `r`, `w` and `x`; `-` without any.
    pub rights: String,
    /// First physical address.
    pub physical: u64,
}

/// Streams of an SMMU that no line names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Others {
    /// They abort, by their entries or for want of one.
    Abort,
    /// The SMMU is off and aborts everything.
    Off,
    /// The SMMU is off and stops nothing.
    Bypass,
    /// The stream table leads out of memory.
    Incomplete,
}

/// The moments of a machine that printed `lines`.
///
/// # Errors
/// When a line begins as one of these and is none, or a moment has no end.
pub fn moments<'a>(lines: impl IntoIterator<Item = &'a str>) -> Result<Vec<Moment>> {
    let mut moments = Vec::new();
    let mut open: Option<Moment> = None;
    for line in lines {
        let Some((speaker, text)) = line.split_once("| ") else { continue };
        let speaker = speaker.trim_end();
        let Some(text) = text.trim_end_matches('\r').strip_prefix("AUDIT ") else { continue };
        let words: Vec<&str> = text.split(' ').collect();
        let read = match (speaker, words.as_slice()) {
            (ROOT, ["again"]) => Ok(()),
            (ROOT, ["begin", name @ ..]) if open.is_none() && !name.is_empty() => {
                open = Some(Moment { name: name.join(" "), ..Moment::default() });
                Ok(())
            }
            (ROOT, ["end"]) => open.take().map(|moment| moments.push(moment)).context("nothing has begun"),
            (ROOT, words) => open.as_mut().context("nothing has begun").and_then(|moment| moment.place(words)),
            // Whoever may make the kernel's debug calls can have it print outside of the root task's moments.
            (KERNEL, words) => open.as_mut().map_or(Ok(()), |moment| moment.see(words, text)),
            _ => Ok(()),
        };
        read.with_context(|| format!("unreadable: {line}"))?;
    }
    ensure!(open.is_none(), "a moment has no end");
    for moment in &moments {
        ensure!(
            !moment.smmus.is_empty() || moment.streams.is_empty(),
            "{}: nothing ends an SMMU's streams",
            moment.name
        );
    }
    Ok(moments)
}

impl Moment {
    /// What the root task says.
    fn place(&mut self, words: &[&str]) -> Result<()> {
        match words {
            ["region", name, offset, bytes, physical] => self.regions.push(Region {
                name: (*name).to_owned(),
                offset: number(offset)?,
                bytes: number(bytes)?,
                physical: number(physical)?,
            }),
            ["registers", device, base, bytes] => {
                let (base, bytes) = (number(base)?, number(bytes)?);
                // Mapped are pages.
                let end = base.saturating_add(bytes).next_multiple_of(PAGE);
                let base = base - base % PAGE;
                self.registers.push(Registers { device: (*device).to_owned(), base, bytes: end - base });
            }
            ["space", name] => {
                ensure!(self.spaces.iter().all(|space| space.name != *name), "a component has one address space");
                self.spaces.push(Space::of(name));
                self.named = Named::Own;
            }
            ["made", name] => {
                ensure!(self.made.iter().all(|made| made.name != *name), "a component is told of once");
                self.made.push(Made { name: (*name).to_owned(), memory: Vec::new(), spaces: Vec::new() });
                self.named = Named::Made;
            }
            _ => bail!("not a line of the root task's"),
        }
        Ok(())
    }

    /// What the kernel says.
    fn see(&mut self, words: &[&str], text: &str) -> Result<()> {
        match words {
            ["stream", stream, "entry", at, rest @ ..] => {
                let stages = match rest {
                    ["bypass"] => Stages::Bypass,
                    ["stage", "1"] => Stages::One,
                    ["stage", "2"] => Stages::Two,
                    ["stage", "1+2"] => Stages::Both,
                    ["unknown"] => Stages::Unknown,
                    _ => bail!("an entry says one of five things"),
                };
                let seen = Stream { entry: number(at)?, stages, pieces: Vec::new(), strange: Vec::new() };
                ensure!(self.streams.insert((*stream).to_owned(), seen).is_none(), "a stream has one entry");
            }
            ["processor", at, "tables", tables] => {
                let tables = (*tables != "none").then(|| number(tables)).transpose()?;
                self.processors.insert(number(at)?, tables);
            }
            ["memory", base, bytes] => self.made()?.memory.push((number(base)?, number(bytes)?)),
            ["tables", at] if self.named == Named::Made => {
                let made = self.made()?;
                let space = Space { tables: Some(number(at)?), ..Space::of(&made.name) };
                made.spaces.push(space);
            }
            ["tables", "none"] => drop(self.space()?),
            ["tables", at] => self.space()?.tables = Some(number(at)?),
            ["reach", "space", piece @ .., memory] => {
                let (piece, space) = (Piece::read(piece)?, self.space()?);
                match *memory {
                    "normal" => space.normal.push(piece),
                    "device" => space.device.push(piece),
                    _ => bail!("memory is of one of two kinds"),
                }
            }
            ["foreign" | "incomplete", "space", ..] => self.space()?.strange.push(text.to_owned()),
            ["reach", stream, piece @ ..] => self.stream(stream)?.pieces.push(Piece::read(piece)?),
            ["foreign" | "incomplete", stream, ..] => self.stream(stream)?.strange.push(text.to_owned()),
            ["smmu", smmu, "incomplete"] => {
                self.smmus.insert((*smmu).to_owned(), Others::Incomplete);
            }
            ["smmu", smmu, rest @ ..] => {
                let others = match rest {
                    ["abort", count] => count.parse::<u64>().map(|_| Others::Abort)?,
                    ["off", "abort"] => Others::Off,
                    ["off", "bypass"] => Others::Bypass,
                    _ => bail!("an SMMU does one of three things with the other streams"),
                };
                self.smmus.entry((*smmu).to_owned()).or_insert(others);
            }
            _ => bail!("not a line of the kernel's"),
        }
        Ok(())
    }

    /// The one that the root task named last, or that was made of what it named.
    fn space(&mut self) -> Result<&mut Space> {
        let space = match self.named {
            Named::Own => self.spaces.last_mut(),
            Named::Made => self.made()?.spaces.last_mut(),
        };
        space.context("an address space without name")
    }

    fn made(&mut self) -> Result<&mut Made> {
        self.made.last_mut().filter(|_| self.named == Named::Made).context("made of what nobody named")
    }

    fn stream(&mut self, name: &str) -> Result<&mut Stream> {
        self.streams.get_mut(name).context("a stream without entry")
    }
}

impl Space {
    fn of(name: &str) -> Self {
        let (normal, device, strange) = (Vec::new(), Vec::new(), Vec::new());
        Self { name: name.to_owned(), tables: None, normal, device, strange }
    }
}

impl Piece {
    fn read(words: &[&str]) -> Result<Self> {
        let [iova, bytes, rights, physical] = words else { bail!("a piece has four words") };
        let (iova, bytes, physical) = (number(iova)?, number(bytes)?, number(physical)?);
        Ok(Self { iova, bytes, rights: (*rights).to_owned(), physical })
    }
}

fn number(text: &str) -> Result<u64> {
    let digits = text.strip_prefix("0x").context("numbers begin with 0x")?;
    u64::from_str_radix(digits, 16).with_context(|| format!("`{text}` is no number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_two_speakers_become_a_moment() {
        let lines = "root    | AUDIT begin start\n\
            root    | AUDIT region ring 0x0 0x1000 0x4000\nroot    | AUDIT registers a.disk 0x10000000 0x4000\n\
            kernel  | current thread\nkernel  | AUDIT stream 0:0x0008 entry 0x9000 stage 1+2\n\
            kernel  | AUDIT reach 0:0x0008 0x10000 0x1000 rw 0x4000\nedu     | AUDIT stream 0:0x0009 entry 0x0 bypass\n\
            kernel  | AUDIT smmu 0 abort 255\nroot    | AUDIT end\nkernel  | AUDIT smmu 0 abort 7\n";
        let [moment] = &moments(lines.lines()).unwrap()[..] else { panic!("one moment") };
        assert_eq!((moment.name.as_str(), moment.regions.len(), moment.registers.len()), ("start", 1, 1));
        let stream = &moment.streams["0:0x0008"];
        assert_eq!((moment.streams.len(), stream.entry, stream.stages), (1, 0x9000, Stages::Both));
        let piece = Piece { iova: 0x10000, bytes: 0x1000, rights: "rw".to_owned(), physical: 0x4000 };
        assert_eq!((&stream.pieces, moment.smmus["0"]), (&vec![piece], Others::Abort));
    }

    #[test]
    fn what_is_made_of_a_components_memory_is_not_its_own_address_space() {
        let lines = "root    | AUDIT begin a made\nroot    | AUDIT space a\nkernel  | AUDIT tables 0x1000\n\
            kernel  | AUDIT reach space 0x0 0x1000 r 0x5000 normal\nroot    | AUDIT made a\n\
            kernel  | AUDIT memory 0x0 0x2000\nkernel  | AUDIT tables 0x1000\n\
            kernel  | AUDIT reach space 0x0 0x1000 r 0x5000 normal\nkernel  | AUDIT memory 0x8000 0x2000\n\
            kernel  | AUDIT tables 0x8000\nkernel  | AUDIT reach space 0x7000 0x1000 rw 0x9000 device\n\
            kernel  | AUDIT processor 0x9000 tables 0x8000\nkernel  | AUDIT processor 0x9800 tables none\n\
            kernel  | AUDIT processor 0x9000 tables 0x8000\nroot    | AUDIT end\n";
        let [moment] = &moments(lines.lines()).unwrap()[..] else { panic!("one moment") };
        assert_eq!(moment.name, "a made");
        assert_eq!(moment.processors, [(0x9000, Some(0x8000)), (0x9800, None)].into());
        let [made] = &moment.made[..] else { panic!("one component") };
        assert_eq!(made.memory, [(0, 0x2000), (0x8000, 0x2000)]);
        assert_eq!([0x1fff, 0x2000, 0x7fff, 0x8000, 0xa000].map(|at| made.has(at)), [true, false, false, true, false]);
        let [own, guests] = &made.spaces[..] else { panic!("two spaces") };
        assert_eq!(moment.spaces, std::slice::from_ref(own));
        assert_eq!((guests.tables, guests.normal.len(), guests.device.len()), (Some(0x8000), 0, 1));
    }

    #[test]
    fn what_cannot_be_read_is_no_moment() {
        for (lines, part) in [
            ("root    | AUDIT begin start", "no end"),
            ("root    | AUDIT end", "unreadable"),
            ("root    | AUDIT begin a\nroot    | AUDIT begin b", "unreadable"),
            ("root    | AUDIT begin a\nkernel  | AUDIT reach 0:0x0008 0x0 0x1000 rw 0x0", "unreadable"),
            ("root    | AUDIT begin a\nkernel  | AUDIT stream 0:0x0008 entry 9 bypass", "unreadable"),
            ("root    | AUDIT begin a\nkernel  | AUDIT stream 0:0x0008 entry 0x9 stage 3", "unreadable"),
            ("root    | AUDIT begin a\nkernel  | AUDIT smmu 0 off", "unreadable"),
            ("root    | AUDIT begin a\nkernel  | AUDIT tables 0x9000", "unreadable"),
            ("root    | AUDIT begin a\nroot    | AUDIT space b\nroot    | AUDIT space b", "unreadable"),
            ("root    | AUDIT begin a\nroot    | AUDIT made b\nroot    | AUDIT made b", "unreadable"),
            ("root    | AUDIT begin a\nroot    | AUDIT space b\nkernel  | AUDIT memory 0x0 0x1000", "unreadable"),
            (
                "root    | AUDIT begin a\nroot    | AUDIT made b\nkernel  | AUDIT reach space 0x0 0x1000 r 0x0 normal",
                "unreadable",
            ),
            ("root    | AUDIT begin a\nkernel  | AUDIT processor 0x1000 tables 2", "unreadable"),
            (
                "root    | AUDIT begin a\nroot    | AUDIT space b\nkernel  | AUDIT reach space 0x0 0x1000 r 0x0",
                "unreadable",
            ),
            ("root    | AUDIT begin a\nkernel  | AUDIT stream 0:0x0008 entry 0x9 bypass\nroot    | AUDIT end", "ends"),
        ] {
            let error = moments(lines.lines()).unwrap_err().to_string();
            assert!(error.contains(part), "{lines}: {error}");
        }
        assert!(moments(["anything"]).unwrap().is_empty());
    }
}

//! On request (`sluice.audit` on the command line of a debug kernel): what streams, components and guests reach, to be compared with
//! what `capdl-gen audit` said they would.
//!
//! The kernel prints what it finds in the tables of the SMMUs, in those that a component's thread runs with, and in every address
//! space that was made of a component's memory; here it is said which memory is which region's:
//!
//! ```text
//! root    | AUDIT begin start
//! root    | AUDIT region disk_buffer 0x0 0x200000 0x48000000
//! root    | AUDIT registers nvme.disk 0x10000000 0x4000
//! root    | AUDIT space nvme
//! kernel  | AUDIT ...
//! root    | AUDIT made nvme
//! kernel  | AUDIT ...
//! root    | AUDIT end
//! ```
//!
//! A region has a line for each piece of it that is in one piece in memory: offset, bytes, first physical address; a
//! device one for each range of its registers. What the kernel says behind `space` is of that component's own thread, at the start
//! only, as components change it afterwards; behind `made` it is of all Untypeds that the component, with everything it makes, is
//! made of. Address spaces among these are the component's own, those of its devices, and its guest's: none of them can be kept from
//! the kernel, which follows what was derived from what.
//!
//! | Moment | | `made` of |
//! |---|---|---|
//! | `start` | everything has been handed out, and no component has run | every component |
//! | `GUEST made` | a VMM has made its guest, in a life of either: no processor of it has run | this VMM |
//! | `GUEST.DEVICE` | a guest's device is to master memory for the first time: only then has its VMM bound it | this VMM |
//! | `GUEST over` | a VMM cannot go on, and has everything still | this VMM |
//! | `end` | the system's run is over; told of where there are guests | every VMM |

use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;

use sluice_spec::System;

use super::builder::Builder;
use super::component::Objects;
use super::machine::Checked;
use super::regions::RegionFrames;
use crate::Stop;
use crate::kernel::Kernel;
use crate::memory::Arena;

/// The moment at which no component has run.
const START: &str = "start";
/// The moment at which the system's run is over.
const END: &str = "end";
/// How long the machine waits for somebody to change its memory.
const PAUSE_MS: u32 = 3000;

/// What is wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Wish {
    /// To hear each moment once.
    Once,
    /// To hear the first again after a while, in which the machine can be tampered with from outside.
    Twice,
}

/// What is wanted, and what has been told.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Audit {
    wish: Option<Wish>,
    /// Devices of guests, by the positions of component and device.
    told: Vec<(usize, usize)>,
}

impl Audit {
    /// By the value of the option.
    pub(super) fn wished(word: Option<&str>) -> Self {
        let wish = match word {
            Some("on") => Some(Wish::Once),
            Some("twice") => Some(Wish::Twice),
            _ => None,
        };
        Self { wish, told: Vec::new() }
    }

    /// Everything has been handed out, and no component has run.
    pub(super) fn at_start<K: Kernel>(&self, builder: &mut Builder<K>, places: &Places<'_>) -> Result<(), Stop> {
        let Some(wish) = self.wish else { return Ok(()) };
        tell(builder, places, START, Whose::All)?;
        if wish == Wish::Twice {
            builder.kernel.line("AUDIT again");
            K::wait(PAUSE_MS);
            tell(builder, places, START, Whose::All)?;
        }
        Ok(())
    }

    /// The device `of` (positions of component and device), called `name`, is to master memory.
    pub(super) fn at_mastering<K: Kernel>(
        &mut self,
        builder: &mut Builder<K>,
        places: &Places<'_>,
        of: (usize, usize),
        name: &str,
    ) -> Result<(), Stop> {
        if self.wish.is_none() || self.told.contains(&of) {
            return Ok(());
        }
        self.told.push(of);
        tell(builder, places, name, Whose::One(of.0))
    }

    /// The guest of the component at `position` has been made and has not run, or it is over and nothing has been taken back, as
    /// `what` says. Of one that has no guest there is nothing to tell.
    pub(super) fn of_guest<K: Kernel>(
        &self,
        builder: &mut Builder<K>,
        places: &Places<'_>,
        position: usize,
        what: &str,
    ) -> Result<(), Stop> {
        let monitor = places.system.components.get(position).filter(|component| component.guest.is_some());
        match (self.wish, monitor) {
            (Some(_), Some(monitor)) => {
                tell(builder, places, &format!("{} {what}", monitor.name), Whose::One(position))
            }
            (None, _) | (_, None) => Ok(()),
        }
    }

    /// The system's run is over.
    pub(super) fn at_end<K: Kernel>(&self, builder: &mut Builder<K>, places: &Places<'_>) -> Result<(), Stop> {
        let guests = places.system.components.iter().any(|component| component.guest.is_some());
        self.wish.filter(|_| guests).map_or(Ok(()), |_| tell(builder, places, END, Whose::Monitors))
    }
}

/// Whose Untypeds are looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Whose {
    /// Everybody's, and the address space that each runs in.
    All,
    /// Those of all VMMs.
    Monitors,
    /// Those of the component at this position.
    One(usize),
}

/// What lies where.
pub(super) struct Places<'a> {
    pub(super) system: &'a System,
    pub(super) regions: &'a [RegionFrames],
    /// The devices of each component.
    pub(super) checked: &'a [Vec<Checked>],
    /// What each component runs as.
    pub(super) built: &'a [Objects],
    /// What each is made of.
    pub(super) arenas: &'a [Arena],
}

/// A part of a region that is in one piece in memory.
struct Piece {
    offset: u64,
    bytes: u64,
    physical: u64,
}

/// Prints what lies where, and has the kernel print what streams and components reach.
fn tell<K: Kernel>(builder: &mut Builder<K>, places: &Places<'_>, moment: &str, whose: Whose) -> Result<(), Stop> {
    builder.kernel.line(&format!("AUDIT begin {moment}"));
    for (region, frames) in places.system.regions.iter().zip(places.regions) {
        let bytes = frames.size.bytes();
        let mut pieces: Vec<Piece> = Vec::new();
        for (frame, index) in frames.frames().zip(0..) {
            let physical = builder.kernel.address_of(frame).map_err(|failure| Stop::Refused {
                action: "tell where a frame is",
                who: region.name.to_string(),
                failure,
            })?;
            match pieces.last_mut() {
                Some(piece) if piece.physical + piece.bytes == physical.0 => piece.bytes += bytes,
                _ => pieces.push(Piece { offset: index * bytes, bytes, physical: physical.0 }),
            }
        }
        for Piece { offset, bytes, physical } in pieces {
            builder.kernel.line(&format!("AUDIT region {} {offset:#x} {bytes:#x} {physical:#x}", region.name));
        }
    }
    for (component, checked) in places.system.components.iter().zip(places.checked) {
        for (device, checked) in component.devices.iter().zip(checked) {
            for (_, base, bytes) in &checked.live.registers {
                let line = format!("AUDIT registers {}.{} {base:#x} {bytes:#x}", component.name, device.name);
                builder.kernel.line(&line);
            }
        }
    }
    if whose == Whose::All {
        for (component, objects) in places.system.components.iter().zip(places.built) {
            builder.kernel.line(&format!("AUDIT space {}", component.name));
            builder.kernel.show_space(objects.thread);
        }
    }
    for (position, (component, arena)) in places.system.components.iter().zip(places.arenas).enumerate() {
        let is_meant = match whose {
            Whose::All => true,
            Whose::Monitors => component.guest.is_some(),
            Whose::One(of) => of == position,
        };
        if is_meant {
            builder.kernel.line(&format!("AUDIT made {}", component.name));
            arena.untypeds().iter().for_each(|untyped| builder.kernel.show_made(*untyped));
        }
    }
    builder.kernel.snapshot();
    builder.kernel.line("AUDIT end");
    Ok(())
}

//! `[mr.NAME]`: a memory region.

use sluice_abi::FrameSize;

use super::table::Table;
use super::value;
use crate::diagnostic::{At, Problem, Problems};

/// A memory region.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Region {
    /// Its name.
    pub name: At<String>,
    /// Bytes: a multiple of the frame size, and not 0.
    pub size: At<u64>,
    /// Size of the frames it is made of.
    pub frame: FrameSize,
    /// File it starts with.
    pub file: Option<At<String>>,
}

pub(super) fn read(name: At<String>, mut table: Table<'_>, problems: &mut Problems) -> Option<Region> {
    let size = table.required("size", problems, value::size);
    let frame = match table.optional("page", problems, value::string) {
        None => Some(FrameSize::Small),
        Some(page) => problems.keep(frame_size(&page)),
    };
    table.finish(problems);
    let (size, frame) = (size?, frame?);
    if size.value == 0 || size.value % frame.bytes() != 0 {
        problems.push(
            Problem::new(format!("the size of `{}` is no multiple of its page size", name.value))
                .at(size.span, format!("{} bytes", size.value))
                .help(format!("a page has {} bytes", frame.bytes())),
        );
        return None;
    }
    Some(Region { name, size, frame, file: None })
}

fn frame_size(page: &At<String>) -> Result<FrameSize, Problem> {
    match page.value.as_str() {
        "4K" => Ok(FrameSize::Small),
        "2M" => Ok(FrameSize::Large),
        other => Err(Problem::new(format!("there are no pages of {other}")).at(page.span, "expected \"4K\" or \"2M\"")),
    }
}

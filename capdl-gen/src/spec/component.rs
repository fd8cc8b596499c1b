//! `[pd.NAME]`: a native component (protection domain).

use sluice_abi::{FrameSize, MAX_PRIORITY, MIN_UNTYPED_BITS, PHYS_BITS, smmu};
use sluice_spec::{Perms, Restart};

use super::device::{self, Device};
use super::table::Table;
use super::value::{self, Value};
use crate::diagnostic::{At, Problem, Problems, Span};

/// Bytes of stack when the spec says nothing.
const DEFAULT_STACK: u64 = 64 << 10;
/// Bytes of heap when the spec says nothing.
const DEFAULT_HEAP: u64 = 256 << 10;
/// The largest Untyped a component can be given, as log2: half of all physical addresses.
const MAX_GRANT_BITS: u32 = PHYS_BITS - 1;
/// Who else prints on the console.
const RESERVED_NAMES: [&str; 2] = ["kernel", "root"];

/// A component.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Component {
    /// Its name.
    pub name: At<String>,
    /// File name of its ELF.
    pub image: At<String>,
    /// Priority of its thread, below the root task's.
    pub priority: u8,
    /// Bytes of stack.
    pub stack: u64,
    /// Bytes of heap.
    pub heap: u64,
    /// Words it is told at start.
    pub args: Vec<(String, String)>,
    /// Whether the run is over only when it has finished.
    pub must_finish: bool,
    /// What follows when it dies.
    pub restart: Restart,
    /// Regions it sees.
    pub maps: Vec<Map>,
    /// Devices it drives.
    pub devices: Vec<Device>,
    /// Untyped memory it is given.
    pub untyped: Vec<Untyped>,
    /// Whether it can make address spaces of its own.
    pub asid_pool: bool,
    /// Where it asks for the physical timer, when it does.
    pub timer: Option<Span>,
    /// Streams given by number.
    pub streams: Vec<RawStream>,
    /// The guest it is the VMM of.
    pub guest: Option<GuestParts>,
}

/// What a VMM makes a guest of; regions by name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GuestParts {
    /// Memory.
    pub ram: String,
    /// Kernel.
    pub kernel: String,
    /// First file system.
    pub initrd: Option<String>,
    /// Command line.
    pub bootargs: String,
    /// Virtual processors.
    pub vcpus: u8,
}

/// A region in a component's address space.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Map {
    /// Name of the region.
    pub region: At<String>,
    /// Access.
    pub perms: Perms,
    /// Normal memory rather than Device memory.
    pub cached: bool,
    /// Chosen address.
    pub vaddr: Option<At<u64>>,
    /// Whether it gets the frames' capabilities too.
    pub frames: bool,
}

/// Untyped memory of a component's own.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Untyped {
    /// Its name.
    pub name: At<String>,
    /// log2 of its bytes.
    pub size_bits: u8,
}

/// A stream by number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RawStream {
    /// The stream.
    pub stream: smmu::StreamId,
    /// Where it is written.
    pub span: Span,
}

pub(super) fn read(name: At<String>, mut table: Table<'_>, problems: &mut Problems) -> Option<Component> {
    check_reserved(&name, problems);
    let image = table.required("image", problems, |image| value::string(image).and_then(file_name));
    let priority = table.required("priority", problems, priority);
    let stack = table.optional("stack", problems, pages);
    let heap = table.optional("heap", problems, pages);
    let args = read_args(&mut table, problems);
    let must_finish = table.optional("must_finish", problems, value::boolean);
    let restart = table.optional("restart", problems, read_restart);
    let maps = read_list(&mut table, "map", problems, read_map);
    let untyped = read_list(&mut table, "untyped", problems, read_untyped);
    let asid_pool = table.optional("asid_pool", problems, value::boolean);
    let streams = read_list(&mut table, "smmu_sids", problems, read_stream);
    let devices = super::read_all(&mut table, "device", problems, device::read);
    let timer = table.optional("timer", problems, value::boolean);
    table.finish(problems);
    Some(Component {
        name,
        image: image?,
        priority: priority?,
        stack: stack.unwrap_or(DEFAULT_STACK),
        heap: heap.unwrap_or(DEFAULT_HEAP),
        args,
        must_finish: must_finish.is_some_and(|flag| flag.value),
        restart: restart.unwrap_or_default(),
        maps,
        devices,
        untyped,
        asid_pool: asid_pool.is_some_and(|flag| flag.value),
        timer: timer.filter(|flag| flag.value).map(|flag| flag.span),
        streams,
        guest: None,
    })
}

/// Whoever prints on the console has a name of its own there.
pub(super) fn check_reserved(name: &At<String>, problems: &mut Problems) {
    if RESERVED_NAMES.contains(&name.value.as_str()) {
        problems.push(
            Problem::new(format!("a component cannot be called `{}`", name.value))
                .at(name.span, "reserved")
                .help("its lines on the console could not be told from the system's own"),
        );
    }
}

fn file_name(image: At<String>) -> Result<At<String>, Problem> {
    if image.value.is_empty() || image.value.contains('/') || image.value.starts_with('.') {
        return Err(Problem::new(format!("`{}` is no file name", image.value))
            .at(image.span, "expected the name of a file in the components folder"));
    }
    Ok(image)
}

pub(super) fn priority(value: Value<'_>) -> Result<u8, Problem> {
    let number = value::integer(value)?;
    match u8::try_from(number.value) {
        Ok(priority) if priority < MAX_PRIORITY => Ok(priority),
        Ok(_) | Err(_) => Err(Problem::new(format!("priority {} is too high", number.value))
            .at(number.span, format!("expected 0 to {}", MAX_PRIORITY - 1))
            .help(format!("{MAX_PRIORITY} is the root task's, which must be able to stop every component"))),
    }
}

/// Bytes of stack or heap: whole pages.
fn pages(value: Value<'_>) -> Result<u64, Problem> {
    let size = value::size(value)?;
    let page = FrameSize::Small.bytes();
    if size.value == 0 || size.value % page != 0 {
        return Err(Problem::new(format!("{} bytes are no whole pages", size.value))
            .at(size.span, format!("expected a multiple of {page}")));
    }
    Ok(size.value)
}

/// `"never"`, `"always"`, or how many times.
pub(super) fn read_restart(value: Value<'_>) -> Result<Restart, Problem> {
    if let Ok(word) = value::string(value) {
        return match word.value.as_str() {
            "never" => Ok(Restart::Never),
            "always" => Ok(Restart::Always),
            other => Err(Problem::new(format!("`{other}` is no way to restart"))
                .at(word.span, "expected \"never\", \"always\" or a number")),
        };
    }
    let number = value::integer(value)?;
    match u32::try_from(number.value) {
        Ok(0) => Ok(Restart::Never),
        Ok(times) => Ok(Restart::Times(times)),
        Err(_) => Err(Problem::new(format!("{} restarts are too many", number.value))
            .at(number.span, "expected a number of 32 bits, or \"always\"")),
    }
}

pub(super) fn read_args(table: &mut Table<'_>, problems: &mut Problems) -> Vec<(String, String)> {
    let mut args = Vec::new();
    for (key, value) in table.children("args", problems) {
        if let Some(text) = problems.keep(value::string(value)) {
            args.push((key.value, text.value));
        }
    }
    args
}

/// The elements of a list of tables; `read` must ask for every key, which also names the element in messages.
pub(super) fn read_list<'a, T>(
    table: &mut Table<'a>,
    key: &'static str,
    problems: &mut Problems,
    read: impl Fn(Table<'a>, &mut Problems) -> Option<T>,
) -> Vec<T> {
    let mut all = Vec::new();
    for element in table.list(key, problems) {
        if let Some(element) = problems.keep(Table::of(format!("an entry of `{key}`"), element)) {
            all.extend(read(element, problems));
        }
    }
    all
}

fn read_map(mut table: Table<'_>, problems: &mut Problems) -> Option<Map> {
    let region = table.required("mr", problems, value::string);
    let perms = table.required("perms", problems, |perms| read_perms(perms, &["r", "rw", "rx"]));
    let cached = table.optional("cached", problems, value::boolean);
    let vaddr = table.optional("vaddr", problems, value::address);
    table.finish(problems);
    Some(Map { region: region?, perms: perms?, cached: cached.is_none_or(|flag| flag.value), vaddr, frames: false })
}

/// One of the `allowed` combinations of `r`, `w` and `x`.
///
/// Write-only access is in no list: a rights word without read permission makes a mapping only the kernel can use.
pub(super) fn read_perms(value: Value<'_>, allowed: &[&str]) -> Result<Perms, Problem> {
    let perms = value::string(value)?;
    if !allowed.contains(&perms.value.as_str()) {
        let allowed: Vec<String> = allowed.iter().map(|word| format!("\"{word}\"")).collect();
        return Err(Problem::new(format!("`{}` are no permissions for this", perms.value))
            .at(perms.span, format!("expected {}", allowed.join(" or "))));
    }
    let has = |letter| perms.value.contains(letter);
    Ok(Perms { read: has('r'), write: has('w'), execute: has('x') })
}

pub(super) fn read_untyped(mut table: Table<'_>, problems: &mut Problems) -> Option<Untyped> {
    let name = table.required("name", problems, |name| {
        let name = value::string(name)?;
        super::check_name(&name)?;
        Ok(name)
    });
    let size_bits = table.required("size", problems, |size| {
        let size = value::size(size)?;
        let bits = size.value.checked_ilog2().unwrap_or(0);
        let allowed = MIN_UNTYPED_BITS..=MAX_GRANT_BITS;
        if !size.value.is_power_of_two() || !allowed.contains(&bits) {
            return Err(Problem::new(format!("an Untyped cannot have {} bytes", size.value))
                .at(size.span, "expected a power of two from 16 to 8192G"));
        }
        Ok(bits as u8)
    });
    table.finish(problems);
    Some(Untyped { name: name?, size_bits: size_bits? })
}

fn read_stream(mut table: Table<'_>, problems: &mut Problems) -> Option<RawStream> {
    let smmu = table.required("smmu_id", problems, |smmu| {
        let number = value::integer(smmu)?;
        u8::try_from(number.value).ok().filter(|smmu| usize::from(*smmu) < smmu::MAX_SMMUS).ok_or_else(|| {
            Problem::new(format!("no machine has an SMMU {}", number.value))
                .at(number.span, format!("expected 0 to {}", smmu::MAX_SMMUS - 1))
        })
    });
    let sid = table.required("sid", problems, |sid| {
        let number = value::integer(sid)?;
        u32::try_from(number.value)
            .map_err(|_| Problem::new(format!("{} is no SID", number.value)).at(number.span, "a SID has 32 bits"))
    });
    let span = table.span();
    table.finish(problems);
    Some(RawStream { stream: smmu::StreamId { smmu: smmu?, sid: sid? }, span })
}

//! `[vm.NAME]`: a guest. Its VMM is a component like any other; [`Guest::expand`] makes it.

use sluice_abi::{FrameSize, MAX_PRIORITY};
use sluice_spec::{Perms, Restart};
use sluice_vmm::layout::MAX_PROCESSORS;

use super::component::{
    Component, GuestParts, Map, Untyped, check_reserved, priority, read_list, read_restart, read_untyped,
};
use super::device::{self, Device};
use super::place::Place;
use super::region::Region;
use super::table::Table;
use super::value::{self, Value};
use crate::diagnostic::{At, Problem, Problems};

/// File name of the VMM's ELF.
const VMM: &str = "vmm";
/// Bytes of a VMM's stack.
const STACK: u64 = 128 << 10;
/// Bytes of a VMM's heap.
const HEAP: u64 = 2 << 20;
/// log2 of the bytes a VMM makes the guest's objects of: address space, tables, threads, virtual processors.
const OBJECTS_BITS: u8 = 21;
/// Least memory of a guest: what a kernel, its device tree and a few pages take.
const MIN_RAM: u64 = 16 << 20;

/// A guest.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Guest {
    /// Its name, and that of its VMM.
    pub name: At<String>,
    /// File of its kernel.
    pub kernel: At<String>,
    /// File of its first file system.
    pub initrd: Option<At<String>>,
    /// Bytes of its memory.
    pub ram: At<u64>,
    /// Number of its virtual processors.
    pub vcpus: u8,
    /// Priority of its VMM; its virtual processors run one below.
    pub priority: u8,
    /// Command line of its kernel.
    pub bootargs: String,
    /// Words its VMM is told at start.
    pub args: Vec<(String, String)>,
    /// Whether the run is over only when it has powered off.
    pub must_finish: bool,
    /// What follows when its VMM dies.
    pub restart: Restart,
    /// Untyped memory of its VMM's, besides that which the guest's objects are made of.
    pub untyped: Vec<Untyped>,
    /// Its devices.
    pub devices: Vec<Device>,
}

pub(super) fn read(name: At<String>, mut table: Table<'_>, problems: &mut Problems) -> Option<Guest> {
    check_reserved(&name, problems);
    let kernel = table.required("kernel", problems, value::string);
    let initrd = table.optional("initrd", problems, value::string);
    let ram = table.required("ram", problems, read_ram);
    let vcpus = table.optional("vcpus", problems, read_vcpus);
    let priority = table.required("priority", problems, read_priority);
    let bootargs = table.optional("bootargs", problems, value::string);
    let args = super::component::read_args(&mut table, problems);
    let must_finish = table.optional("must_finish", problems, value::boolean);
    let restart = table.optional("restart", problems, read_restart);
    let untyped = read_list(&mut table, "untyped", problems, read_untyped);
    let devices = super::read_all(&mut table, "device", problems, device::read_guests);
    table.finish(problems);
    let devices = place(devices, problems);
    Some(Guest {
        name,
        kernel: kernel?,
        initrd,
        ram: ram?,
        vcpus: vcpus.unwrap_or(1),
        priority: priority?,
        bootargs: bootargs.map_or_else(String::new, |bootargs| bootargs.value),
        args,
        must_finish: must_finish.is_some_and(|flag| flag.value),
        restart: restart.unwrap_or_default(),
        untyped,
        devices,
    })
}

/// Memory in the pages a guest is backed by.
fn read_ram(value: Value<'_>) -> Result<At<u64>, Problem> {
    let ram = value::size(value)?;
    let page = FrameSize::Large.bytes();
    if ram.value % page != 0 {
        return Err(Problem::new("a guest's memory is no multiple of 2M").at(ram.span, format!("{} bytes", ram.value)));
    }
    if ram.value < MIN_RAM {
        return Err(Problem::new("a guest needs at least 16M").at(ram.span, format!("{} bytes", ram.value)));
    }
    Ok(ram)
}

fn read_vcpus(value: Value<'_>) -> Result<u8, Problem> {
    let vcpus = value::integer(value)?;
    match u8::try_from(vcpus.value) {
        Ok(number) if (1..=MAX_PROCESSORS as u64).contains(&vcpus.value) => Ok(number),
        Ok(_) | Err(_) => Err(Problem::new(format!("a guest cannot have {} virtual processors", vcpus.value))
            .at(vcpus.span, format!("expected 1 to {MAX_PROCESSORS}"))),
    }
}

/// The virtual processors need a priority below the VMM's.
fn read_priority(value: Value<'_>) -> Result<u8, Problem> {
    let span = value::span(value);
    match priority(value)? {
        0 => Err(Problem::new("a guest's priority is too low")
            .at(span, format!("expected 1 to {}", MAX_PRIORITY - 1))
            .help("its virtual processors run one below its VMM")),
        priority => Ok(priority),
    }
}

/// Gives every device a slot: those that chose one theirs, the others the one they have in the machine, or the lowest free
/// one.
fn place(mut devices: Vec<Device>, problems: &mut Problems) -> Vec<Device> {
    for device in &devices {
        if let Place::Node(_) | Place::Alias(_) = device.at.value {
            problems.push(
                Problem::new("only PCI functions can be passed through to a guest")
                    .at(device.at.span, "a node of the device tree: its streams would have no number in the guest")
                    .help("give it to a component that serves the guest"),
            );
        }
    }
    let mut taken: Vec<(u8, usize)> = Vec::new();
    for (index, device) in devices.iter().enumerate() {
        let Some(slot) = device.guest_slot else { continue };
        if let Some((_, other)) = taken.iter().find(|(used, _)| *used == slot) {
            problems.push(
                Problem::new(format!("two devices are in slot {slot} of the guest"))
                    .at(device.name.span, "the second")
                    .at(devices[*other].name.span, "the first"),
            );
        }
        taken.push((slot, index));
    }
    for (index, device) in devices.iter_mut().enumerate().filter(|(_, device)| device.guest_slot.is_none()) {
        // Functions that share an interrupt line then do so in the guest, which has to know.
        let same = match &device.at.value {
            Place::Pci(address) => Some(address.device).filter(|slot| *slot > 0 && address.bridges.is_empty()),
            Place::Node(_) | Place::Alias(_) => None,
        };
        device.guest_slot = same.into_iter().chain(1..32).find(|slot| taken.iter().all(|(used, _)| used != slot));
        match device.guest_slot {
            Some(slot) => taken.push((slot, index)),
            None => {
                problems.push(Problem::new("a guest has 31 slots for devices").at(device.name.span, "one too many"));
            }
        }
    }
    devices
}

impl Guest {
    /// The VMM, and the regions it makes the guest of. `file_size` gives the bytes of each of the guest's files.
    #[must_use]
    pub fn expand(&self, file_size: impl Fn(&str) -> u64) -> (Component, Vec<Region>) {
        let part = |part: &str| format!("{}.{part}", self.name.value);
        let region = |name: &str, size: u64, at: &At<String>, file: Option<&At<String>>| Region {
            name: self.name.with(part(name)),
            size: at.with(size),
            frame: FrameSize::Large,
            file: file.cloned(),
        };
        let large = FrameSize::Large.bytes();
        let frame = match self.ram.value.is_multiple_of(FrameSize::Huge.bytes()) {
            true => FrameSize::Huge,
            false => FrameSize::Large,
        };
        let ram = Region { name: self.name.with(part("ram")), size: self.ram.clone(), frame, file: None };
        let files = [("kernel", Some(&self.kernel)), ("initrd", self.initrd.as_ref())];
        let mut regions = vec![ram];
        for (name, file) in files {
            if let Some(file) = file {
                let size = file_size(&file.value).max(1).next_multiple_of(large);
                regions.push(region(name, size, file, Some(file)));
            }
        }
        let map = |region: &Region| {
            let ram = region.file.is_none();
            let perms = Perms { read: true, write: ram, execute: false };
            Map { region: region.name.clone(), perms, cached: true, vaddr: None, frames: ram }
        };
        let maps = regions.iter().map(map).collect();
        let objects = Untyped { name: self.name.with("objects".to_owned()), size_bits: OBJECTS_BITS };
        let component = Component {
            name: self.name.clone(),
            image: self.name.with(VMM.to_owned()),
            priority: self.priority,
            stack: STACK,
            heap: HEAP,
            args: self.args.clone(),
            must_finish: self.must_finish,
            restart: self.restart,
            maps,
            devices: self.devices.clone(),
            untyped: [objects].into_iter().chain(self.untyped.iter().cloned()).collect(),
            asid_pool: true,
            timer: None,
            streams: Vec::new(),
            guest: Some(GuestParts {
                ram: part("ram"),
                kernel: part("kernel"),
                initrd: self.initrd.as_ref().map(|_| part("initrd")),
                bootargs: self.bootargs.clone(),
                vcpus: self.vcpus,
            }),
        };
        (component, regions)
    }
}

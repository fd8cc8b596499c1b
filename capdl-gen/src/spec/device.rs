//! `[pd.NAME.device.NAME]`: a device and what it may reach.

use sluice_abi::PHYS_BITS;
use sluice_spec::{Faults as SpecFaults, Perms};

use super::component::{read_list, read_perms};
use super::place::{self, Place};
use super::table::Table;
use super::value::{self, Value};
use crate::diagnostic::{At, Problem, Problems, Span};
use crate::suggest;

/// Fault records before a stream is quarantined, when the spec says nothing.
const DEFAULT_BUDGET: u64 = 64;
/// Fewest address bits of a device: one that cannot emit addresses above 1 MiB has nowhere to be given memory.
const MIN_ADDRESS_BITS: u64 = 20;

/// A device as a spec describes it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Device {
    /// Its name.
    pub name: At<String>,
    /// Where it is.
    pub at: At<Place>,
    /// Vendor and device number a PCI function must show.
    pub expect: Option<At<(u16, u16)>>,
    /// How its memory accesses are translated.
    pub mode: At<Mode>,
    /// Why they are not, when they are not.
    pub why: Option<String>,
    /// What it reaches.
    pub dma: Vec<Dma>,
    /// Where its fault records go.
    pub faults: Option<Faults>,
    /// Whether the component holds the capabilities of its translation.
    pub manage: bool,
    /// Bits of the addresses it can emit.
    pub address_bits: u8,
    /// Which interrupt it has.
    pub irq: At<Irq>,
    /// Slot of a guest's bus that it appears in.
    pub guest_slot: Option<u8>,
}

/// How a device's memory accesses are translated.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// Not at all: its streams abort.
    None,
    /// By stage 2.
    Stage2,
    /// By stage 2 and a guest's own stage 1.
    Nested,
    /// By the stage 1 of an SMMU that has no stage 2.
    Stage1,
    /// They are not: it reaches all memory.
    Bypass,
}

/// Which interrupt a device has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Irq {
    /// INTA of a PCI function, the first interrupt of a device-tree node.
    Auto,
    /// None.
    None,
    /// A PCI interrupt pin: 1 for INTA to 4 for INTD.
    Pin(u8),
}

/// A region as a device sees it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Dma {
    /// Name of the region.
    pub region: At<String>,
    /// Chosen address.
    pub iova: Option<At<u64>>,
    /// Access.
    pub perms: Perms,
}

/// Delivery of fault records.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Faults {
    /// Name of the signal.
    pub notify: At<String>,
    /// Records before the stream is quarantined; 0 for no limit.
    pub budget: u64,
}

impl Faults {
    /// In the form the root task reads.
    #[must_use]
    pub fn resolved(&self) -> SpecFaults {
        SpecFaults { notify: self.notify.value.clone(), budget: self.budget }
    }
}

/// Whose device it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Owner {
    /// A native component.
    Component,
    /// A guest.
    Guest,
}

pub(super) fn read(name: At<String>, table: Table<'_>, problems: &mut Problems) -> Option<Device> {
    read_for(Owner::Component, name, table, problems)
}

/// Reads a device of a guest, whose I/O address space is the guest's and whose slot on its bus can be chosen.
pub(super) fn read_guests(name: At<String>, table: Table<'_>, problems: &mut Problems) -> Option<Device> {
    read_for(Owner::Guest, name, table, problems)
}

fn read_for(owner: Owner, name: At<String>, mut table: Table<'_>, problems: &mut Problems) -> Option<Device> {
    let at = table.required("at", problems, |at| value::string(at).and_then(|at| place::read(&at)));
    let expect = table.optional("expect", problems, read_expect);
    let why = table.optional("why", problems, value::string);
    let mode = match table.get("mode") {
        None => Some(At { value: Mode::None, span: name.span }),
        Some((_, mode)) => problems.keep(read_mode(owner, mode, why.as_ref())),
    };
    let bypass = mode.as_ref().is_some_and(|mode| mode.value == Mode::Bypass);
    if let (Some(why), Some(_)) = (&why, mode.as_ref().filter(|_| !bypass)) {
        problems
            .push(Problem::new("`why` explains nothing here").at(why.span, "only mode = \"bypass\" must be justified"));
    }
    let (dma, manage, slot) = match owner {
        Owner::Component => {
            let dma = read_list(&mut table, "dma", problems, read_dma);
            (dma, table.optional("manage", problems, value::boolean), None)
        }
        Owner::Guest => (Vec::new(), None, table.optional("slot", problems, read_slot)),
    };
    let faults = read_faults(&mut table, problems);
    let faults = match (owner, &mode) {
        // A VMM tells its guest, or the console, of every record.
        (Owner::Guest, Some(mode)) if mode.value != Mode::None => {
            let notify = || name.with(format!("{}-faults", name.value));
            faults.or_else(|| Some(Faults { notify: notify(), budget: DEFAULT_BUDGET }))
        }
        (Owner::Guest | Owner::Component, _) => faults,
    };
    let address_bits = table.optional("address_bits", problems, read_address_bits);
    let irq = table.optional("irq", problems, read_irq).unwrap_or(At { value: Irq::Auto, span: name.span });
    let span = table.span();
    table.finish(problems);
    let device = Device {
        name,
        at: at?,
        expect,
        mode: mode?,
        why: why.filter(|_| bypass).map(|why| why.value),
        dma,
        faults,
        manage: manage.is_some_and(|flag| flag.value),
        address_bits: address_bits.unwrap_or(64),
        irq,
        guest_slot: slot,
    };
    check(&device, span, problems);
    Some(device)
}

/// Keys that contradict each other.
fn check(device: &Device, span: Span, problems: &mut Problems) {
    if device.mode.value == Mode::None && (!device.dma.is_empty() || device.manage || device.faults.is_some()) {
        problems.push(
            Problem::new(format!("`{}` masters no memory, yet has dma, faults or manage", device.name.value))
                .at(span, "a device without `mode` has the mode \"none\"")
                .help("say mode = \"s2\" to translate its accesses"),
        );
    }
    if device.mode.value == Mode::Bypass {
        check_bypass(device, problems);
    }
    if let (Place::Node(_) | Place::Alias(_), Some(expect)) = (&device.at.value, &device.expect) {
        problems.push(
            Problem::new("only a PCI function shows vendor and device numbers").at(expect.span, "not for this device"),
        );
    }
    if let (Place::Node(_) | Place::Alias(_), Irq::Pin(_)) = (&device.at.value, device.irq.value) {
        problems.push(
            Problem::new("only a PCI function has an interrupt pin")
                .at(device.irq.span, "expected \"auto\" or \"none\""),
        );
    }
}

/// Nothing translates for the device, so nothing can be chosen and nothing faults.
fn check_bypass(device: &Device, problems: &mut Problems) {
    for iova in device.dma.iter().filter_map(|dma| dma.iova.as_ref()) {
        problems.push(
            Problem::new("a device that bypasses translation finds memory at its physical address")
                .at(iova.span, "cannot be chosen")
                .help("leave `iova` away: the component is told the address"),
        );
    }
    if let Some(faults) = device.faults.as_ref().filter(|_| !device.manage) {
        problems.push(
            Problem::new("a device that bypasses translation leaves no fault records")
                .at(faults.notify.span, "never signalled")
                .help("only a component that can end the bypass (manage = true) can have some"),
        );
    }
}

fn read_mode(owner: Owner, value: Value<'_>, why: Option<&At<String>>) -> Result<At<Mode>, Problem> {
    let mode = value::string(value)?;
    match mode.value.as_str() {
        "none" => Ok(mode.with(Mode::None)),
        "s2" => Ok(mode.with(Mode::Stage2)),
        "s1" | "bypass" if owner == Owner::Guest => {
            Err(Problem::new(format!("a guest's device cannot have the mode \"{}\"", mode.value))
                .at(mode.span, "its accesses are translated by the guest's address space, which is stage 2")
                .help("expected \"none\", \"s2\" or \"nested\""))
        }
        "s1" => Ok(mode.with(Mode::Stage1)),
        "nested" if owner == Owner::Guest => Ok(mode.with(Mode::Nested)),
        "nested" => Err(Problem::new("only a guest's device can be nested")
            .at(mode.span, "of a native component")
            .help("a component that holds its SID and CB (manage = true) can have a stage 1 of its own")),
        "bypass" if why.is_none_or(|why| why.value.trim().is_empty()) => Err(Problem::new("bypass without a reason")
            .at(mode.span, "the device would reach all memory")
            .help("a device that nothing confines must say `why`")),
        "bypass" => Ok(mode.with(Mode::Bypass)),
        other => Err(Problem::new(format!("there is no mode `{other}`"))
            .at(mode.span, "unknown mode")
            .help_if(suggest::help(other, ["none", "s2", "nested", "s1", "bypass"]))),
    }
}

/// A slot of a guest's bus; its host bridge has slot 0.
fn read_slot(value: Value<'_>) -> Result<u8, Problem> {
    let slot = value::integer(value)?;
    match u8::try_from(slot.value) {
        Ok(number @ 1..32) => Ok(number),
        Ok(_) | Err(_) => {
            Err(Problem::new(format!("a guest has no slot {}", slot.value)).at(slot.span, "expected 1 to 31"))
        }
    }
}

fn read_expect(value: Value<'_>) -> Result<At<(u16, u16)>, Problem> {
    let text = value::string(value)?;
    let ids =
        text.value.split_once(':').and_then(|(vendor, device)| Some((place::hex(vendor, 4)?, place::hex(device, 4)?)));
    ids.map(|ids| text.with(ids)).ok_or_else(|| {
        Problem::new(format!("`{}` is no pair of PCI numbers", text.value))
            .at(text.span, "expected vendor and device in hexadecimal: \"1b36:0010\"")
    })
}

fn read_irq(value: Value<'_>) -> Result<At<Irq>, Problem> {
    let text = value::string(value)?;
    let irq = match text.value.as_str() {
        "auto" => Irq::Auto,
        "none" => Irq::None,
        "A" => Irq::Pin(1),
        "B" => Irq::Pin(2),
        "C" => Irq::Pin(3),
        "D" => Irq::Pin(4),
        other => {
            return Err(Problem::new(format!("`{other}` is no interrupt"))
                .at(text.span, "expected \"auto\", \"none\", or a pin \"A\" to \"D\""));
        }
    };
    Ok(text.with(irq))
}

fn read_address_bits(value: Value<'_>) -> Result<u8, Problem> {
    let bits = value::integer(value)?;
    match u8::try_from(bits.value) {
        Ok(number) if (MIN_ADDRESS_BITS..=64).contains(&bits.value) => Ok(number),
        Ok(_) | Err(_) => Err(Problem::new(format!("no device has {} address bits", bits.value))
            .at(bits.span, format!("expected {MIN_ADDRESS_BITS} to 64"))),
    }
}

fn read_dma(mut table: Table<'_>, problems: &mut Problems) -> Option<Dma> {
    let region = table.required("mr", problems, value::string);
    let perms = table.required("perms", problems, |perms| read_perms(perms, &["r", "rw"]));
    let iova = table.optional("iova", problems, |iova| {
        if iova.get_ref().as_str() == Some("auto") { Ok(None) } else { read_iova(iova).map(Some) }
    });
    table.finish(problems);
    Some(Dma { region: region?, iova: iova.flatten(), perms: perms? })
}

fn read_iova(value: Value<'_>) -> Result<At<u64>, Problem> {
    let iova = value::address(value)?;
    if iova.value >> PHYS_BITS != 0 {
        return Err(Problem::new(format!("{:#x} is beyond what the SMMU translates", iova.value))
            .at(iova.span, format!("an I/O address has {PHYS_BITS} bits")));
    }
    Ok(iova)
}

fn read_faults(table: &mut Table<'_>, problems: &mut Problems) -> Option<Faults> {
    let mut faults = table.optional("faults", problems, |faults| Table::of("`faults`", faults))?;
    let notify = faults.required("notify", problems, |name| {
        let name = value::string(name)?;
        super::check_name(&name)?;
        Ok(name)
    });
    let budget = faults.optional("budget", problems, value::integer);
    faults.finish(problems);
    Some(Faults { notify: notify?, budget: budget.map_or(DEFAULT_BUDGET, |budget| budget.value) })
}

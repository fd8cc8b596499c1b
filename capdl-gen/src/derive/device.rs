//! The devices of a component.

use sluice_spec::{Device, Mode as SpecMode};

use super::conflict::Claim;
use super::streams::{self, Contexts};
use super::{iova, place};
use crate::diagnostic::{Problem, Problems};
use crate::platform::{Platform, Smmu};
use crate::spec::{self, Component, Mode, Spec};

/// The devices of `component`, and what they claim of the machine.
pub(super) fn derive<'a>(
    component: &'a Component,
    spec: &Spec,
    platform: &Platform,
    contexts: &mut Contexts,
    claims: &mut Vec<Claim<'a>>,
    problems: &mut Problems,
) -> Vec<Device> {
    let mut devices = Vec::new();
    let mut nested = Vec::new();
    for device in &component.devices {
        let dma = iova::derive(device, spec, problems);
        let Some(found) = problems.keep(place::find(device, spec, platform)) else { continue };
        claims.push(Claim::of_device(component, device, &found));
        let Some((mode, context)) = problems.keep(translation(device, &found, platform, contexts)) else { continue };
        nested.extend(streams::smmu_of(&found.streams).filter(|_| mode == SpecMode::Nested).map(|smmu| (device, smmu)));
        let streams = match mode {
            SpecMode::None => Vec::new(),
            SpecMode::Stage2 | SpecMode::Nested | SpecMode::Stage1 | SpecMode::Bypass => {
                found.streams.iter().map(|stream| stream.word()).collect()
            }
        };
        devices.push(Device {
            name: device.name.value.clone(),
            location: found.location,
            expect: device.expect.as_ref().map(|expect| expect.value),
            mode,
            why: device.why.clone(),
            streams,
            context,
            dma,
            interrupt: found.interrupt.map(|interrupt| (interrupt.intid, interrupt.edge)),
            faults: device.faults.as_ref().map(spec::Faults::resolved),
            address_bits: device.address_bits,
            coherent: found.coherent,
            manage: device.manage,
            guest_slot: device.guest_slot,
            registers: found.registers.iter().map(|range| (range.start, range.size)).collect(),
        });
    }
    check_nested(component, &nested, problems);
    devices.extend(streams::raw(component, platform, contexts, claims, problems));
    check_names(component, &devices, problems);
    devices
}

/// A guest finds one SMMU: what it says to it is said to one of the machine's.
fn check_nested(component: &Component, nested: &[(&spec::Device, u8)], problems: &mut Problems) {
    let Some((first, smmu)) = nested.first() else { return };
    for (device, other) in nested.iter().filter(|(_, other)| other != smmu) {
        let name = &component.name.value;
        problems.push(
            Problem::new(format!("the nested devices of `{name}` are at several SMMUs"))
                .at(device.mode.span, format!("at SMMU {other}"))
                .at(first.mode.span, format!("at SMMU {smmu}"))
                .help("the guest finds one SMMU: give what is at another `mode = \"s2\"`"),
        );
    }
}

/// The mode, and the number of the context when there is one.
fn translation(
    device: &spec::Device,
    found: &place::Found,
    platform: &Platform,
    contexts: &mut Contexts,
) -> Result<(SpecMode, u16), Problem> {
    match device.mode.value {
        Mode::None => Ok((SpecMode::None, 0)),
        Mode::Bypass if found.streams.is_empty() && (device.manage || device.faults.is_some()) => {
            Err(Problem::new(format!("`{}` is behind no SMMU", device.name.value))
                .at(device.mode.span, "there is no stream to manage, nor one that faults")
                .at(device.at.span, "the device tree connects it to no SMMU"))
        }
        Mode::Bypass if found.streams.is_empty() => Ok((SpecMode::Bypass, 0)),
        Mode::Stage2 | Mode::Nested | Mode::Stage1 | Mode::Bypass => {
            let smmu = streams::smmu_of(&found.streams).ok_or_else(|| {
                Problem::new(format!("the streams of `{}` are at several SMMUs", device.name.value))
                    .at(device.at.span, "not supported: one context translates for one SMMU")
            })?;
            check_stages(device, &platform.smmus[usize::from(smmu)])?;
            let mode = match device.mode.value {
                Mode::None => SpecMode::None,
                Mode::Stage2 => SpecMode::Stage2,
                Mode::Nested => SpecMode::Nested,
                Mode::Stage1 => SpecMode::Stage1,
                Mode::Bypass if !device.manage => return Ok((SpecMode::Bypass, 0)),
                Mode::Bypass => SpecMode::Bypass,
            };
            Ok((mode, contexts.next(smmu, device.mode.span)?))
        }
    }
}

/// Whether the SMMU is expected to have the stages that the mode takes.
fn check_stages(device: &spec::Device, smmu: &Smmu) -> Result<(), Problem> {
    let Some(stages) = smmu.stages else { return Ok(()) };
    let (able, help) = match device.mode.value {
        Mode::None | Mode::Bypass | Mode::Stage1 => (true, ""),
        Mode::Stage2 => (stages.second, "mode = \"s1\" is for SMMUs without stage 2; a guest's device cannot have it"),
        Mode::Nested if stages.second => {
            (stages.first, "mode = \"s2\" needs no stage 1: the guest then drives the device as if there were no SMMU")
        }
        Mode::Nested => {
            (false, "without stage 2 nothing confines what a guest's device reaches: give it to a component")
        }
    };
    if able {
        return Ok(());
    }
    let has = if stages.first { "stage 1" } else { "stage 2" };
    Err(Problem::new(format!("the SMMU of `{}` cannot translate for it in this mode", device.name.value))
        .at(device.mode.span, if device.mode.value == Mode::Nested { "takes both stages" } else { "takes stage 2" })
        .at(device.at.span, format!("behind {}, which has {has} alone", smmu.path))
        .help(help))
}

/// A grant of raw streams has a name of its own, which a device must not have.
fn check_names(component: &Component, devices: &[Device], problems: &mut Problems) {
    for device in &component.devices {
        if devices.iter().filter(|other| other.name == device.name.value).count() > 1 {
            problems.push(
                Problem::new(format!("the name `{}` is taken", device.name.value))
                    .at(device.name.span, "what `smmu_sids` gives has this name"),
            );
        }
    }
}

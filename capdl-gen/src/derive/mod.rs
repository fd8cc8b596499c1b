//! From names to numbers: a spec and a platform become a [`System`].
//!
//! Whatever the spec leaves out is derived from the device tree; whatever contradicts the device tree, or itself, is
//! a problem that points at its line. All problems are collected before one gives up.

mod channel;
mod conflict;
mod device;
mod group;
mod iova;
mod memory;
mod place;
mod streams;

pub use group::{Together, groups};

use sluice_spec::{Blob, Component, System, UntypedGrant};

use crate::diagnostic::{At, Problem, Problems};
use crate::platform::Platform;
use crate::spec::Spec;
use crate::suggest;

/// Derives the system. Its components are in the order of their priorities, its blobs are those of [`images`],
/// with their names only: what they hold and where they go is decided when an image is packed.
///
/// # Errors
/// Everything in which the spec contradicts itself or the platform.
pub fn derive(spec: &Spec, platform: &Platform) -> Result<System, Problems> {
    let mut problems = Problems::default();
    let regions = memory::regions(spec, platform, &mut problems);
    let images = images(spec);
    let mut contexts = streams::Contexts::default();
    let mut claims = Vec::new();
    let mut components = Vec::new();
    for component in &spec.components {
        let devices = device::derive(component, spec, platform, &mut contexts, &mut claims, &mut problems);
        let image = images.iter().position(|image| image.value == component.image.value);
        components.push(Component {
            name: component.name.value.clone(),
            image: image.unwrap_or_default() as u32,
            priority: component.priority,
            stack: component.stack,
            heap: component.heap,
            args: component.args.clone(),
            must_finish: component.must_finish,
            restart: component.restart,
            maps: memory::maps(component, spec, &mut problems),
            devices,
            untyped: untyped(component, &mut problems),
            asid_pool: component.asid_pool,
            timer: component.timer.map(|_| (platform.timer.intid, platform.timer.edge)),
            guest: component.guest.as_ref().map(|guest| memory::guest(guest, spec)),
        });
    }
    conflict::check(&claims, platform, &mut problems);
    group::check(&claims, spec, platform, &mut problems);
    conflict::check_timer(spec, &mut problems);
    memory::check_total(spec, platform, &mut problems);
    let mut order: Vec<usize> = (0..components.len()).collect();
    order.sort_by_key(|index| std::cmp::Reverse(components[*index].priority));
    let channels = channel::derive(spec, &order, &mut problems);
    if !problems.is_empty() {
        return Err(problems);
    }
    let blob = |image: &&At<String>| Blob { name: image.value.clone(), offset: 0, len: 0 };
    let blobs = images.iter().chain(&files(spec)).map(blob).collect();
    let components = order.iter().map(|index| components[*index].clone()).collect();
    Ok(System { platform: spec.platform.value.clone(), regions, components, channels, blobs })
}

/// The component ELFs a spec needs, each once.
#[must_use]
pub fn images(spec: &Spec) -> Vec<&At<String>> {
    once(spec.components.iter().map(|component| &component.image))
}

/// The other files a spec needs, each once. In a system they come behind the component ELFs.
#[must_use]
pub fn files(spec: &Spec) -> Vec<&At<String>> {
    once(spec.regions.iter().filter_map(|region| region.file.as_ref()))
}

fn once<'a>(names: impl Iterator<Item = &'a At<String>>) -> Vec<&'a At<String>> {
    let mut all: Vec<&At<String>> = Vec::new();
    for name in names {
        if !all.iter().any(|known| known.value == name.value) {
            all.push(name);
        }
    }
    all
}

fn untyped(component: &crate::spec::Component, problems: &mut Problems) -> Vec<UntypedGrant> {
    unique(component.untyped.iter().map(|grant| &grant.name), "Untyped", problems);
    component
        .untyped
        .iter()
        .map(|grant| UntypedGrant { name: grant.name.value.clone(), size_bits: grant.size_bits })
        .collect()
}

/// Reports each name that was there before.
fn unique<'a>(names: impl Iterator<Item = &'a At<String>>, kind: &str, problems: &mut Problems) {
    let mut seen: Vec<&At<String>> = Vec::new();
    for name in names {
        match seen.iter().find(|first| first.value == name.value) {
            Some(first) => problems.push(
                Problem::new(format!("{kind} `{}` is there twice", name.value))
                    .at(name.span, "the second time")
                    .at(first.span, "the first time"),
            ),
            None => seen.push(name),
        }
    }
}

/// The position of `name` among `names`.
fn find<'a>(
    name: &At<String>,
    kind: &str,
    names: impl Iterator<Item = &'a At<String>> + Clone,
) -> Result<usize, Problem> {
    names.clone().position(|candidate| candidate.value == name.value).ok_or_else(|| {
        Problem::new(format!("there is no {kind} `{}`", name.value))
            .at(name.span, "not defined")
            .help_if(suggest::help(&name.value, names.map(|candidate| candidate.value.as_str())))
    })
}

/// `bytes` as a user would write it.
fn human(bytes: u64) -> String {
    for (shift, unit) in [(30, "G"), (20, "M"), (10, "K")] {
        if bytes >> shift != 0 && bytes.trailing_zeros() >= shift {
            return format!("{}{unit}", bytes >> shift);
        }
    }
    format!("{bytes} bytes")
}

//! A system spec as the user wrote it: syntax and single values are checked, nothing is resolved yet.

mod channel;
mod component;
mod device;
mod group;
mod guest;
mod pattern;
mod place;
mod policy;
mod region;
mod table;
mod value;

use toml::de::DeTable;

pub use channel::{Channel, Clients};
pub use component::{Component, GuestParts, Map, RawStream, Untyped};
pub use device::{Device, Dma, Faults, Irq, Mode};
pub use group::{Group, Kind as GroupKind};
pub use guest::Guest;
pub use pattern::Pattern;
pub use place::{PciAddress, Place};
pub use policy::{Denial, Object, Policy, Subject};
pub use region::Region;

use crate::diagnostic::{At, Problem, Problems, Span};
use table::Table;

/// A whole spec.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Spec {
    /// Name of the platform.
    pub platform: At<String>,
    /// What must not be.
    pub policy: Policy,
    /// Devices that reach each other without an SMMU in between.
    pub groups: Vec<Group>,
    /// Memory regions.
    pub regions: Vec<Region>,
    /// Components.
    pub components: Vec<Component>,
    /// Guests.
    pub guests: Vec<Guest>,
    /// Channels.
    pub channels: Vec<Channel>,
}

/// Reads a spec.
///
/// # Errors
/// Everything that is wrong with it as far as one can say without the platform.
pub fn parse(text: &str) -> Result<Spec, Problems> {
    let mut problems = Problems::default();
    let root = match DeTable::parse(text) {
        Ok(root) => root,
        Err(error) => {
            let mut problem = Problem::new("this is not TOML");
            problem = match error.span() {
                Some(range) => problem.at(Span { start: range.start, end: range.end }, error.message().to_owned()),
                None => problem.help(error.message().to_owned()),
            };
            problems.push(problem);
            return Err(problems);
        }
    };
    let mut table = Table::new("the spec", Span { start: 0, end: 0 }, root.get_ref());
    let platform = table.required("platform", &mut problems, value::string);
    let policy = policy::read(&mut table, &mut problems);
    let groups = read_all(&mut table, "group", &mut problems, group::read);
    let regions = read_all(&mut table, "mr", &mut problems, region::read);
    let components = read_all(&mut table, "pd", &mut problems, component::read);
    let channels = read_all(&mut table, "channel", &mut problems, channel::read);
    let guests = read_all(&mut table, "vm", &mut problems, guest::read);
    table.finish(&mut problems);
    for guest in &guests {
        if let Some(component) = components.iter().find(|component| component.name.value == guest.name.value) {
            problems.push(
                Problem::new(format!("the name `{}` is taken", guest.name.value))
                    .at(guest.name.span, "a guest")
                    .at(component.name.span, "a component"),
            );
        }
    }
    if components.is_empty() && guests.is_empty() && problems.is_empty() {
        problems.push(Problem::new("the spec has no component").help("a component is a table such as `[pd.console]`"));
    }
    match platform {
        Some(platform) if problems.is_empty() => {
            Ok(Spec { platform, policy, groups, regions, components, guests, channels })
        }
        Some(_) | None => Err(problems),
    }
}

/// Reads each named table under `key`.
fn read_all<'a, T>(
    table: &mut Table<'a>,
    key: &'static str,
    problems: &mut Problems,
    read: impl Fn(At<String>, Table<'a>, &mut Problems) -> Option<T>,
) -> Vec<T> {
    let mut all = Vec::new();
    for (name, value) in table.children(key, problems) {
        if let Err(problem) = check_name(&name) {
            problems.push(problem);
            continue;
        }
        let entries = match value::table(value) {
            Ok(entries) => entries,
            Err(problem) => {
                problems.push(problem);
                continue;
            }
        };
        let child = Table::new(format!("`{key}.{}`", name.value), name.span, entries);
        all.extend(read(name, child, problems));
    }
    all
}

/// Names are written into console lines and manifests: one word of letters, digits, `-` and `_`.
fn check_name(name: &At<String>) -> Result<(), Problem> {
    let ordinary = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !name.value.is_empty() && name.value.len() <= 32 && name.value.chars().all(ordinary) {
        return Ok(());
    }
    Err(Problem::new(format!("`{}` cannot be a name", name.value))
        .at(name.span, "expected 1 to 32 of the characters a-z A-Z 0-9 - _"))
}

//! What a component is told: by the spec, by the machine, by who boots it.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use sluice_spec::Component;

use super::Circumstances;

/// The arguments of `component`, each key once: the command line's word counts more than the spec's, and nobody's more
/// than the machine's.
pub(super) fn of(component: &Component, circumstances: &Circumstances) -> Vec<(String, String)> {
    let mut args = component.args.clone();
    for word in circumstances.command_line.split_ascii_whitespace() {
        let told = word.strip_prefix(component.name.as_str()).and_then(|rest| rest.strip_prefix('.'));
        if let Some((key, value)) = told.and_then(|told| told.split_once('=')) {
            set(&mut args, key, value);
        }
    }
    for (key, value) in &circumstances.extra_args {
        set(&mut args, key, value);
    }
    args
}

fn set(args: &mut Vec<(String, String)>, key: &str, value: &str) {
    args.retain(|(known, _)| known != key);
    args.push((key.to_string(), value.to_string()));
}

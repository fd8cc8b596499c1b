//! Reach for machines.

use serde_json::{Value, json};

use sluice_abi::smmu::StreamId;

use super::graph::{Access, Audit, Kind};
use super::text::rights;

pub(super) fn show(audit: &Audit) -> String {
    let name = |party: usize| audit.parties[party].name.trim_end_matches(" (VMM)");
    let parties = audit.parties.iter().map(|party| {
        let kind = match party.kind {
            Kind::Component => "component",
            Kind::Vmm => "vmm",
            Kind::Guest => "guest",
            Kind::Device => "device",
        };
        let drives: Vec<&str> = party.drives.iter().map(|device| name(*device)).collect();
        let mut entry = json!({ "name": party.name.trim_end_matches(" (VMM)"), "kind": kind, "drives": drives });
        if let Some(translation) = &party.translation {
            let streams = translation.streams.iter().map(|word| match StreamId::from_word(*word) {
                Some(stream) => stream.to_string(),
                None => format!("{word:#x}"),
            });
            entry["mode"] = json!(translation.mode.name());
            entry["streams"] = json!(streams.collect::<Vec<String>>());
        }
        entry
    });
    let memories = audit
        .memories
        .iter()
        .map(|memory| json!({ "name": memory.name, "bytes": memory.bytes, "private": memory.private }));
    let reach = (0..audit.parties.len()).flat_map(|party| {
        audit.reach(party).map(move |reach| {
            let mut entry = json!({
                "party": name(party),
                "kind": match audit.parties[party].kind {
                    Kind::Component => "component",
                    Kind::Vmm => "vmm",
                    Kind::Guest => "guest",
                    Kind::Device => "device",
                },
                "memory": audit.memories[reach.edge.memory].name,
                "rights": rights(reach.edge.perms),
            });
            match reach.edge.access {
                Access::Cpu { at } => {
                    entry["by"] = json!("cpu");
                    entry["at"] = json!(at);
                }
                Access::Bypass => {
                    entry["by"] = json!("bypass");
                    entry["at"] = json!(null);
                }
                Access::Dma { iova, stages } => {
                    entry["by"] = json!("dma");
                    entry["at"] = json!(iova);
                    entry["stages"] = json!(stages);
                }
            }
            if let super::Via::Device(device) = reach.via {
                entry["through"] = json!(name(device));
            }
            entry
        })
    });
    let groups = audit.groups.iter().map(|(what, members)| {
        json!({ "what": what, "members": members.iter().map(|party| name(*party)).collect::<Vec<&str>>() })
    });
    let denied = audit.denied.iter().map(|(who, what)| json!({ "party": who, "object": what }));
    let all = json!({
        "platform": audit.platform,
        "parties": parties.collect::<Vec<Value>>(),
        "memories": memories.collect::<Vec<Value>>(),
        "reach": reach.collect::<Vec<Value>>(),
        "groups": groups.collect::<Vec<Value>>(),
        "unconfined": audit.unconfined.iter().map(|party| name(*party)).collect::<Vec<&str>>(),
        "denied": denied.collect::<Vec<Value>>(),
    });
    let mut text = format!("{all:#}");
    text.push('\n');
    text
}

//! Channels: who serves and who calls.

use sluice_spec::Channel;

use super::{find, unique};
use crate::diagnostic::{Problem, Problems};
use crate::spec::{Clients, Spec};

/// The channels of a spec, with components named by their position in `order` (positions in the spec).
pub(super) fn derive(spec: &Spec, order: &[usize], problems: &mut Problems) -> Vec<Channel> {
    let names = spec.components.iter().map(|component| &component.name);
    let position = |component: usize| order.iter().position(|at| *at == component).unwrap_or_default() as u32;
    let mut channels = Vec::new();
    for channel in &spec.channels {
        let server = problems.keep(find(&channel.server, "component", names.clone()));
        let clients: Vec<usize> = match &channel.clients {
            Clients::All => (0..spec.components.len()).filter(|client| Some(*client) != server).collect(),
            Clients::Some(clients) => {
                unique(clients.iter(), "client", problems);
                clients.iter().filter_map(|client| problems.keep(find(client, "component", names.clone()))).collect()
            }
        };
        let Some(server) = server else { continue };
        if clients.contains(&server) {
            problems.push(
                Problem::new(format!("`{}` cannot call itself", channel.server.value))
                    .at(channel.server.span, "server and client of this channel")
                    .help("its only thread would wait for its own answer"),
            );
        }
        if channel.notify {
            check_signals(channel, &clients, spec, problems);
        }
        let mut clients: Vec<u32> = clients.into_iter().map(position).collect();
        clients.sort_unstable();
        channels.push(Channel {
            name: channel.name.value.clone(),
            server: position(server),
            clients,
            notify: channel.notify,
        });
    }
    channels
}

/// Signals of one name are one signal: a client could not tell its server's from those of a device of its own.
fn check_signals(channel: &crate::spec::Channel, clients: &[usize], spec: &Spec, problems: &mut Problems) {
    let devices = clients.iter().filter_map(|client| spec.components.get(*client)).flat_map(|client| &client.devices);
    for device in devices {
        let faults =
            device.faults.as_ref().map(|faults| &faults.notify).filter(|name| name.value == channel.name.value);
        let interrupt = sluice_spec::interrupt_signal(&device.name.value) == channel.name.value;
        let Some(taken) = faults.or(interrupt.then_some(&device.name)) else { continue };
        problems.push(
            Problem::new(format!("the signal `{}` has two sources", channel.name.value))
                .at(channel.name.span, "raised by the server of this channel")
                .at(taken.span, "raised for this device of a client"),
        );
    }
}

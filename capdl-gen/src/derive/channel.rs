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
        let mut clients: Vec<u32> = clients.into_iter().map(position).collect();
        clients.sort_unstable();
        channels.push(Channel { name: channel.name.value.clone(), server: position(server), clients });
    }
    channels
}

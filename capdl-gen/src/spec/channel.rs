//! `[channel.NAME]`: calls from clients to one server.

use super::table::Table;
use super::value;
use crate::diagnostic::{At, Problem, Problems};

/// A call channel.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Channel {
    /// Its name.
    pub name: At<String>,
    /// The component that serves it.
    pub server: At<String>,
    /// The components that call it.
    pub clients: Clients,
    /// Whether the server can signal each client.
    pub notify: bool,
}

/// Who may call.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Clients {
    /// Every component but the server.
    All,
    /// These.
    Some(Vec<At<String>>),
}

pub(super) fn read(name: At<String>, mut table: Table<'_>, problems: &mut Problems) -> Option<Channel> {
    let server = table.required("server", problems, value::string);
    let clients = table.required("clients", problems, |clients| {
        if clients.get_ref().is_str() {
            let all = value::string(clients)?;
            return match all.value.as_str() {
                "*" => Ok(Clients::All),
                other => Err(Problem::new(format!("`{other}` is no list of clients"))
                    .at(all.span, "expected \"*\" or a list of components")),
            };
        }
        value::array(clients)?.into_iter().map(value::string).collect::<Result<_, _>>().map(Clients::Some)
    });
    let notify = table.optional("notify", problems, value::boolean);
    table.finish(problems);
    Some(Channel { name, server: server?, clients: clients?, notify: notify.is_some_and(|flag| flag.value) })
}

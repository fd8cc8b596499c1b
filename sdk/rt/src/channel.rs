//! The serving end of a channel.

use sluice_manifest as manifest;
use sluice_sys::{Endpoint, Event, Message, Notification, Received, reply};

use crate::{Missing, signal};

/// A channel that the component serves.
#[derive(Clone, Copy, Debug)]
pub struct Server<'a> {
    entry: &'a manifest::Server,
}

/// What a server was woken by.
#[expect(clippy::large_enum_variant, reason = "a server has one of them at a time, on its stack")]
#[derive(Clone, Copy, Debug)]
pub enum Incoming {
    /// A message of a client.
    Message(Received),
    /// Signals; they are kept for whoever polls or waits for them.
    Signalled,
}

impl<'a> Server<'a> {
    pub(crate) const fn new(entry: &'a manifest::Server) -> Self {
        Self { entry }
    }

    /// The endpoint received from.
    #[must_use]
    pub fn endpoint(&self) -> Endpoint {
        Endpoint::from(self.entry.endpoint)
    }

    /// Waits for a message or a signal.
    #[must_use]
    pub fn receive(&self) -> Incoming {
        self.admit(self.endpoint().recv())
    }

    /// A message or a signal, if there is one.
    #[must_use]
    pub fn try_receive(&self) -> Option<Incoming> {
        self.endpoint().nb_recv().map(|event| self.admit(event))
    }

    /// Answers the last client.
    pub fn answer<const WORDS: usize>(&self, message: &Message<WORDS>) {
        reply(message);
    }

    /// Raises the signal of the channel's name at the client with this position. Costs the same whether the client waits
    /// for it, does something else or is dead.
    ///
    /// # Errors
    /// When there is no such client, or the channel has no `notify = true` in the spec.
    pub fn signal(&self, client: usize) -> Result<(), Missing> {
        let signal = self.entry.clients.get(client).and_then(|client| client.signal);
        let signal = signal.ok_or_else(|| Missing::new("signal to a client of", &self.entry.name, []))?;
        Notification::from(signal).signal();
        Ok(())
    }

    /// Position and name of the client with this badge.
    #[must_use]
    pub fn client(&self, badge: u64) -> Option<(usize, &'a str)> {
        let mut clients = self.entry.clients.iter().enumerate();
        clients.find(|(_, client)| client.badge == badge).map(|(index, client)| (index, client.name.as_str()))
    }

    /// Names of all clients, in order.
    pub fn clients(&self) -> impl ExactSizeIterator<Item = &'a str> {
        self.entry.clients.iter().map(|client| client.name.as_str())
    }

    fn admit(&self, event: Event) -> Incoming {
        match event {
            Event::Message(message) => Incoming::Message(message),
            Event::Signal(bits) => {
                signal::keep(bits);
                Incoming::Signalled
            }
        }
    }
}

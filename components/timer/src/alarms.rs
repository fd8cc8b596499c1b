//! One alarm for each client.

use alloc::vec;
use alloc::vec::Vec;

use sluice_manifest::timer::NEVER;

/// When each client wants to be woken, in ticks; [`NEVER`] when it does not.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Alarms {
    at: Vec<u64>,
}

impl Alarms {
    /// No alarms, of `clients` clients.
    #[must_use]
    pub fn new(clients: usize) -> Self {
        Self { at: vec![NEVER; clients] }
    }

    /// Sets the alarm of a client in place of the one before; [`NEVER`] cancels it. A client there is not has none.
    pub fn set(&mut self, client: usize, at: u64) {
        if let Some(alarm) = self.at.get_mut(client) {
            *alarm = at;
        }
    }

    /// The clients whose alarms are due at `now`, the earliest first and of those due at once the first client; the alarms
    /// are gone afterwards.
    pub fn take_due(&mut self, now: u64) -> impl Iterator<Item = usize> + use<> {
        let due = |(client, at): (usize, &mut u64)| {
            (*at != NEVER && *at <= now).then(|| (core::mem::replace(at, NEVER), client))
        };
        let mut due: Vec<(u64, usize)> = self.at.iter_mut().enumerate().filter_map(due).collect();
        due.sort_unstable();
        due.into_iter().map(|(_, client)| client)
    }

    /// When the next alarm is due.
    #[must_use]
    pub fn earliest(&self) -> Option<u64> {
        self.at.iter().copied().min().filter(|at| *at != NEVER)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn due(alarms: &mut Alarms, now: u64) -> Vec<usize> {
        alarms.take_due(now).collect()
    }

    #[test]
    fn an_alarm_comes_once_and_never_early() {
        let mut alarms = Alarms::new(2);
        alarms.set(0, 100);
        assert_eq!(due(&mut alarms, 99), []);
        assert_eq!(alarms.earliest(), Some(100));
        assert_eq!(due(&mut alarms, 100), [0]);
        assert_eq!(due(&mut alarms, 200), []);
        assert_eq!(alarms.earliest(), None);
    }

    #[test]
    fn what_is_due_when_set_is_not_lost() {
        let mut alarms = Alarms::new(1);
        for at in [0, 1, 100] {
            alarms.set(0, at);
            assert_eq!(alarms.earliest(), Some(at));
            assert_eq!(due(&mut alarms, 100), [0]);
        }
    }

    #[test]
    fn no_alarm_is_not_one_at_the_end_of_time() {
        let mut alarms = Alarms::new(1);
        alarms.set(0, NEVER);
        assert_eq!((alarms.earliest(), due(&mut alarms, u64::MAX)), (None, vec![]));
        alarms.set(0, NEVER - 1);
        assert_eq!((alarms.earliest(), due(&mut alarms, u64::MAX)), (Some(NEVER - 1), vec![0]));
    }

    #[test]
    fn a_client_there_is_not_has_no_alarm() {
        let mut alarms = Alarms::new(1);
        alarms.set(1, 5);
        assert_eq!((alarms.earliest(), due(&mut alarms, 10)), (None, vec![]));
    }

    #[derive(Clone, Copy, Debug)]
    enum Act {
        Set(usize, u64),
        Cancel(usize),
        Pass(u64),
    }

    proptest! {
        /// Each client has what it would have if it were alone, and signals come in the order of the alarms.
        #[test]
        fn clients_do_not_disturb_each_other(
            acts in prop::collection::vec(prop_oneof![
                (0usize..3, 0u64..60).prop_map(|(client, at)| Act::Set(client, at)),
                (0usize..3).prop_map(Act::Cancel),
                (0u64..10).prop_map(Act::Pass),
            ], 1..60),
        ) {
            let mut all = Alarms::new(3);
            let mut alone = [const { None::<u64> }; 3];
            let mut now = 0;
            for act in acts {
                match act {
                    Act::Set(client, at) => {
                        all.set(client, at);
                        alone[client] = Some(at);
                    }
                    Act::Cancel(client) => {
                        all.set(client, NEVER);
                        alone[client] = None;
                    }
                    Act::Pass(ticks) => now += ticks,
                }
                let mut expected: Vec<(u64, usize)> = Vec::new();
                for (client, alarm) in alone.iter_mut().enumerate() {
                    if let Some(at) = alarm.take_if(|at| *at <= now) {
                        expected.push((at, client));
                    }
                }
                expected.sort_unstable();
                prop_assert!(due(&mut all, now).into_iter().eq(expected.into_iter().map(|(_, client)| client)));
                prop_assert_eq!(all.earliest(), alone.iter().flatten().copied().min());
            }
        }
    }
}

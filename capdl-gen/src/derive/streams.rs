//! Streams and the contexts that translate for them.

use sluice_abi::smmu::{MAX_CBS, StreamId};
use sluice_spec::{Device, Location, Mode};

use super::conflict::Claim;
use crate::diagnostic::{Problem, Problems, Span};
use crate::platform::Platform;
use crate::spec::Component;

/// Numbers of contexts given out so far, for each SMMU.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Contexts {
    used: Vec<(u8, u16)>,
}

impl Contexts {
    /// The next context of `smmu`; the first is 1.
    pub(super) fn next(&mut self, smmu: u8, span: Span) -> Result<u16, Problem> {
        let used = match self.used.iter().position(|(number, _)| *number == smmu) {
            Some(index) => &mut self.used[index].1,
            None => {
                self.used.push((smmu, 0));
                let last = self.used.len() - 1;
                &mut self.used[last].1
            }
        };
        if u32::from(*used) + 1 >= MAX_CBS {
            return Err(Problem::new(format!("SMMU {smmu} has no more contexts"))
                .at(span, format!("one too many: an SMMU has {} for devices", MAX_CBS - 1)));
        }
        *used += 1;
        Ok(*used)
    }
}

/// The SMMU of a device's streams, when all have the same; a context belongs to one SMMU.
pub(super) fn smmu_of(streams: &[StreamId]) -> Option<u8> {
    let first = streams.first()?.smmu;
    streams.iter().all(|stream| stream.smmu == first).then_some(first)
}

/// The streams a component is given by number: one grant for each SMMU, with the capabilities to use them.
pub(super) fn raw<'a>(
    component: &'a Component,
    platform: &Platform,
    contexts: &mut Contexts,
    claims: &mut Vec<Claim<'a>>,
    problems: &mut Problems,
) -> Vec<Device> {
    let mut grants: Vec<Device> = Vec::new();
    for raw in &component.streams {
        let smmu = raw.stream.smmu;
        if usize::from(smmu) >= platform.smmus.len() {
            problems.push(
                Problem::new(format!("{} has no SMMU {smmu}", platform.name()))
                    .at(raw.span, format!("it has {}", platform.smmus.len())),
            );
            continue;
        }
        claims.push(Claim::of_stream(component, raw));
        let name = format!("smmu{smmu}");
        if let Some(grant) = grants.iter_mut().find(|grant| grant.name == name) {
            grant.streams.push(raw.stream.word());
            continue;
        }
        let Some(context) = problems.keep(contexts.next(smmu, raw.span)) else { continue };
        grants.push(Device {
            name,
            location: Location::Streams,
            expect: None,
            mode: Mode::Stage2,
            why: None,
            streams: vec![raw.stream.word()],
            context,
            dma: Vec::new(),
            interrupt: None,
            faults: None,
            address_bits: 64,
            guest_slot: None,
            // Nothing says what masters by these streams: the cautious answer.
            coherent: false,
            manage: true,
            registers: Vec::new(),
        });
    }
    grants
}

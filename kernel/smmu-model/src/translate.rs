//! Both stages together (IHI 0070, 3.3 and 3.4).

use sluice_abi::smmu::event;

use crate::cd::{Context, Descriptor};
use crate::descriptor::{Access, Leaf};
use crate::regime::Stage;
use crate::ste::{Stage1, Stage2, Translated};
use crate::tlb::{Cached, CachedLeaf, Kind, Value};
use crate::walk::{Class, Fault, Look, Mapped, Results, Space, add};

use sluice_smmu::regs::{L1CD, s1fmt};

const DESCRIPTOR_BYTES: u64 = 64;

impl Look<'_> {
    /// Where a transaction of a stream without stage 1 goes.
    pub(crate) fn without_stage1(&self, stream: &Translated, address: u64, access: Access) -> Results<u64> {
        match &stream.stage2 {
            Some(stage2) => self.through_stage2(stage2, address, access),
            None if address >> self.state.registers.identity.output_bits() != 0 => {
                vec![Err(Fault { kind: event::F_ADDR_SIZE, stage: Stage::One, class: Class::Input, address })]
            }
            None => vec![Ok(address)],
        }
    }

    fn through_stage2(&self, stage2: &Stage2, ipa: u64, access: Access) -> Results<u64> {
        let refused = Fault { kind: event::F_PERMISSION, stage: Stage::Two, class: Class::Input, address: ipa };
        let check = |mapped: Mapped| mapped.leaf.rights.allows(access).then(|| mapped.output(ipa)).ok_or(refused);
        self.stage2(stage2, ipa, Class::Input).into_iter().map(|result| result.and_then(check)).collect()
    }

    /// Where a transaction goes by stage 1, and stage 2 where there is one.
    pub(crate) fn with_stage1(
        &self,
        stream: &Translated,
        context: &Context,
        address: u64,
        access: Access,
    ) -> Results<u64> {
        let fault = |kind| Fault { kind, stage: Stage::One, class: Class::Input, address };
        let Some((regime, input)) = context.half(address) else { return vec![Err(fault(event::F_TRANSLATION))] };
        let under = stream.stage2.as_ref();
        let space = Space { regime, vmid: stream.vmid, asid: Some(context.asid), under, class: Class::Input };
        let mut results = Vec::new();
        for cached in self.state.tlb.at(Kind::Combined, space.vmid, space.asid, input) {
            let Some(CachedLeaf { leaf, under: Some((rights, ipa)) }) = cached.leaf() else { continue };
            let ipa = ipa + (input - cached.base);
            let refused = Fault { kind: event::F_PERMISSION, stage: Stage::Two, class: Class::Input, address: ipa };
            add(
                &mut results,
                match (leaf.rights.allows(access), rights.allows(access)) {
                    (false, _) => Err(fault(event::F_PERMISSION)),
                    (true, false) => Err(refused),
                    (true, true) => Ok(leaf.output + (input - cached.base)),
                },
            );
        }
        for result in self.leaves(&space, input) {
            match (result, under) {
                (Ok(mapped), _) if !mapped.leaf.rights.allows(access) => {
                    add(&mut results, Err(fault(event::F_PERMISSION)));
                }
                (Ok(mapped), None) => add(&mut results, Ok(mapped.output(input))),
                (Ok(mapped), Some(stage2)) => {
                    self.note_combined(&space, &mapped, stage2, input);
                    for place in self.through_stage2(stage2, mapped.output(input), access) {
                        add(&mut results, place);
                    }
                }
                (Err(fault), _) => add(&mut results, Err(fault)),
            }
        }
        results
    }

    fn note_combined(&self, space: &Space<'_>, upper: &Mapped, stage2: &Stage2, input: u64) {
        let ipa = upper.output(input);
        for lower in self.stage2(stage2, ipa, Class::Input).into_iter().flatten() {
            self.note(combined(space, upper, &lower, input));
        }
    }

    /// Words that the context descriptor of a substream may have, those known longest first.
    pub(crate) fn descriptors(&self, sid: u32, stream: &Translated, stage1: &Stage1, ssid: u32) -> Vec<Fetch> {
        let mut found = Vec::new();
        self.state
            .contexts
            .get(&(sid, ssid))
            .into_iter()
            .flatten()
            .for_each(|words| add(&mut found, Fetch::Words(*words)));
        for place in self.descriptor_places(stream, stage1, ssid) {
            let fetched = match place {
                Place::At(at) if self.memory.answers(at) => Fetch::Words(self.memory.words(at)),
                Place::At(at) => Fetch::NoMemory(at),
                Place::Nowhere => Fetch::OutOfRange,
                Place::Fault(fault) => Fetch::Fault(fault),
            };
            add(&mut found, fetched);
        }
        found
    }

    fn descriptor_places(&self, stream: &Translated, stage1: &Stage1, ssid: u32) -> Vec<Place> {
        let number = u64::from(ssid);
        let leaf_bits = match stage1.format {
            _ if stage1.substream_bits == 0 => 0,
            s1fmt::TWO_LEVEL_4K => 6,
            s1fmt::TWO_LEVEL_64K => 10,
            _ => return self.physical(stream, stage1.table + DESCRIPTOR_BYTES * number),
        };
        if leaf_bits == 0 {
            return self.physical(stream, stage1.table);
        }
        let mut places = Vec::new();
        for place in self.physical(stream, stage1.table + 8 * (number >> leaf_bits)) {
            match place {
                Place::At(at) if self.memory.answers(at) => {
                    let word = self.memory.word(at);
                    if L1CD::V.is_set(word) {
                        let leaf = L1CD::L2PTR.read(word) << L1CD::L2PTR.shift;
                        let index = number & ((1 << leaf_bits) - 1);
                        places.extend(self.physical(stream, leaf + DESCRIPTOR_BYTES * index));
                    } else {
                        places.push(Place::Nowhere);
                    }
                }
                Place::At(_) | Place::Nowhere | Place::Fault(_) => places.push(place),
            }
        }
        places
    }

    fn physical(&self, stream: &Translated, at: u64) -> Vec<Place> {
        let Some(stage2) = &stream.stage2 else { return vec![Place::At(at)] };
        let places = self.structure(stage2, at, Class::ContextDescriptor);
        places.into_iter().map(|place| place.map_or_else(Place::Fault, Place::At)).collect()
    }
}

/// What both stages together make of the page or block of `input` that both leaves cover.
pub(crate) fn combined(space: &Space<'_>, upper: &Mapped, lower: &Mapped, input: u64) -> Cached {
    let order = upper.order.min(lower.order);
    let base = input >> order << order;
    let ipa = upper.output(base);
    let leaf = Leaf { output: lower.output(ipa), ..upper.leaf };
    let asid = if leaf.global { None } else { space.asid };
    let value = Value::Leaf(CachedLeaf { leaf, under: Some((lower.leaf.rights, ipa)) });
    Cached { kind: Kind::Combined, vmid: space.vmid, asid, base, order, level: upper.level, value }
}

/// How the search for a context descriptor ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fetch {
    Words(Descriptor),
    /// C_BAD_SUBSTREAMID.
    OutOfRange,
    /// F_CD_FETCH.
    NoMemory(u64),
    Fault(Fault),
}

enum Place {
    At(u64),
    Nowhere,
    Fault(Fault),
}

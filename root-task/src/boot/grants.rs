//! The capabilities a plan lists, put where the manifest says.

use alloc::vec::Vec;

use sluice_abi::{CapRights, FrameSize, ObjectType, PAGE_SIZE};
use sluice_spec::Map;
use sluice_sys::Slot;

use super::builder::Builder;
use super::component::Objects;
use super::device::Translation;
use super::pause::Alarm;
use super::regions::RegionFrames;
use crate::Stop;
use crate::kernel::{Invocation, Kernel};
use crate::plan::{Grant, Plan};
use crate::supervisor::UNSERVED;

/// What a client may do: call, pass capabilities along, be answered.
const CLIENT: CapRights = CapRights::WRITE.union(CapRights::GRANT).union(CapRights::GRANT_REPLY);
/// What a server may do: receive, and pass capabilities along in its answers.
const SERVER: CapRights = CapRights::READ.union(CapRights::GRANT);

/// What lies between components; slots of the root CNode.
pub(super) struct Ends {
    /// The endpoint of the supervisor.
    pub(super) supervisor: u64,
    /// The endpoint of each channel.
    pub(super) channels: Vec<u64>,
    /// Whether the server of each channel stays stopped.
    pub(super) gone: Vec<bool>,
    /// The notification of each component.
    pub(super) notifications: Vec<u64>,
    /// Between the root task and the timer server.
    pub(super) alarm: Option<Alarm>,
}

impl Ends {
    /// What gives a client the calling side of a channel, which is the supervisor's while nobody serves it.
    pub(super) fn client(&self, channel: usize, badge: u64, to: Slot) -> Option<Invocation> {
        let (endpoint, gone) = (*self.channels.get(channel)?, *self.gone.get(channel)?);
        Some(match gone {
            true => Invocation::Mint {
                from: self.supervisor,
                to,
                rights: CapRights::WRITE | CapRights::GRANT_REPLY,
                badge: UNSERVED,
            },
            false => Invocation::Mint { from: endpoint, to, rights: CLIENT, badge },
        })
    }
}

/// Puts every capability of the plan into the component's CNode.
///
/// Those over streams are moved: nobody else holds a copy, so when the component deletes one it is gone.
pub(super) fn put<K: Kernel>(
    builder: &mut Builder<K>,
    plan: &Plan,
    objects: &Objects,
    ends: &Ends,
    translations: &[Option<Translation>],
    (maps, regions): (&[Map], &[RegionFrames]),
) -> Result<(), Stop> {
    let who = plan.manifest.name.as_str();
    let missing = Stop::System("a grant refers to what there is not");
    let endpoint = |channel: usize| ends.channels.get(channel).copied().ok_or(missing.clone());
    let translation = |device: usize| translations.get(device).and_then(Option::as_ref).ok_or(missing.clone());
    for (index, grant) in &plan.grants {
        let to = objects.slot(*index);
        let invocation = match *grant {
            Grant::Interrupt { intid, edge, badge } => {
                let slot = builder.slot()?;
                builder.invoke(who, Invocation::GetInterrupt { intid, edge, slot })?;
                let notification = builder.badged(who, objects.notification, CapRights::WRITE, badge)?;
                builder.invoke(who, Invocation::SetNotification { handler: slot, notification })?;
                Invocation::Move { from: slot, to }
            }
            Grant::Client { channel, badge } => ends.client(channel, badge, to).ok_or(missing.clone())?,
            Grant::Server { channel } => Invocation::Copy { from: endpoint(channel)?, to, rights: SERVER },
            Grant::Signal { component, badge } => {
                let from = *ends.notifications.get(component).ok_or(missing.clone())?;
                Invocation::Mint { from, to, rights: CapRights::WRITE, badge }
            }
            Grant::Alarm => {
                let from = ends.alarm.ok_or(missing.clone())?.notification;
                Invocation::Mint { from, to, rights: CapRights::WRITE, badge: 1 }
            }
            Grant::Stream { device, stream } => {
                let streams: &Vec<u64> = &translation(device)?.streams;
                Invocation::Move { from: *streams.get(stream).ok_or(missing.clone())?, to }
            }
            Grant::Context { device } => Invocation::Move { from: translation(device)?.context, to },
            Grant::Space { device } => Invocation::Move { from: translation(device)?.space, to },
            Grant::RegionFrames { map } => {
                let region = maps.get(map).and_then(|map| regions.get(map.region as usize)).ok_or(missing.clone())?;
                for (frame, index) in region.frames().zip(*index..) {
                    let to = objects.slot(index);
                    builder.invoke(who, Invocation::Copy { from: frame, to, rights: CapRights::all() })?;
                }
                continue;
            }
            Grant::RegisterFrames { base, size } => {
                let first = builder.registers(who, (base, size), FrameSize::Small)?;
                for (from, index) in (first..first + size / PAGE_SIZE).zip(*index..) {
                    let to = objects.slot(index);
                    builder.invoke(who, Invocation::Copy { from, to, rights: CapRights::all() })?;
                }
                continue;
            }
            // They were moved when they were mapped.
            Grant::Frames { .. } => continue,
            Grant::AsidPool => {
                let memory = builder.objects(who, ObjectType::Untyped, sluice_abi::PAGE_BITS, 1)?;
                Invocation::MakePool { memory, to }
            }
            Grant::Untyped { size_bits } => {
                let from = builder.objects(who, ObjectType::Untyped, u32::from(size_bits), 1)?;
                Invocation::Move { from, to }
            }
        };
        builder.invoke(who, invocation)?;
    }
    Ok(())
}

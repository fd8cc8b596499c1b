//! Bypass: a choice of whoever holds the SIDControl, ended by whoever holds the stream.

use super::*;

fn bypass(system: &mut System, caps: &[u64]) -> Reply {
    system.call(SID_CONTROL, Label::SidControlBypassStream, caps, &[])
}

fn reach(system: &System) -> Reach {
    system.model().reach(STREAM as u32)
}

#[test]
fn a_stream_that_bypasses_reaches_everything_until_it_is_unbound() {
    let mut device = Device::unbound();
    let (sid, cb, vspace) = (device.sid, device.cb, device.vspace);
    let system = &mut device.system;
    assert_eq!(bypass(system, &[]), truncated());
    assert_eq!(bypass(system, &[cb]), invalid_capability(1));
    assert_eq!(bypass(system, &[INIT_TCB]), invalid_capability(1));
    assert_eq!(reach(system), Reach::nothing());
    assert_eq!(bypass(system, &[sid]), ok());
    assert_eq!(reach(system), Reach::Everything);
    assert_eq!(system.model().reach(STREAM as u32 + 1), Reach::nothing(), "its neighbour does not");
    assert_eq!(bypass(system, &[sid]), delete_first());
    system.done(cb, Label::CbAssignVspace, &[vspace], &[]);
    assert_eq!(system.call(sid, Label::SidBindCb, &[cb], &[]), delete_first());
    system.done(sid, Label::SidUnbindCb, &[], &[]);
    assert_eq!(reach(system), Reach::nothing());
    assert_eq!(system.call(sid, Label::SidUnbindCb, &[], &[]), illegal());
    system.done(sid, Label::SidBindCb, &[cb], &[]);
    assert_eq!(bypass(system, &[sid]), delete_first(), "a binding is not widened");
    assert_ne!(reach(system), Reach::Everything);
}

#[test]
fn bypass_ends_with_the_stream_and_with_the_authority_it_came_from() {
    let ends: [fn(&mut System, u64) -> Reply; 3] = [
        |system, sid| system.delete(sid),
        |system, _| system.revoke(SID_CONTROL),
        |system, sid| {
            let copy = system.copied(sid);
            assert_eq!(system.delete(sid), ok());
            assert_eq!(reach(system), Reach::Everything, "somebody still holds the stream");
            system.delete(copy)
        },
    ];
    for end in ends {
        let mut device = Device::unbound();
        let sid = device.sid;
        assert_eq!(bypass(&mut device.system, &[sid]), ok());
        assert_eq!(end(&mut device.system, sid), ok());
        assert_eq!(reach(&device.system), Reach::nothing());
    }
}

#[test]
fn nobody_else_can_choose_bypass() {
    let mut device = Device::unbound();
    let (sid, cb) = (device.sid, device.cb);
    for wrong in [sid, cb, CB_CONTROL, INIT_CNODE] {
        assert_eq!(device.system.call(wrong, Label::SidControlBypassStream, &[sid], &[]), illegal());
    }
    assert_eq!(reach(&device.system), Reach::nothing());
}

#[test]
fn a_stream_whose_table_is_gone_cannot_bypass() {
    let mut system = System::with_smmu();
    let table = system.make(ObjectType::StreamTable, 0);
    system.done(SID_CONTROL, Label::SidControlMapStreamTable, &[table], &[0x300]);
    let sid = system.next_slot;
    assert_eq!(system.get_sid(0x37f), ok());
    assert_eq!(bypass(&mut system, &[sid]), ok());
    assert_eq!(system.model().reach(0x37f), Reach::Everything);
    assert_eq!(system.delete(table), ok());
    assert_eq!(system.model().reach(0x37f), Reach::nothing());
    assert_eq!(bypass(&mut system, &[sid]), invalid_capability(1));
}

//! Families: who goes with whom.

use sluice_abi::ObjectType;
use sluice_core::cap::Cap;

use crate::user::*;

const ALL: u64 = 15;

#[test]
fn revoking_one_badge_leaves_the_others() {
    for object in [ObjectType::Endpoint, ObjectType::Notification] {
        let mut system = System::boot();
        let original = system.make(object, 0);
        let badged = [1, 2, 3].map(|badge| system.minted(original, ALL, badge));
        let copies = badged.map(|cptr| system.copied(cptr));
        assert_eq!(system.revoke(badged[1]), ok());
        for index in 0..3 {
            assert_ne!(system.cap(badged[index]), Cap::Null, "{index}");
            assert_eq!(system.cap(copies[index]) == Cap::Null, index == 1, "{index}");
        }
        assert_eq!(system.revoke(original), ok());
        for cptr in badged.into_iter().chain(copies) {
            assert_eq!(system.cap(cptr), Cap::Null);
        }
    }
}

#[test]
fn a_group_survives_its_first_member() {
    for object in [ObjectType::Endpoint, ObjectType::Notification] {
        let mut system = System::boot();
        let original = system.make(object, 0);
        // Two groups with one badge; the later stands before the older.
        let older = system.minted(original, ALL, 7);
        let copy = system.copied(older);
        let later = system.minted(original, ALL, 7);
        assert_eq!(system.delete(older), ok());
        assert_eq!(system.revoke(later), ok());
        assert_ne!(system.cap(copy), Cap::Null, "the copy belongs to the older group");
        assert_eq!(system.revoke(original), ok());
        assert_eq!(system.cap(copy), Cap::Null);
    }
}

#[test]
fn a_copy_that_goes_leaves_its_object() {
    let mut system = System::boot();
    for object in [ObjectType::Endpoint, ObjectType::Notification, ObjectType::Tcb] {
        let original = system.make(object, 0);
        let copies = [system.copied(original), system.copied(original)];
        assert_eq!(system.delete(copies[0]), ok());
        assert_eq!(system.delete(copies[1]), ok());
        let again = system.copied(original);
        assert_eq!(system.delete(original), ok());
        assert_ne!(system.cap(again), Cap::Null);
    }
}

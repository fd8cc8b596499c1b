//! A short log agrees with the abstract machine, and each way to change it is found where it first matters.
//!
//! `data/small.trace` has the first capabilities of a recorded boot, and calls made up for this test: a page mapped,
//! unmapped and mapped read-only under a bound stream, its events, a revoke that an interrupt breaks, and two refusals.

use sluice_abi::Label;
use sluice_conformance::{Disagreement, Summary, replay};

const LOG: &str = include_str!("data/small.trace");

/// The number, from 1, of the only line that is `text`.
fn number(text: &str) -> usize {
    let mut found = LOG.lines().enumerate().filter(|(_, line)| *line == text);
    let (index, _) = found.next().unwrap_or_else(|| panic!("the log has no line {text:?}"));
    assert!(found.next().is_none(), "{text:?} is there twice");
    index + 1
}

fn with(old: &str, new: &[&str]) -> Result<Summary, Disagreement> {
    let at = number(old) - 1;
    let lines: Vec<&str> = LOG.lines().collect();
    replay(&[&lines[..at], new, &lines[at + 1..]].concat().join("\n"), 1)
}

#[track_caller]
fn assert_found(result: Result<Summary, Disagreement>, line: usize, words: &[&str]) {
    let found = result.expect_err("a disagreement");
    assert_eq!(found.line, line, "{found}");
    for word in words {
        assert!(found.what.contains(word), "{found}");
    }
}

const GET_SID: &str = "call 7fffe800 7ff40180 38 0 w=10,3f0,40 c=7ff40040 r=";
const GET_CB: &str = "call 7fffe800 7ff401a0 3d 0 w=1,3f1,40 c=7ff40040 r=";
const ASSIGN: &str = "call 7fffe800 7ff47e20 3f 0 w= c=7ff40060 r=";
const BIND: &str = "call 7fffe800 7ff47e00 3b 0 w= c=7ff47e20 r=";
const NO_TABLE: &str = "call 7fffe800 7ff47de0 28 6 w=8100000000,3,4 c=7ff40060 r=0,2,27";
const UNMAPPED: &str = "event 10 10 710000 710000 28";
const EVENTQ: &str = "call 7fffe800 7ff40180 45 0 w=0 c= r=10,10,710000,710000,28,0";
const READ_ONLY: &str = "call 7fffe800 7ff47de0 28 0 w=701000,2,4 c=7ff40060 r=";
const REVOKED: &str = "call 7fffe800 7ff40040 11 0 w=2e9,40 c= r=";
const AFTER_REVOKE: &str = "call 7fffe800 7ff47de0 29 2 w= c= r=0";

#[test]
fn the_log_agrees() {
    let summary = replay(LOG, 1).expect("agreement");
    let Summary { lines, compared, refused, preempted, events, late_events, states, .. } = summary.clone();
    assert_eq!(lines, LOG.lines().count());
    assert_eq!((compared, refused, preempted), (11, 2, 1));
    assert_eq!((events, late_events), (3, 0));
    assert!(summary.unheard.is_empty());
    assert_eq!(states, 1 + 14 + 1, "at the start, after every call, at the end");
}

#[test]
fn a_flipped_result_is_found_at_its_line() {
    assert_found(
        with(GET_SID, &[&GET_SID.replace("38 0", "38 8")]),
        number(GET_SID),
        &["SidControlGetSid", "the kernel refuses with DeleteFirst", "the abstract machine accepts"],
    );
    assert_found(
        with(NO_TABLE, &[&NO_TABLE.replace("28 6", "28 0")]),
        number(NO_TABLE),
        &["PageMap", "the kernel accepts", "refuses with FailedLookup"],
    );
    assert_found(with(NO_TABLE, &[&NO_TABLE.replace("28 6", "28 8")]), number(NO_TABLE), &["DeleteFirst"]);
}

#[test]
fn a_changed_word_of_an_answer_is_found_at_its_line() {
    let record = EVENTQ.replace("28,0", "29,0");
    assert_found(
        with(EVENTQ, &[&record]),
        number(EVENTQ),
        &["SidControlGetEventq", "answers [10, 10, 710000, 710000, 28, 0]"],
    );
    let bits = NO_TABLE.replace("r=0,2,27", "r=0,2,1e");
    assert_found(with(NO_TABLE, &[&bits]), number(NO_TABLE), &["refuses with FailedLookup [0, 2, 27]"]);
}

#[test]
fn an_answer_that_nobody_can_give_is_found() {
    // Only threads that were resumed once can be answered; the first one never was.
    let owed = ["owe 7fffe800 7fffe800 1"];
    let found = with("start 7fffe800", &[&["start 7fffe800"][..], &owed[..]].concat());
    assert_found(found, number("start 7fffe800") + 1, &["cannot be answered"]);
}

#[test]
fn a_changed_slot_is_found_where_it_is_missed() {
    let elsewhere = GET_CB.replace("3f1", "3f2");
    assert_found(with(GET_CB, &[&elsewhere]), number(ASSIGN), &["CbAssignVspace", "InvalidCapability"]);
}

#[test]
fn an_event_on_a_mapped_page_is_found_at_its_line() {
    assert_found(
        with(UNMAPPED, &["event 10 10 700000 700000 28"]),
        number(UNMAPPED),
        &["F_TRANSLATION", "a page is mapped"],
    );
    assert_found(with(UNMAPPED, &["event 10 13 700000 700000 28"]), number(UNMAPPED), &["can be read and written"]);
    assert_found(with(UNMAPPED, &["event 18 10 710000 710000 28"]), number(UNMAPPED), &["bound to no context"]);
    let writable = READ_ONLY.replace(",2,", ",3,");
    assert_found(with(READ_ONLY, &[&writable]), number(READ_ONLY) + 1, &["F_PERMISSION"]);
}

#[test]
fn a_dropped_call_is_found_where_it_is_missed() {
    assert_found(with(BIND, &[]), number(BIND), &["bound to no context"]);
    assert_found(with(GET_SID, &[]), number(BIND) - 1, &["the kernel accepts", "InvalidCapability"]);
    assert_found(with(REVOKED, &[]), number(REVOKED), &["must start over"]);
}

#[test]
fn only_threads_that_run_call_and_only_what_they_can_name() {
    assert_found(with(BIND, &[&BIND.replace("7fffe800", "7fffd800")]), number(BIND), &["there is no thread"]);
    assert_found(with(BIND, &[&BIND.replace("c=7ff47e20", "c=7fffe800")]), number(BIND), &["no capability leads"]);
}

#[test]
fn what_a_revoke_removed_cannot_be_used() {
    let accepted = AFTER_REVOKE.replace("29 2", "29 0");
    assert_found(with(AFTER_REVOKE, &[&accepted]), number(AFTER_REVOKE), &["the kernel accepts", "InvalidCapability"]);
}

const IRQS: &str = "irqs 9f";
const RETYPED: &str = "call 7fffe800 7ff45d20 1 0 w=7,0,0,0,3ee,2 c=7ff40040 r=";
const GUESTS: &str = "guests 4 1b";

/// The log with a virtual processor for the first thread, and then these lines.
fn with_guest(calls: &[&str]) -> (Result<Summary, Disagreement>, usize) {
    const MAKE: &str = "call 7fffe800 7ff45d20 1 0 w=a,0,0,0,3f2,1 c=7ff40040 r=";
    const GIVE: &str = "call 7fffe800 7ff47e40 31 0 w= c=7ff40020 r=";
    let (irqs, retyped) = (number(IRQS), number(RETYPED));
    let lines: Vec<&str> = LOG.lines().collect();
    let (boot, rest) = lines.split_at(irqs);
    let (before, after) = rest.split_at(retyped - irqs);
    let log = [boot, &[GUESTS], before, &[MAKE, GIVE], calls, after].concat().join("\n");
    (replay(&log, 1), retyped + 4)
}

const INJECTED: &str = "call 7fffe800 7ff47e40 32 0 w=1070030 c= r=";
const IN_USE: &str = "call 7fffe800 7ff47e40 32 8 w=1070030 c= r=";

#[test]
fn interrupts_of_guests_agree() {
    let beyond = "call 7fffe800 7ff47e40 32 4 w=401070030 c= r=0,3";
    let timer = "call 7fffe800 7ff47e40 35 0 w=1b c= r=";
    let other = "call 7fffe800 7ff47e40 35 1 w=1a c= r=0";
    // Until the guest takes it, another may come in its place.
    let summary = with_guest(&[INJECTED, INJECTED, IN_USE, beyond, timer, other]).0.expect("agreement");
    assert_eq!((summary.compared, summary.refused), (11 + 5, 2 + 3));
}

#[test]
fn interrupts_that_guests_cannot_have_are_found() {
    let (found, line) = with_guest(&[IN_USE]);
    assert_found(found, line, &["VcpuInjectIrq", "the kernel refuses with DeleteFirst", "accepts"]);
    // Once taken it stays in the way.
    let (found, line) = with_guest(&[INJECTED, IN_USE, INJECTED]);
    assert_found(found, line + 2, &["the kernel accepts", "refuses with DeleteFirst"]);
    let (found, line) = with_guest(&["call 7fffe800 7ff47e40 32 0 w=401070030 c= r="]);
    assert_found(found, line, &["the kernel accepts", "refuses with RangeError [0, 3]"]);
    let (found, line) = with_guest(&["call 7fffe800 7ff47e40 35 0 w=1a c= r="]);
    assert_found(found, line, &["VcpuAckVppi", "refuses with InvalidArgument"]);
}

const HANDLER: &str = "call 7fffe800 7ff40080 36 0 w=44,0,3f3,40 c=7ff40040 r=";
const FORWARDED: &str = "call 7fffe800 7ff47e40 50 0 w=301180025 c=7ff47e60 r=";
const KEPT: &str = "call 7fffe800 7ff47e40 50 8 w=301180025 c=7ff47e60 r=";
const TAKEN_BACK: &str = "call 7fffe800 7ff47e40 51 0 w=3 c= r=0";

#[test]
fn forwarded_interrupts_of_guests_agree() {
    let injected = "call 7fffe800 7ff47e40 32 8 w=301070030 c= r=";
    let nothing = "call 7fffe800 7ff47e40 51 1 w=3 c= r=0";
    let calls = [HANDLER, FORWARDED, KEPT, injected, TAKEN_BACK, nothing, FORWARDED];
    let summary = with_guest(&calls).0.expect("agreement");
    assert_eq!((summary.compared, summary.refused), (11 + 6, 2 + 3));
    assert_eq!(summary.accepted.get(&(Label::VcpuForwardIrq as u64)), Some(&2));
    assert_eq!(summary.accepted.get(&(Label::VcpuTakeBackIrq as u64)), Some(&1));
}

#[test]
fn forwarded_interrupts_may_have_come_before_they_are_taken_back() {
    for came in ["r=1", "r=2"] {
        let taken_back = TAKEN_BACK.replace("r=0", came);
        let summary = with_guest(&[HANDLER, FORWARDED, &taken_back, FORWARDED, TAKEN_BACK]).0.expect("agreement");
        assert_eq!((summary.compared, summary.refused), (11 + 7, 2));
    }
}

#[test]
fn interrupts_that_go_elsewhere_are_found() {
    let (found, line) = with_guest(&[HANDLER, FORWARDED, FORWARDED]);
    assert_found(found, line + 2, &["VcpuForwardIrq", "the kernel accepts", "refuses with DeleteFirst"]);
    let (found, line) = with_guest(&[HANDLER, FORWARDED, TAKEN_BACK, KEPT]);
    assert_found(found, line + 3, &["the kernel refuses with DeleteFirst", "accepts"]);
    let (found, line) = with_guest(&[HANDLER, FORWARDED, &TAKEN_BACK.replace("r=0", "r=3")]);
    assert_found(found, line + 2, &["VcpuTakeBackIrq", "accepts and answers [0]"]);
    let (found, line) = with_guest(&[HANDLER, &TAKEN_BACK.replace("r=0", "r=1")]);
    assert_found(found, line + 1, &["the kernel accepts", "refuses with InvalidArgument"]);
    let (found, line) = with_guest(&[HANDLER, FORWARDED, &TAKEN_BACK.replace("r=0", "r=1"), KEPT]);
    assert_found(found, line + 3, &["the kernel refuses with DeleteFirst", "accepts"]);
    let (found, line) = with_guest(&[HANDLER, TAKEN_BACK]);
    assert_found(found, line + 1, &["the kernel accepts", "refuses with InvalidArgument"]);
}

const CD_TABLE: &str = "call 7fffe800 7ff47e20 4c 0 w=406000,35000000 c= r=";
const INVALIDATE: &str = "call 7fffe800 7ff47e20 4e 0 w=1,2000000000011,0 c= r=";
const NO_CD_TABLE: &str = "call 7fffe800 7ff47e20 4d 0 w= c= r=";

fn with_stage1(calls: &[&str]) -> (Result<Summary, Disagreement>, usize) {
    (with(BIND, &[&[BIND], calls].concat()), number(BIND) + 1)
}

#[test]
fn a_holders_stage_1_agrees() {
    let again = CD_TABLE.replace("4c 0", "4c 8");
    let (two, bad) = (INVALIDATE.replace("4e 0", "4e 7"), "call 7fffe800 7ff47e20 4e 1 w=1,1,0 c= r=0");
    let calls = [CD_TABLE, &again, INVALIDATE, &two.replace("w=1", "w=2"), bad, NO_CD_TABLE];
    let summary = with_stage1(&calls).0.expect("agreement");
    assert_eq!((summary.compared, summary.refused), (11 + 3, 2 + 3));
}

#[test]
fn a_stage_1_that_is_not_there_is_found() {
    let (found, line) = with_stage1(&[INVALIDATE]);
    assert_found(found, line, &["CbInvalidateStage1", "the kernel accepts", "refuses with IllegalOperation"]);
    let (found, line) = with_stage1(&[CD_TABLE, NO_CD_TABLE, INVALIDATE]);
    assert_found(found, line + 2, &["the kernel accepts", "refuses with IllegalOperation"]);
    let (found, line) = with_stage1(&[CD_TABLE, CD_TABLE]);
    assert_found(found, line + 1, &["CbAssignCdTable", "refuses with DeleteFirst"]);
    let (found, line) = with_stage1(&[CD_TABLE, &INVALIDATE.replace("11,0", "30,0")]);
    assert_found(found, line + 1, &["the kernel accepts", "refuses with InvalidArgument [0]"]);
}

#[test]
fn malformed_and_misplaced_lines_are_found() {
    assert_found(with(UNMAPPED, &["event 10 10"]), number(UNMAPPED), &["malformed: no IOVA"]);
    assert_found(with(UNMAPPED, &["table 0 100"]), number(UNMAPPED), &["before the start"]);
    assert_found(with("start 7fffe800", &[]), number("start 7fffe800"), &["after the start"]);
    assert_found(replay("", 1), 0, &["before the first thread starts"]);
}

//! Long sequences at random. A failing one is shrunk, and its seed is kept beside this file to start from next time.

use proptest::prelude::*;

use crate::scope::{
    CAPABILITIES, DEVICES, EXITS, FORWARDED, GUESTS, IPC, MEMORY, SINGLE, STAGE1, STREAMS, Scope, THREADS,
};
use crate::system::System;

/// Invocations of one sequence.
const LENGTH: usize = 60;

fn run(scope: &Scope, choices: &[usize]) {
    let mut system: System = scope.start(false);
    for choice in choices {
        let alphabet = (scope.alphabet)(&system);
        // What is not possible is skipped.
        let _ = system.act(&alphabet[choice % alphabet.len()]);
    }
}

fn choices() -> impl Strategy<Value = Vec<usize>> {
    proptest::collection::vec(0..1000usize, 1..LENGTH)
}

fn config() -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(48);
    ProptestConfig { cases, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn capabilities_agree_in_long_sequences(choices in choices()) {
        run(&CAPABILITIES, &choices);
    }

    #[test]
    fn memory_agrees_in_long_sequences(choices in choices()) {
        run(&MEMORY, &choices);
    }

    #[test]
    fn stage_1_agrees_in_long_sequences(choices in choices()) {
        run(&STAGE1, &choices);
    }

    #[test]
    fn one_stage_agrees_in_long_sequences(choices in choices()) {
        run(&SINGLE, &choices);
    }

    #[test]
    fn devices_agree_in_long_sequences(choices in choices()) {
        run(&DEVICES, &choices);
    }

    #[test]
    fn guests_agree_in_long_sequences(choices in choices()) {
        run(&GUESTS, &choices);
    }

    #[test]
    fn exits_agree_in_long_sequences(choices in choices()) {
        run(&EXITS, &choices);
    }

    #[test]
    fn forwarded_interrupts_agree_in_long_sequences(choices in choices()) {
        run(&FORWARDED, &choices);
    }

    #[test]
    fn ipc_agrees_in_long_sequences(choices in choices()) {
        run(&IPC, &choices);
    }

    #[test]
    fn threads_agree_in_long_sequences(choices in choices()) {
        run(&THREADS, &choices);
    }

    #[test]
    fn streams_agree_in_long_sequences(choices in choices()) {
        run(&STREAMS, &choices);
    }
}

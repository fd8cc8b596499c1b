//! `conformance TRACE`: replays a log against the abstract machine.
#![forbid(unsafe_code)]

use std::process::ExitCode;

/// Calls between two evaluations of all invariants.
const CALLS_A_CHECK: u64 = 256;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [path] = arguments.as_slice() else {
        eprintln!("usage: conformance TRACE");
        return ExitCode::from(2);
    };
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => {
            eprintln!("error: cannot read {path}: {error}");
            return ExitCode::from(2);
        }
    };
    match sluice_conformance::replay(&text, CALLS_A_CHECK) {
        Ok(summary) => {
            println!("{summary}");
            ExitCode::SUCCESS
        }
        Err(disagreement) => {
            println!("{path}:{disagreement}");
            ExitCode::FAILURE
        }
    }
}

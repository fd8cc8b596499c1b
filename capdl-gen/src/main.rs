//! The command `capdl-gen`.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use capdl_gen::cli::{Arguments, run};
use clap::Parser as _;

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(text) => {
            let text = text.trim_end();
            eprintln!("{text}");
            ExitCode::FAILURE
        }
    }
}

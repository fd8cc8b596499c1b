//! The program. Arguments: `role`, which says what it does; `deaths`, lives of the mortal server that end, but for the last.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod clients;
#[cfg(target_os = "none")]
mod server;
#[cfg(target_os = "none")]
mod program {
    use sluice_rt::{Env, RtError, check};

    use crate::{clients, server};

    /// The channel of the server that dies.
    pub(crate) const MORTAL: &str = "mortal";
    /// The channel of the one that lives.
    pub(crate) const STEADY: &str = "steady";

    sluice_rt::entry!(main);

    fn main(env: &Env) {
        let outcome: Result<(), RtError> = match env.arg("role") {
            Some("mortal") => server::run(env, MORTAL),
            Some("steady") => server::run(env, STEADY),
            Some("kill") => clients::kill(env),
            Some("queue") => clients::queue(env),
            Some("wait") => clients::wait(env),
            role => panic!("there is no role {role:?}"),
        };
        if let Err(error) = outcome {
            check!("role", false, "{error}");
        }
    }

    /// Lives of the mortal server that are followed by another.
    pub(crate) fn deaths(env: &Env) -> u64 {
        env.arg("deaths").and_then(|text| text.parse().ok()).unwrap_or(0)
    }
}

#[cfg(not(target_os = "none"))]
fn main() {}

//! The life of a guest.

use sluice_rt::Env;

/// The component's main function.
pub(crate) fn run(env: &Env) {
    panic!("{}: guests do not run yet", env.name());
}

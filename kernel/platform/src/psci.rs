//! How firmware is called (binding "arm,psci").

use crate::tree::{Tree, text};
use crate::{MachineError, Problem};

/// The instruction that reaches firmware.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Conduit {
    /// `smc`.
    Smc,
    /// `hvc`.
    Hvc,
}

/// The PSCI conduit; none when the machine has no PSCI.
pub(crate) fn psci(tree: Tree<'_>) -> Result<Option<Conduit>, MachineError<'_>> {
    let versions = ["arm,psci-1.0", "arm,psci-0.2", "arm,psci"];
    let is_psci = |name: &str| versions.contains(&name);
    let Some(node) = tree.find(|node| node.compatible().any(is_psci) && node.is_available()) else { return Ok(None) };
    match text(node.required("method")?) {
        Some("smc") => Ok(Some(Conduit::Smc)),
        Some("hvc") => Ok(Some(Conduit::Hvc)),
        Some(found) => Err(node.error("method", Problem::Unsupported { found, wanted: "\"smc\" and \"hvc\"" })),
        None => Err(node.error("method", Problem::NoString)),
    }
}

//! Labels of messages to the timer server's endpoint.

/// Sets the client's one alarm: MR0 = when, in ticks of CNTVCT_EL0 as native threads read it, or [`NEVER`]. It takes
/// the place of the one before. Answered at once, with label 0; once the moment has come, which may be before the
/// answer, the server raises the client's signal [`CHANNEL`].
pub const SET: u64 = 0x210;
/// No alarm.
pub const NEVER: u64 = u64::MAX;
/// Name of the channel to the timer server, and of the signal it raises.
pub const CHANNEL: &str = "timer";

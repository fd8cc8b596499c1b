//! Labels of messages to the console server's endpoint.

/// Bytes to print: MR0 = count (at most [`MAX_BYTES`]), then eight bytes to a word, lowest first.
pub const WRITE: u64 = 0x200;
/// Most bytes of one message.
pub const MAX_BYTES: usize = 8 * 100;
/// Asks for what the operator typed: MR0 = most bytes (more than [`READ_BYTES`] never come). Answered at once with MR0 =
/// count, MR1 = bytes lost since this was last asked, MR2 = whether the client has the terminal, then eight bytes to a
/// word, lowest first. When there is something new to learn from the answer, the server raises the client's signal
/// [`CHANNEL`], if the channel has signals.
pub const READ: u64 = 0x201;
/// Most bytes of an answer to [`READ`].
pub const READ_BYTES: usize = 8 * 32;
/// Name of the channel to the console server, and of the signal it raises.
pub const CHANNEL: &str = "console";

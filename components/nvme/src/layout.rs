//! Where the driver's structures lie in the memory it shares with the controller.
//!
//! Each queue starts on a page, as a contiguous queue must. A command's PRP list has the place its identifier names, so
//! a list is free exactly when its command is.

use crate::command::LOG_ERROR_BYTES;
use crate::error::Error;
use crate::ids::{CommandId, MAX_OUTSTANDING};
use crate::prp::PAGE;

/// Most entries of the I/O queues: one page of submissions.
pub const IO_ENTRIES: u16 = 64;
/// Number of the one I/O queue pair.
pub const IO_QUEUE: u16 = 1;
/// Entries of the admin queues; the driver has one admin command outstanding at a time.
pub const ADMIN_ENTRIES: u16 = 16;
/// The admin submission queue.
pub const ADMIN_SUBMISSION: u64 = 0;
/// The admin completion queue.
pub const ADMIN_COMPLETION: u64 = PAGE;
/// The I/O submission queue.
pub const IO_SUBMISSION: u64 = 2 * PAGE;
/// The I/O completion queue.
pub const IO_COMPLETION: u64 = 3 * PAGE;
/// The page that Identify and Get Log Page fill.
pub const ANSWER: u64 = 4 * PAGE;
const LISTS: u64 = 5 * PAGE;
/// Entries of one PRP list; eight lists share a page and none crosses one.
pub const LIST_ENTRIES: usize = 64;
const LIST_BYTES: u64 = 8 * LIST_ENTRIES as u64;
/// Bytes of everything.
pub const BYTES: u64 = LISTS + MAX_OUTSTANDING as u64 * LIST_BYTES;
/// Most bytes of one transfer: one that starts inside a page touches one page more than the list has entries.
pub const MAX_TRANSFER: u64 = LIST_ENTRIES as u64 * PAGE;

const _: () = assert!(IO_ENTRIES as u64 * 64 <= PAGE);
const _: () = assert!(IO_ENTRIES <= MAX_OUTSTANDING + 1);
const _: () = assert!(PAGE.is_multiple_of(LIST_BYTES));
const _: () = assert!(LOG_ERROR_BYTES as u64 <= PAGE);

/// Offset of the list of command `id`.
#[must_use]
pub const fn list(id: CommandId) -> u64 {
    LISTS + id.index() as u64 * LIST_BYTES
}

/// Checks that memory of `given` bytes holds everything.
///
/// # Errors
/// [`Error::Memory`] when it does not.
pub const fn check(given: u64) -> Result<(), Error> {
    if given < BYTES {
        return Err(Error::Memory { needed: BYTES, given });
    }
    Ok(())
}

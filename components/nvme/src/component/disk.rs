//! What the component does with the disk it reads.

use sluice_abi::Iova;
use sluice_nvme::prp::{PAGE, Pointers};
use sluice_nvme::{Data, Error, Operation, Status, job, status, stream};
use sluice_rt::{check, println};

use super::faults::Access;
use super::hardware::Disk;

/// Reads and hashes all of it, then does what must fail, and reads again.
pub(crate) fn run(disk: &mut Disk) -> Result<(), Error> {
    read_whole(disk)?;
    let before = first_block(disk)?;
    read_beyond_the_end(disk)?;
    let astray = disk.faults.out_of_reach();
    list_at(disk, ["disk-list-out-of-reach", "disk-list-fault"], astray)?;
    data_to(disk, "disk-data-fault", astray.offset(PAGE))?;
    let after = first_block(disk)?;
    check!("disk-goes-on", after == before, "block 0 reads as before the refused commands");
    Ok(())
}

fn read_whole(disk: &mut Disk) -> Result<(), Error> {
    let bytes = disk.controller.namespace().bytes();
    let mut tenths = job::Tenths::of(bytes);
    let (digest, summary) =
        job::hash_all(&mut disk.controller, &mut disk.interrupt, &disk.buffer, disk.plan, |done| {
            if let Some(percent) = tenths.reached(done) {
                println!("read {percent} % of {} MiB", bytes >> 20);
            }
        })?;
    println!("SHA256 {digest} {}", summary.bytes);
    check!(
        "disk-read-whole",
        summary.bytes == bytes,
        "{} of {bytes} bytes in {} commands of {} bytes",
        summary.bytes,
        summary.commands,
        disk.plan.chunk
    );
    check!("disk-queue-depth", summary.deepest >= 32, "{} commands in flight at once", summary.deepest);
    check!(
        "disk-interrupts",
        summary.interrupts > 0,
        "waited for {} interrupts, {} commands ended",
        summary.interrupts,
        summary.commands
    );
    Ok(())
}

fn first_block(disk: &mut Disk) -> Result<job::Digest, Error> {
    job::hash_block(&mut disk.controller, &mut disk.interrupt, &disk.buffer, 0)
}

fn read_beyond_the_end(disk: &mut Disk) -> Result<(), Error> {
    let lba = disk.controller.namespace().blocks;
    let read = Operation::Read { lba, blocks: 1, data: Data::At(disk.plan.iova) };
    let ended = stream::single(&mut disk.controller, &mut disk.interrupt, read)?;
    let refused = ended.is_err_and(|status| status.kind == status::LBA_OUT_OF_RANGE);
    check!("disk-beyond-end", refused, "read of block {lba}: {}", Ended(ended));
    Ok(())
}

/// A read whose list of pages lies where the controller reaches nothing: it cannot even find out where the data goes.
pub(super) fn list_at(disk: &mut Disk, [ending, fault]: [&str; 2], list: Iova) -> Result<(), Error> {
    let blocks = ((3 * PAGE) >> disk.controller.namespace().block_bits) as u32;
    let data = Data::Through(Pointers { first: disk.plan.iova, second: list });
    let read = Operation::Read { lba: 0, blocks, data };
    let ended = stream::single(&mut disk.controller, &mut disk.interrupt, read)?;
    let refused = ended.is_err_and(|status| status.kind == status::DATA_TRANSFER);
    check!(ending, refused, "page list at {list}: {}", Ended(ended));
    disk.faults.check_recorded(fault, list, Access::Read);
    Ok(())
}

/// A log page that goes where the controller reaches nothing. Controllers differ in whether they notice; the SMMU does.
pub(super) fn data_to(disk: &mut Disk, fault: &str, at: Iova) -> Result<(), Error> {
    match disk.controller.log_to(at, 4) {
        Ok(()) | Err(Error::Command { .. }) => {}
        Err(error) => return Err(error),
    }
    disk.faults.check_recorded(fault, at, Access::Write);
    Ok(())
}

/// How a command ended.
struct Ended(Result<(), Status>);

impl core::fmt::Display for Ended {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self.0 {
            Ok(()) => f.write_str("success"),
            Err(status) => status.fmt(f),
        }
    }
}

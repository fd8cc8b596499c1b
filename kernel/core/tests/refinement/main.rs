//! The kernel and its abstract machine, step by step, on a machine whose SMMU and CPU are models.
//!
//! Everything that happens is done twice: to the abstract machine, on sets and maps, and to the kernel, on objects, lists
//! and tables. Afterwards the abstraction of the kernel's state must be the abstract machine's state; in between, after each
//! store and each register write, no device and no CPU may reach what neither the state before nor the state after lets
//! it reach.

mod abstraction;
mod boot;
mod confined;
mod exhaustive;
mod fuzz;
mod input;
mod machine;
mod message;
mod nested;
mod preempted;
mod random;
mod scope;
mod seeded;
mod stage1;
mod system;
mod watch;

#[path = "../kernel/machine/objects.rs"]
#[expect(dead_code, reason = "shared with the kernel's other tests, which use all of it")]
mod objects;

//! Whose the kernel's code is, from its symbols.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use object::{Object, ObjectSection};

use crate::symbols::Symbols;

/// What is of no crate: entry and exceptions.
const ASSEMBLY: &str = "assembly";

/// Bytes of `.text` by crate, the largest first. What was inlined counts where it was inlined.
///
/// # Errors
/// When the file does not read.
pub(super) fn text_by_crate(elf: &[u8]) -> Result<Vec<(String, u64)>> {
    let file = object::File::parse(elf).context("the kernel is no ELF file")?;
    let text = file.section_by_name(".text").context("the kernel has no .text")?;
    let symbols = Symbols::of(elf)?.starts;
    let starts: Vec<u64> = symbols.keys().copied().collect();
    let ends = starts.iter().copied().skip(1).chain([text.address() + text.size()]);
    let mut sizes: BTreeMap<String, u64> = BTreeMap::new();
    for (name, (start, end)) in symbols.values().zip(starts.iter().copied().zip(ends)) {
        *sizes.entry(crate_of(name).to_owned()).or_default() += end - start;
    }
    let before = starts.first().map_or(0, |first| first - text.address());
    *sizes.entry(ASSEMBLY.to_owned()).or_default() += before;
    let mut sizes: Vec<(String, u64)> = sizes.into_iter().collect();
    sizes.sort_by(|left, right| right.1.cmp(&left.1).then_with(|| left.0.cmp(&right.0)));
    Ok(sizes)
}

/// The crate a function was written in; of an implementation for a type of the language, the trait's.
fn crate_of(function: &str) -> &str {
    let path = function.trim_start_matches(['<', '&', '*']);
    let path = ["dyn ", "mut ", "const "].iter().find_map(|word| path.strip_prefix(word)).unwrap_or(path);
    let of = |path| {
        let (name, _) = str::split_once(path, "::")?;
        name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_').then_some(name)
    };
    let whole = |name: &str| match name {
        "memcpy" | "memmove" | "memset" | "memcmp" | "bcmp" => Some("compiler_builtins"),
        _ => name.starts_with("sluice_").then_some("sluice_kernel"),
    };
    let of_trait = || path.split_once(" as ").and_then(|(_, path)| of(path));
    of(path).or_else(of_trait).or_else(|| whole(path)).unwrap_or(ASSEMBLY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_belong_to_the_crate_that_wrote_them() {
        for (function, name) in [
            ("sluice_core::sched::Scheduler::add", "sluice_core"),
            ("<sluice_kernel::machine::Machine as sluice_core::hal::Hal>::trace", "sluice_kernel"),
            ("<&mut W as core::fmt::Write>::write_str", "core"),
            ("<u64 as core::fmt::Display>::fmt", "core"),
            ("<dyn sluice_smmu::Bus>::x", "sluice_smmu"),
            ("core::fmt::write", "core"),
            ("memset", "compiler_builtins"),
            ("save_user", ASSEMBLY),
            ("sluice_synchronous", "sluice_kernel"),
        ] {
            assert_eq!(crate_of(function), name, "{function}");
        }
    }

    #[test]
    fn what_is_no_elf_file_is_refused() {
        assert!(text_by_crate(b"no").is_err());
    }
}

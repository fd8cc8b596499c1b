//! Links the fuzzer at a fixed address, in pages of the kernel's size: what `capdl-gen` flattens is what runs.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("none") {
        for argument in ["--image-base=0x400000", "-z", "max-page-size=4096", "--no-dynamic-linker", "-no-pie"] {
            println!("cargo::rustc-link-arg-bins={argument}");
        }
    }
}

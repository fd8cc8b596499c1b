//! Build script that every component names in its `Cargo.toml`: how the program is linked for the target.
//!
//! One static executable at a fixed address with 4 KiB pages, which is what the root task maps segment by segment.

fn main() {
    println!("cargo::rerun-if-env-changed=CARGO_CFG_TARGET_OS");
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("none") {
        for argument in ["--image-base=0x400000", "-zmax-page-size=4096", "--no-pie", "-static"] {
            println!("cargo::rustc-link-arg-bins={argument}");
        }
    }
}

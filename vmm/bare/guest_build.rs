//! Build script that every guest names in its `Cargo.toml`: it is linked as what it is loaded as, a flat arm64 `Image`.

fn main() {
    println!("cargo::rerun-if-changed=../bare/link.ld");
    println!("cargo::rerun-if-env-changed=CARGO_CFG_TARGET_OS");
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("none") {
        let folder = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
        let script = format!("-T{folder}/../bare/link.ld");
        for argument in [&script, "--no-pie", "-static", "--oformat=binary", "--build-id=none"] {
            println!("cargo::rustc-link-arg-bins={argument}");
        }
    }
}

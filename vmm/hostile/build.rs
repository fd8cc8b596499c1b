//! Links the guest as what it is loaded as: a flat arm64 `Image`.

fn main() {
    println!("cargo::rerun-if-changed=link.ld");
    println!("cargo::rerun-if-env-changed=CARGO_CFG_TARGET_OS");
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("none") {
        let folder = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
        for argument in [&format!("-T{folder}/link.ld"), "--no-pie", "-static", "--oformat=binary"] {
            println!("cargo::rustc-link-arg-bins={argument}");
        }
    }
}

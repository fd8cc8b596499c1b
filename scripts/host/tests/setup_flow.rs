//! `scripts/setup` on machines of several kinds, made of stand-ins for the programs that it calls.
//!
//! The script is copied with the machine's paths replaced by those of a folder; its `PATH` holds stand-ins that note how
//! they were called and leave behind what the real ones would.
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use sluice_scripts::toolchain::TARGET;
use sluice_scripts::tree::Tree;

/// What the script may use of the machine that the test runs on.
const REAL: &[&str] = &[
    "cat", "chmod", "cp", "dirname", "env", "head", "id", "ls", "mkdir", "sed", "awk", "grep", "tail", "tee", "timeout",
];

/// A machine, gone with the value.
struct Machine {
    folder: PathBuf,
}

struct Kind {
    name: &'static str,
    os: &'static str,
    qemu: &'static str,
    rust_packages: &'static [(&'static str, &'static str)],
    /// What `rustup target add` does; no rustup without it.
    rustup_works: Option<bool>,
}

impl Machine {
    fn new(kind: &Kind) -> Self {
        let folder = std::env::temp_dir().join(format!("sluice-setup-{}-{}", std::process::id(), kind.name));
        let machine = Self { folder };
        let at = |path: &str| machine.folder.join(path);
        for path in ["bin", "usr", "apt/sources.list.d", "tree/scripts", "tree/platforms/qemu-virt", "host/lib/rustlib"]
        {
            fs::create_dir_all(at(path)).expect("a folder");
        }
        fs::create_dir_all(at("web/lib/rustlib/src/rust/library/core")).expect("a folder");
        let tree = Tree::of_this_program().expect("a source tree");
        let copy = |path: &str| fs::read_to_string(tree.root().join(path)).expect("a file of the tree");
        fs::write(at("tree/Cargo.toml"), copy("Cargo.toml")).expect("a file");
        let platform = "platforms/qemu-virt/platform.toml";
        fs::write(at("tree").join(platform), copy(platform)).expect("a file");
        fs::write(at("os-release"), kind.os).expect("a file");
        fs::write(at("apt/sources.list"), "deb http://m.example/debian bookworm main\n").expect("a file");
        let here = machine.folder.display().to_string();
        let setup = copy("scripts/setup")
            .replace("/etc/os-release", &format!("{here}/os-release"))
            .replace("/etc/apt", &format!("{here}/apt"))
            .replace("/usr/bin/", &format!("{here}/usr/"))
            .replace("/usr/sbin/", &format!("{here}/usr/"));
        machine.program("tree/scripts/setup", setup.strip_prefix("#!/bin/sh\n").expect("a shell script"));
        for name in REAL {
            let path = ["/usr/bin", "/bin"].map(|folder| Path::new(folder).join(name));
            let path = path.iter().find(|path| path.exists()).unwrap_or_else(|| panic!("{name} is not here"));
            symlink(path, at("bin").join(name)).expect("a link");
        }
        // Nothing may ask for a password: the stand-in for sudo only runs the command.
        machine.program("bin/sudo", "exec \"$@\"\n");
        machine.program("bin/cargo", "exit 0\n");
        machine.program("bin/cc", "exit 0\n");
        machine.program("bin/rustc", &rustc("99.0.0", &format!("{here}/host")));
        machine.program("bin/apt-get", &apt_get(&here, kind));
        machine.program("bin/apt-cache", &apt_cache(kind));
        if let Some(works) = kind.rustup_works {
            let library = format!("{here}/host/lib/rustlib/{TARGET}/lib");
            let effect = if works { format!("mkdir -p {library}") } else { "exit 1".to_owned() };
            machine.program("bin/rustup", &format!("echo \"rustup $*\" >>{here}/calls\n{effect}\n"));
        }
        machine
    }

    fn program(&self, path: &str, text: &str) {
        let path = self.folder.join(path);
        fs::write(&path, format!("#!/bin/sh\n{text}")).expect("a file");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("a program");
    }

    /// Runs the script: whether it succeeded, what it said, and which packages it asked for.
    fn setup(&self) -> (bool, String, Vec<String>) {
        self.setup_for(&[])
    }

    /// The same with arguments.
    fn setup_for(&self, arguments: &[&str]) -> (bool, String, Vec<String>) {
        let calls = self.folder.join("calls");
        fs::write(&calls, "").expect("a file");
        let output = Command::new("/bin/sh")
            .arg(self.folder.join("tree/scripts/setup"))
            .args(arguments)
            .env_clear()
            .env("PATH", self.folder.join("bin"))
            .output()
            .expect("a shell");
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        let calls = fs::read_to_string(&calls).expect("the calls").lines().map(str::to_owned).collect();
        (output.status.success(), said, calls)
    }

    fn choice(&self) -> String {
        fs::read_to_string(self.folder.join("tree/build/toolchain")).unwrap_or_default().trim().to_owned()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.folder).ok();
    }
}

fn rustc(version: &str, sysroot: &str) -> String {
    format!("case $1 in --version) echo 'rustc {version} (x)' ;; --print) echo {sysroot} ;; esac\n")
}

fn apt_get(here: &str, kind: &Kind) -> String {
    let version = kind.rust_packages.first().map_or("0", |(_, version)| version);
    let rust = rustc(version, &format!("{here}/web"));
    format!(
        "call=$(echo \"$*\" | sed 's/.*Timeout=120 //; s/--no-install-recommends -y //')\n\
         echo \"$call\" >>{here}/calls\n\
         case $call in\n\
         install*qemu*) printf '#!/bin/sh\\necho QEMU emulator version {qemu}\\n' >{here}/bin/qemu-system-aarch64 ;;\n\
         install*rustc*) cp {here}/bin/cargo {here}/usr/cargo; cat >{here}/usr/rustc <<'END'\n#!/bin/sh\n{rust}END\n;;\n\
         install*e2fsprogs*) for tool in mke2fs e2fsck debugfs; do cp {here}/bin/cargo {here}/usr/$tool; done ;;\n\
         install*lld*) cp {here}/bin/cargo {here}/bin/ld.lld ;;\n\
         esac\n\
         chmod +x {here}/bin/qemu-system-aarch64 {here}/usr/* 2>/dev/null\n\
         exit 0\n",
        qemu = kind.qemu,
    )
}

fn apt_cache(kind: &Kind) -> String {
    let mut cases = format!("qemu-system-arm) echo '  Candidate: 1:{}+ds-1' ;;\n", kind.qemu);
    for (package, version) in kind.rust_packages {
        cases += &format!("{package}) echo '  Candidate: {version}+dfsg1-1~deb12u2' ;;\n");
    }
    format!("case $2 in\n{cases}esac\n")
}

const DEBIAN_12: Kind = Kind {
    name: "debian-12",
    os: "ID=debian\nVERSION_ID=\"12\"\n",
    qemu: "10.0.2",
    rust_packages: &[("rustc-web", "99.0.0"), ("rustc", "1.63.0")],
    rustup_works: Some(false),
};

#[test]
fn debian_12_gets_backports_and_its_own_rust_and_the_second_run_is_silent() {
    let machine = Machine::new(&DEBIAN_12);
    let (good, said, calls) = machine.setup();
    assert!(good, "{said}");
    assert_eq!(
        calls,
        [
            "update",
            "update",
            "install -t bookworm-backports qemu-system-arm",
            &format!("rustup -q target add {TARGET}"),
            "install rustc-web cargo-web rust-web-src",
            "install lld",
        ]
    );
    let added = fs::read_to_string(machine.folder.join("apt/sources.list.d/sluice-backports.list")).unwrap();
    assert_eq!(added, "deb http://m.example/debian bookworm-backports main\n");
    assert_eq!(machine.choice(), "distribution");
    assert_eq!(machine.setup(), (true, String::new(), vec![]));
}

#[test]
fn with_a_working_rustup_nothing_is_taken_from_the_distribution_but_qemu() {
    let os = "ID=debian\nVERSION_ID=\"13\"\n";
    let machine = Machine::new(&Kind { name: "debian-13", os, rustup_works: Some(true), ..DEBIAN_12 });
    let (good, said, calls) = machine.setup();
    assert!(good, "{said}");
    assert_eq!(calls, ["update", "install qemu-system-arm", &format!("rustup -q target add {TARGET}")]);
    assert_eq!(machine.choice(), "host");
    assert_eq!(machine.setup(), (true, String::new(), vec![]));
}

#[test]
fn tests_get_what_they_make_file_systems_with() {
    let os = "ID=debian\nVERSION_ID=\"13\"\n";
    let machine = Machine::new(&Kind { name: "tests", os, rustup_works: Some(true), ..DEBIAN_12 });
    for tool in ["cargo-fmt", "cargo-clippy"] {
        machine.program(&format!("bin/{tool}"), "exit 0\n");
    }
    assert!(machine.setup().0);
    let (good, said, calls) = machine.setup_for(&["--tests"]);
    assert!(good && said.contains("installing e2fsprogs"), "{said}");
    assert_eq!(calls, ["update", "install e2fsprogs"]);
    assert_eq!(machine.setup_for(&["--tests"]), (true, String::new(), vec![]));
}

#[test]
fn a_qemu_that_is_too_old_is_named_and_not_installed() {
    let os = "ID=ubuntu\nVERSION_ID=\"24.04\"\n";
    let machine = Machine::new(&Kind { name: "old-qemu", os, qemu: "8.2.2", ..DEBIAN_12 });
    let (good, said, calls) = machine.setup();
    assert!(!good);
    assert!(said.contains("ubuntu 24.04 offers 8.2.2"), "{said}");
    assert_eq!(calls, ["update"]);
}

#[test]
fn a_rust_that_is_too_old_is_named_and_not_installed() {
    let rust_packages = &[("rustc", "1.85.0")];
    let machine = Machine::new(&Kind { name: "old-rust", rust_packages, rustup_works: None, ..DEBIAN_12 });
    let (good, said, calls) = machine.setup();
    assert!(!good);
    assert!(said.contains("debian 12 offers Rust 1.85.0"), "{said}");
    assert!(calls.iter().all(|call| !call.contains("rustc")), "{calls:?}");
}

#[test]
fn where_there_is_no_apt_the_script_says_what_is_missing() {
    let machine = Machine::new(&Kind { name: "no-apt", os: "ID=other\n", ..DEBIAN_12 });
    fs::remove_file(machine.folder.join("bin/apt-get")).unwrap();
    let (good, said, _) = machine.setup();
    assert!(!good);
    assert!(said.contains("qemu-system-aarch64") && said.contains("has no apt"), "{said}");
}

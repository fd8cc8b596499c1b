//! How a guest finds its root file system (`vmm/guest/root`), with stand-ins for what it calls: the host's shell runs it.
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use sluice_scripts::tree::Tree;

/// What stands in for the kernel and for programs. A device is a file; whatever is mounted is the
/// folder `system`.
const STAND_INS: &str = r#"
place=$here/system
is_device() { [ -f "$1" ]; }
cat() { if [ "$1" = /proc/cmdline ]; then echo "$words"; else command cat "$@"; fi; }
findfs() { [ "$1" = LABEL=there ] && echo "$here/device"; }
sleep() { slept=$((slept + 1)); [ "$slept" != "$after" ] || echo >"$here/late"; }
mount() {
    if [ "$2" = move ]; then moved="$moved$3 "; return; fi
    mounted="$2 $4"
    if [ "$2" != ext4 ]; then echo "unknown filesystem type" >&2; return 1; fi
    echo "$mounted" >"$here/mounted"
}
umount() { echo "umount ${1#"$here/"}"; }
"#;

/// A guest's files, gone with the value.
struct Guest(PathBuf);

impl Guest {
    fn new(name: &str) -> Self {
        let guest = Self(std::env::temp_dir().join(format!("sluice-guest-root-{}-{name}", std::process::id())));
        for folder in ["system/sbin", "system/usr/lib", "system/dev", "system/proc/sys/kernel", "system/sys", "bin"] {
            fs::create_dir_all(guest.at(folder)).expect("a folder");
        }
        fs::write(guest.at("device"), "").expect("a device");
        guest.program("system/usr/lib/systemd");
        // As Debian's: a link of the root file system's own, which leads elsewhere in an initramfs.
        symlink("/usr/lib/systemd", guest.at("system/sbin/init")).expect("a link");
        fs::write(guest.at("bin/switch_root"), "#!/bin/sh\necho \"switch_root $*\"\n").expect("a program");
        guest.mode("bin/switch_root", 0o755);
        guest
    }

    fn at(&self, path: &str) -> PathBuf {
        self.0.join(path)
    }

    fn program(&self, path: &str) {
        fs::write(self.at(path), "").expect("a program");
        self.mode(path, 0o755);
    }

    fn mode(&self, path: &str, mode: u32) {
        fs::set_permissions(self.at(path), fs::Permissions::from_mode(mode)).expect("a mode");
    }

    /// What is said when the kernel's command line has `words`, in which `@` is the guest's folder.
    fn says(&self, words: &str) -> String {
        let script = Tree::of_this_program().expect("a source tree").root().join("vmm/guest/root");
        let here = self.0.display().to_string();
        let source = format!(
            ". {}\n{STAND_INS}\nenter_root \"$(word root)\" 7 single\necho \"slept ${{slept:-0}}\"\n",
            script.display()
        );
        let path = format!("{here}/bin:{}", std::env::var("PATH").expect("a path"));
        let output = Command::new("/bin/sh")
            .args(["-c", &source])
            .env("PATH", path)
            .env("here", &here)
            .env("words", words.replace('@', &here))
            .env("after", "3")
            .env("slept", "0")
            .env("moved", "")
            .output()
            .expect("a shell");
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        said.replace(&here, "@")
    }

    fn mounted(&self) -> String {
        fs::read_to_string(self.at("mounted")).unwrap_or_default()
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

fn is_level_kept(guest: &Guest) -> bool {
    fs::read_to_string(guest.at("system/proc/sys/kernel/printk")).is_ok_and(|level| level == "7\n")
}

#[test]
fn a_root_that_is_there_is_gone_on_from() {
    let guest = Guest::new("there");
    for (words, first, mounted) in [
        ("console=x root=@/device quiet", "/sbin/init", "ext4 ro"),
        ("root=@/nothing root=@/device rw", "/sbin/init", "ext4 rw"),
        ("root=LABEL=there rw rootflags=noatime ro", "/sbin/init", "ext4 ro,noatime"),
        ("root=@/device rootfstype=ext4 init=/usr/lib/systemd", "/usr/lib/systemd", "ext4 ro"),
    ] {
        assert_eq!(guest.says(words), format!("switch_root @/system {first} single\n"), "{words}");
        assert_eq!(guest.mounted(), format!("{mounted}\n"), "{words}");
        assert!(is_level_kept(&guest));
    }
    guest.program("system/sbin/other");
    fs::remove_file(guest.at("system/sbin/init")).unwrap();
    symlink("other", guest.at("system/sbin/init")).unwrap();
    assert!(guest.says("root=@/device").starts_with("switch_root @/system /sbin/init"));
}

#[test]
fn a_device_that_comes_late_is_waited_for_and_no_longer_than_was_said() {
    let guest = Guest::new("late");
    assert_eq!(guest.says("root=@/late rootdelay=1"), "switch_root @/system /sbin/init single\n");
    for (words, seconds) in [("root=@/none rootdelay=2", 2), ("root=@/none", 30), ("root=UUID=other rootdelay=0", 0)] {
        let root = words.split([' ', '=']).skip(1).take_while(|word| !word.starts_with("rootdelay"));
        let root = root.collect::<Vec<_>>().join("=");
        let said =
            format!("init: root={root}: there is no such block device after {seconds} s\nslept {}\n", seconds * 10);
        assert_eq!(guest.says(words), said);
    }
    for wrong in ["x", "-1", "08", ""] {
        let said = guest.says(&format!("root=@/late rootdelay={wrong}"));
        assert_eq!(said, format!("init: root=@/late: rootdelay={wrong} is no number of seconds\nslept 0\n"));
    }
}

#[test]
fn a_root_that_cannot_be_used_is_named_and_left() {
    let guest = Guest::new("wrong");
    let refused = guest.says("root=@/device rootfstype=xfs");
    let said = "init: root=@/device: @/device cannot be mounted as xfs: unknown filesystem type\nslept 0\n";
    assert_eq!(refused, said);
    let no_program = "init: root=@/device: it has no program /sbin/none\numount system\nslept 0\n";
    assert_eq!(guest.says("root=@/device init=/sbin/none"), no_program);
    guest.mode("system/usr/lib/systemd", 0o644);
    let no_program = no_program.replace("none", "init");
    assert_eq!(guest.says("root=@/device"), no_program, "a file that is no program");
    guest.mode("system/usr/lib/systemd", 0o755);
    fs::remove_file(guest.at("system/sbin/init")).unwrap();
    symlink("/sbin/init", guest.at("system/sbin/init")).unwrap();
    assert_eq!(guest.says("root=@/device"), no_program, "a link to itself");
    fs::remove_file(guest.at("system/sbin/init")).unwrap();
    guest.program("system/sbin/init");
    fs::remove_dir(guest.at("system/sys")).unwrap();
    let no_folder = "init: root=@/device: it has no folder /sys\numount system\nslept 0\n";
    assert_eq!(guest.says("root=@/device"), no_folder);
    assert!(!Path::new(&guest.at("system/proc/sys/kernel/printk")).exists());
}

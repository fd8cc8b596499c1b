//! `scripts/setup` derives the source of bookworm-backports from whatever sources a machine has.

use std::path::PathBuf;
use std::process::{Command, Output};

use sluice_scripts::tree::Tree;

/// An `/etc/apt` of our own, gone with the value.
struct Apt(PathBuf);

impl Apt {
    fn with(name: &str, files: &[(&str, &str)]) -> Self {
        let folder = std::env::temp_dir().join(format!("sluice-apt-{}-{name}", std::process::id()));
        std::fs::create_dir_all(folder.join("sources.list.d")).expect("a folder");
        for (file, text) in files {
            std::fs::write(folder.join(file), text).expect("a file");
        }
        Self(folder)
    }

    fn derive(&self) -> Output {
        let tree = Tree::of_this_program().expect("a source tree");
        let setup = tree.root().join("scripts/setup");
        Command::new(setup).arg("--print-backports").arg(&self.0).output().expect("scripts/setup")
    }

    fn derived(&self) -> String {
        let output = self.derive();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    }
}

impl Drop for Apt {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

#[test]
fn a_deb822_source_keeps_its_mirror_and_key() {
    let apt = Apt::with(
        "deb822",
        &[(
            "sources.list.d/debian.sources",
            "Types: deb\n# a snapshot\nURIs: http://mirror.example/debian\nSuites: bookworm bookworm-updates\n\
             Components: main contrib\nSigned-By: /usr/share/keyrings/debian.gpg\n\nTypes: deb\n\
             URIs: http://mirror.example/debian-security\nSuites: bookworm-security\nComponents: main\n",
        )],
    );
    assert_eq!(
        apt.derived(),
        "Types: deb\nSuites: bookworm-backports\nComponents: main\nURIs: http://mirror.example/debian\n\
         Signed-By: /usr/share/keyrings/debian.gpg\n"
    );
}

#[test]
fn a_key_inside_the_source_is_kept_line_by_line() {
    let apt = Apt::with(
        "key",
        &[(
            "sources.list.d/own.sources",
            "Types: deb deb-src\nSuites:\n bookworm\nURIs: https://m.example/debian/\nComponents: main\n\
             Signed-By:\n -----BEGIN-----\n .\n abc\n",
        )],
    );
    assert_eq!(
        apt.derived(),
        "Types: deb\nSuites: bookworm-backports\nComponents: main\nURIs: https://m.example/debian/\n\
         Signed-By:\n -----BEGIN-----\n .\n abc\n"
    );
}

#[test]
fn a_one_line_source_keeps_its_options() {
    let apt = Apt::with(
        "line",
        &[(
            "sources.list",
            "# deb http://old.example/debian bookworm main\ndeb-src http://m.example/debian bookworm main\n\
             deb [arch=amd64 signed-by=/k.gpg] http://m.example/debian bookworm main non-free # here\n",
        )],
    );
    assert_eq!(apt.derived(), "deb [arch=amd64 signed-by=/k.gpg] http://m.example/debian bookworm-backports main\n");
}

#[test]
fn another_archive_with_the_suites_name_is_not_taken_for_debian() {
    let apt = Apt::with(
        "other",
        &[
            ("sources.list.d/a.list", "deb https://tools.example bookworm main\n"),
            ("sources.list.d/z.list", "deb http://m.example/debian bookworm main\n"),
        ],
    );
    assert_eq!(apt.derived(), "deb http://m.example/debian bookworm-backports main\n");
}

#[test]
fn nothing_is_made_up_where_there_is_no_source() {
    let disabled = "Enabled: no\nTypes: deb\nURIs: http://m.example/debian\nSuites: bookworm\nComponents: main\n";
    let apt = Apt::with(
        "none",
        &[
            ("sources.list", "deb http://m.example/debian trixie main\ndeb http://m.example/x bookworm contrib\n"),
            ("sources.list.d/a.sources", disabled),
        ],
    );
    let output = apt.derive();
    assert!(!output.status.success() && output.stdout.is_empty());
    assert!(String::from_utf8_lossy(&output.stderr).contains("no source of Debian bookworm"));
}

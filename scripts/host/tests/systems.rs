//! The systems in the tree are ones that the scripts can boot and judge.

use sluice_scripts::qemu::placeholders;
use sluice_scripts::tree::{System, Tree};
use sluice_scripts::{expectation, run, trace};

#[test]
fn every_checked_system_reads() {
    let tree = Tree::of_this_program().expect("a source tree");
    let systems = tree.checked_systems().expect("the systems");
    assert!(systems.len() >= 2, "{systems:?}");
    for system in systems {
        let list = expectation::read_file(&system.checks()).unwrap_or_else(|error| panic!("{error:#}"));
        assert!(!list.is_empty());
        trace::wanted(&system).unwrap_or_else(|error| panic!("{error:#}"));
        let platform = system.platform_name().unwrap_or_else(|error| panic!("{error:#}"));
        tree.platform(&platform).unwrap_or_else(|error| panic!("{error:#}"));
        let devices = std::fs::read_to_string(system.devices()).expect("the system's devices");
        for name in placeholders(&devices).unwrap_or_else(|error| panic!("{error:#}")) {
            assert!(run::PLACEHOLDERS.contains(&name.as_str()), "{}: nothing makes ${{{name}}}", system.name);
        }
    }
}

#[test]
fn a_terminal_is_for_systems_whose_components_hear_what_is_typed() {
    let console = |name: &str| {
        let tree = Tree::of_this_program().expect("a source tree");
        System::at(&tree.root().join(format!("systems/{name}.toml"))).and_then(|system| system.console())
    };
    for name in ["linux", "linux-s2", "linux-nested", "linux-root", "linux-typing", "two-guests", "typing"] {
        assert_eq!(console(name).expect(name), "console");
    }
    let refused = console("hostile-guest").expect_err("without `notify`").to_string();
    assert!(refused.contains("[channel.console] needs `notify = true`"), "{refused}");
}

//! Where this machine gets Debian's packages: the same mirror and key serve for another suite and architecture.

use std::path::{Path, PathBuf};

/// The suites that have the kernels of [`super::SERIES`].
const SUITES: &str = "bookworm bookworm-backports";
/// Debian's own mirror and key, for a machine whose sources name none but that trusts Debian.
const MIRROR: &str = "http://deb.debian.org/debian";
const KEYRINGS: [&str; 2] =
    ["/usr/share/keyrings/debian-archive-keyring.gpg", "/usr/share/keyrings/debian-archive-keyring.pgp"];

/// The suites whose sources tell of a mirror of Debian's archive.
const KNOWN: [&str; 8] = ["bookworm", "trixie", "forky", "sid", "stable", "testing", "unstable", "oldstable"];

/// A source in deb822 form with which APT gets [`SUITES`], from the sources in `etc` (for example `/etc/apt`), else from
/// Debian itself when its key is on this machine.
#[must_use]
pub(super) fn derive(etc: &Path) -> Option<String> {
    let texts: Vec<(bool, String)> = files(etc)
        .into_iter()
        .filter_map(|path| {
            let is_deb822 = path.extension().is_some_and(|extension| extension == "sources");
            Some((is_deb822, std::fs::read_to_string(path).ok()?))
        })
        .collect();
    let found = texts.iter().find_map(|(is_deb822, text)| if *is_deb822 { deb822(text) } else { one_line(text) });
    found.or_else(|| {
        let keyring = KEYRINGS.iter().find(|path| Path::new(path).exists())?;
        Some(stanza(MIRROR, &[format!("Signed-By: {keyring}")]))
    })
}

/// The files of sources, those that an installer writes first.
fn files(etc: &Path) -> Vec<PathBuf> {
    let parts = etc.join("sources.list.d");
    let mut others: Vec<PathBuf> =
        std::fs::read_dir(&parts).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    others.retain(|path| path.extension().is_some_and(|extension| extension == "list" || extension == "sources"));
    others.sort();
    [etc.join("sources.list"), parts.join("debian.sources")].into_iter().chain(others).collect()
}

fn stanza(uri: &str, rest: &[String]) -> String {
    let mut text = format!("Types: deb\nURIs: {uri}\nSuites: {SUITES}\nComponents: main\n");
    rest.iter().for_each(|line| text.extend([line.as_str(), "\n"]));
    text
}

/// Whether a source of this suite at this address is Debian's archive, and not one that borrows a suite's name.
fn is_debian(uri: &str, suite: &str) -> bool {
    KNOWN.contains(&suite) && (uri.trim_end_matches('/').ends_with("/debian") || uri.starts_with("mirror"))
}

fn deb822(text: &str) -> Option<String> {
    text.split("\n\n").find_map(|stanza_text| {
        let mut fields: Vec<(String, String)> = Vec::new();
        for line in stanza_text.lines().filter(|line| !line.starts_with('#')) {
            match (line.starts_with([' ', '\t']), fields.last_mut(), line.split_once(':')) {
                (true, Some((_, value)), _) => value.extend(["\n", line]),
                (false, _, Some((name, value))) => fields.push((name.to_ascii_lowercase(), value.trim().to_owned())),
                _ => {}
            }
        }
        let words = |name: &str| {
            let value = fields.iter().find(|(field, _)| field == name).map_or("", |(_, value)| value.as_str());
            value.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
        };
        let is = |name: &str, word: &str| words(name).iter().any(|found| found == word);
        let is_off = words("enabled").first().is_some_and(|word| word.eq_ignore_ascii_case("no"));
        let uri = words("uris").into_iter().next()?;
        if is_off || !is("types", "deb") || !is("components", "main") {
            return None;
        }
        words("suites").iter().find(|suite| is_debian(&uri, suite))?;
        // What else is said of the archive holds for all of it; what is said of architectures does not hold here.
        const OWN: [&str; 6] = ["types", "uris", "suites", "components", "enabled", "architectures"];
        let rest = fields.iter().filter(|(name, _)| !OWN.contains(&name.as_str()));
        Some(stanza(&uri, &rest.map(|(name, value)| format!("{name}: {value}")).collect::<Vec<_>>()))
    })
}

fn one_line(text: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let line = line.split('#').next().unwrap_or_default().trim();
        let mut line = line.strip_prefix("deb")?.strip_prefix([' ', '\t'])?.trim_start();
        let mut options = Vec::new();
        if let Some((inside, behind)) = line.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            line = behind.trim_start();
            for (name, value) in inside.split_whitespace().filter_map(|option| option.split_once('=')) {
                match name {
                    "arch" => {}
                    "signed-by" => options.push(format!("Signed-By: {}", value.replace(',', " "))),
                    other => options.push(format!("{other}: {value}")),
                }
            }
        }
        let mut words = line.split_whitespace();
        let (uri, suite) = (words.next()?, words.next()?);
        (is_debian(uri, suite) && words.any(|word| word == "main")).then(|| stanza(uri, &options))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str =
        "Types: deb\nURIs: http://m.example/debian\nSuites: bookworm bookworm-backports\nComponents: main\n";

    #[test]
    fn a_deb822_source_keeps_its_mirror_key_and_options() {
        let text = "Types: deb\nURIs: http://x.example/apt\nSuites: bookworm\nComponents: main\n\n# a comment\nTypes: deb deb-src\n\
                    URIs: http://m.example/debian\nSuites: trixie trixie-updates\nComponents: main contrib\nArchitectures: amd64\n\
                    Enabled: yes\nSigned-By:\n -----BEGIN\n .\n abc\nTrusted: no\n";
        assert_eq!(deb822(text).unwrap(), format!("{HEAD}signed-by: \n -----BEGIN\n .\n abc\ntrusted: no\n"));
    }

    #[test]
    fn sources_that_are_off_without_main_of_source_code_or_of_others_are_passed_over() {
        let good = "Types: deb\nURIs: http://m.example/debian/\nSuites: bookworm\nComponents: main\n";
        assert!(deb822(good).is_some());
        for (from, to) in [
            ("deb\n", "deb-src\n"),
            ("debian/", "debian-security"),
            ("bookworm", "bookworm-updates"),
            ("main", "contrib"),
            ("Types", "Enabled: no\nTypes"),
        ] {
            assert_eq!(deb822(&good.replacen(from, to, 1)), None, "{to}");
        }
    }

    #[test]
    fn a_source_of_one_line_does_as_well() {
        let text = "# deb http://a.example/debian bookworm main\ndeb-src http://b.example/debian bookworm main\n\
                    deb http://c.example/ubuntu noble main\n\
                    deb [arch=amd64 signed-by=/k.gpg trusted=no]  http://m.example/debian bookworm contrib main # x\n";
        assert_eq!(one_line(text).unwrap(), format!("{HEAD}Signed-By: /k.gpg\ntrusted: no\n"));
        assert_eq!(one_line("debian\ndeb\ndeb [\ndeb [a=b] x"), None);
    }
}

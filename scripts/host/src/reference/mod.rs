//! Writes `docs/reference`: the interface of the kernel as `kernel/abi` has it.
//!
//! Nothing is described here that could be described beside its number: these files only arrange it.

mod boot;
mod errors;
mod faults;
mod invocations;
mod messages;
mod objects;
mod registers;
mod smmu;
mod system_calls;

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::tree::Tree;

/// One generated file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Page {
    /// Its name in `docs/reference`.
    pub name: &'static str,
    /// What it is about, for the index.
    about: &'static str,
    /// Its content.
    pub text: String,
}

/// Every file of the reference, the index first.
#[must_use]
pub fn pages() -> Vec<Page> {
    let mut pages = vec![
        system_calls::page(),
        messages::page(),
        invocations::page(),
        errors::page(),
        faults::page(),
        objects::page(),
        registers::page(),
        smmu::page(),
        boot::page(),
    ];
    pages.insert(0, index(&pages));
    pages
}

/// The folder that holds them.
#[must_use]
pub fn folder(tree: &Tree) -> PathBuf {
    tree.root().join("docs/reference")
}

/// Writes every file.
///
/// # Errors
/// When one cannot be written.
pub fn write(tree: &Tree) -> Result<()> {
    let folder = folder(tree);
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    for page in pages() {
        let path = folder.join(page.name);
        std::fs::write(&path, page.text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

fn index(pages: &[Page]) -> Page {
    let mut text = heading(
        "The interface of the kernel",
        "That of seL4 16.0 for AArch64: hypervisor configuration, non-MCS, one core, 44-bit physical addresses, with SMMU \
         objects. Where these pages are silent, the seL4 reference manual decides. What is marked as Sluice's comes after the \
         last number of seL4.",
    );
    let rows = pages.iter().map(|page| vec![format!("[{}]({})", title(&page.text), page.name), page.about.to_owned()]);
    text += &table(&["Page", "What it lists"], rows);
    Page { name: "README.md", about: "", text }
}

fn title(text: &str) -> &str {
    text.lines().next().unwrap_or_default().trim_start_matches("# ")
}

/// The head of a page, with a note that keeps people from editing it.
fn heading(title: &str, about: &str) -> String {
    format!(
        "# {title}\n\n<!-- Generated from kernel/abi by `scripts/sluice reference`; change it there. -->\n\n{}\n\n",
        prose(about)
    )
}

fn section(title: &str) -> String {
    format!("## {title}\n\n")
}

/// `text` in lines of a readable length.
fn prose(text: &str) -> String {
    const WIDTH: usize = 118;
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let last = lines.last().map_or(0, String::len);
        if last > 0 && last + 1 + word.len() > WIDTH {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines.join("\n")
}

fn table(head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let line = |cells: &[String]| {
        let cells: Vec<String> = cells.iter().map(|cell| format!(" {} ", cell.trim().replace('|', "\\|"))).collect();
        format!("|{}|\n", cells.join("|"))
    };
    let head: Vec<String> = head.iter().map(|cell| (*cell).to_owned()).collect();
    let mut text = line(&head);
    text += &format!("|{}\n", "---|".repeat(head.len()));
    rows.into_iter().for_each(|row| text += &line(&row));
    text + "\n"
}

/// What the documentation of a constant says, as a table's cell: links lose their brackets.
fn cell(about: &str) -> String {
    let words: Vec<&str> = about.split_whitespace().collect();
    words.join(" ").replace("[`", "`").replace("`]", "`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_cannot_break_their_table() {
        let text = table(&["a", "b"], [vec!["x | y".to_owned(), cell(" see [`Z`]\n now")]]);
        assert_eq!(text, "| a | b |\n|---|---|\n| x \\| y | see `Z` now |\n\n");
    }

    #[test]
    fn prose_breaks_between_words() {
        let text = prose(&"word ".repeat(40));
        assert!(text.lines().count() == 2 && text.lines().all(|line| line.len() <= 118 && line.starts_with("word")));
    }

    #[test]
    fn every_page_has_its_own_name_and_is_in_the_index() {
        let pages = pages();
        for page in &pages[1..] {
            assert_eq!(pages.iter().filter(|other| other.name == page.name).count(), 1);
            assert!(pages[0].text.contains(&format!("({})", page.name)) && !page.about.is_empty());
        }
    }
}

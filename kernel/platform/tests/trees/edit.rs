//! Trees as values, so that a test can break one thing of a good tree and write it out again.

use fdt::Fdt;
use fdt::node::FdtNode;

/// A tree that can be edited.
#[derive(Clone)]
pub(crate) struct Tree {
    pub(crate) reservations: Vec<(u64, u64)>,
    root: Node,
}

/// A node of it.
#[derive(Clone, Default)]
pub(crate) struct Node {
    name: String,
    properties: Vec<(String, Vec<u8>)>,
    children: Vec<Node>,
}

impl Node {
    pub(crate) fn new(name: &str, properties: &[(&str, Vec<u8>)]) -> Self {
        let properties = properties.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        Self { name: name.to_owned(), properties, children: Vec::new() }
    }

    pub(crate) fn with_child(mut self, child: Self) -> Self {
        self.children.push(child);
        self
    }

    fn read(node: FdtNode<'_, '_>) -> Self {
        Self {
            name: node.name.to_owned(),
            properties: node.properties().map(|p| (p.name.to_owned(), p.value.to_owned())).collect(),
            children: node.children().map(Self::read).collect(),
        }
    }

    fn write(&self, structure: &mut Vec<u8>, strings: &mut Vec<u8>) {
        structure.extend(1u32.to_be_bytes());
        structure.extend(self.name.as_bytes());
        structure.push(0);
        pad(structure, 4);
        for (name, value) in &self.properties {
            let name: Vec<u8> = name.bytes().chain([0]).collect();
            let offset = strings.windows(name.len()).position(|window| window == name).unwrap_or_else(|| {
                strings.extend(&name);
                strings.len() - name.len()
            });
            structure.extend([3, value.len() as u32, offset as u32].into_iter().flat_map(u32::to_be_bytes));
            structure.extend(value);
            pad(structure, 4);
        }
        self.children.iter().for_each(|child| child.write(structure, strings));
        structure.extend(2u32.to_be_bytes());
    }
}

impl Tree {
    pub(crate) fn read(blob: &[u8]) -> Self {
        let fdt = Fdt::new(blob).expect("a blob");
        Self { reservations: Vec::new(), root: Node::read(fdt.find_node("/").expect("a root")) }
    }

    /// The node at a full path.
    pub(crate) fn node(&mut self, path: &str) -> &mut Node {
        path.split('/').filter(|name| !name.is_empty()).fold(&mut self.root, |node, name| {
            let child = node.children.iter_mut().find(|child| child.name == name);
            child.unwrap_or_else(|| panic!("no {path}"))
        })
    }

    /// Gives a node the property, or another value of it.
    pub(crate) fn set(&mut self, path: &str, name: &str, value: Vec<u8>) {
        self.clear(path, name);
        self.node(path).properties.push((name.to_owned(), value));
    }

    /// Takes a property away.
    pub(crate) fn clear(&mut self, path: &str, name: &str) {
        self.node(path).properties.retain(|(other, _)| other != name);
    }

    /// Adds a node.
    pub(crate) fn add(&mut self, parent: &str, node: Node) {
        self.node(parent).children.push(node);
    }

    /// Takes a node away.
    pub(crate) fn delete(&mut self, path: &str) {
        let (parent, name) = path.rsplit_once('/').expect("a path");
        self.node(parent).children.retain(|child| child.name != name);
    }

    /// The blob.
    pub(crate) fn write(&self) -> Vec<u8> {
        let (mut structure, mut strings) = (Vec::new(), Vec::new());
        self.root.write(&mut structure, &mut strings);
        structure.extend(9u32.to_be_bytes());
        let ends = self.reservations.iter().chain([&(0, 0)]);
        let reservations: Vec<u8> = ends.flat_map(|&(base, size)| [base, size]).flat_map(u64::to_be_bytes).collect();
        let structure_at = 40 + reservations.len();
        let strings_at = structure_at + structure.len();
        let total = strings_at + strings.len();
        let header = [0xd00d_feed, total, structure_at, strings_at, 40, 17, 16, 0, strings.len(), structure.len()];
        let mut blob: Vec<u8> = header.into_iter().flat_map(|word| (word as u32).to_be_bytes()).collect();
        blob.extend(reservations);
        blob.extend(structure);
        blob.extend(strings);
        blob
    }
}

fn pad(bytes: &mut Vec<u8>, to: usize) {
    bytes.resize(bytes.len().next_multiple_of(to), 0);
}

/// A value of cells.
pub(crate) fn cells(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

/// A value of strings.
pub(crate) fn strings(list: &[&str]) -> Vec<u8> {
    list.iter().flat_map(|text| text.bytes().chain([0])).collect()
}

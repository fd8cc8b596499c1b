//! Reach as a picture: who runs on the left, devices in the middle, memory on the right.
//!
//! Solid lines are processors' reach, dashed ones devices', thin ones say who drives which device. What the policy denies is a
//! dotted line that ends in a cross before its target. Colours and dashes say the same thing, so that either will do.

use std::fmt::Write as _;

use super::graph::{Access, Audit, Kind};
use super::text::{bytes, rights};

const WIDTH: i32 = 1080;
const TOP: i32 = 84;
const ROW: i32 = 46;
const BOX_HEIGHT: i32 = 32;
/// Left edge and width of each column.
const PARTIES: (i32, i32) = (24, 220);
const DEVICES: (i32, i32) = (412, 200);
const MEMORIES: (i32, i32) = (812, 244);
/// Columns of the longest name that fits a box.
const LONGEST: usize = 26;

const STYLE: &str = "text{font:13px system-ui,sans-serif;fill:#1b1f24}.s{font-size:11px;fill:#57606a}\
.h{font-size:15px;font-weight:600}.b{fill:#fff;stroke:#57606a;rx:6}.g{fill:#eef6ff;stroke:#0969da}\
.v{fill:#f6f2ff;stroke:#8250df}.d{fill:#fff8e6;stroke:#9a6700}.m{fill:#f0f8f1;stroke:#1a7f37}\
.p{fill:#f6f8fa;stroke:#8c959f}.k{fill:#ffebe9;stroke:#cf222e}path{fill:none}.c{stroke:#0969da;stroke-width:1.6}\
.i{stroke:#8c959f;stroke-width:1}.x{stroke:#bc4c00;stroke-width:1.8;stroke-dasharray:7 4}\
.n{stroke:#cf222e;stroke-width:1.3;stroke-dasharray:2 4}.t{stroke:#cf222e;stroke-width:2}";

/// A box: left edge, middle, and width.
#[derive(Clone, Copy)]
struct Place {
    left: i32,
    middle: i32,
    width: i32,
}

impl Place {
    const fn right(self) -> i32 {
        self.left + self.width
    }
}

struct Drawing {
    out: String,
}

impl Drawing {
    fn line(&mut self, text: std::fmt::Arguments<'_>) {
        let written = writeln!(self.out, "{text}");
        debug_assert!(written.is_ok());
    }

    fn labelled(&mut self, place: Place, class: &str, name: &str, note: &str) {
        let top = place.middle - BOX_HEIGHT / 2;
        let (left, width) = (place.left, place.width);
        self.line(format_args!(
            "<rect class=\"b {class}\" x=\"{left}\" y=\"{top}\" width=\"{width}\" height=\"{BOX_HEIGHT}\"/>"
        ));
        let baseline = place.middle + 4;
        self.line(format_args!("<text x=\"{}\" y=\"{baseline}\">{}</text>", left + 10, escaped(&shortened(name))));
        let end = place.right() - 10;
        self.line(format_args!(
            "<text class=\"s\" x=\"{end}\" y=\"{baseline}\" text-anchor=\"end\">{}</text>",
            escaped(note)
        ));
    }

    fn curve(&mut self, class: &str, from: (i32, i32), to: (i32, i32), title: &str) {
        let bend = (to.0 - from.0) / 2;
        self.line(format_args!(
            "<path class=\"{class}\" d=\"M{} {}C{} {} {} {} {} {}\"><title>{}</title></path>",
            from.0,
            from.1,
            from.0 + bend,
            from.1,
            to.0 - bend,
            to.1,
            to.0,
            to.1,
            escaped(title)
        ));
    }
}

pub(super) fn draw(audit: &Audit) -> String {
    let places = Places::of(audit);
    let height = TOP + ROW * places.rows + 20;
    let mut drawing = Drawing { out: String::new() };
    drawing.line(format_args!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" viewBox=\"0 0 {WIDTH} {height}\" \
         role=\"img\"><title>Who reaches which memory on {}</title><style>{STYLE}</style>",
        escaped(&audit.platform)
    ));
    drawing.line(format_args!("<rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#fff\"/>"));
    heading(&mut drawing);
    edges(&mut drawing, audit, &places);
    for (party, place) in audit.parties.iter().zip(&places.parties) {
        let (class, note) = match party.kind {
            Kind::Component => ("", ""),
            Kind::Vmm => ("v", "VMM"),
            Kind::Guest => ("g", "guest"),
            Kind::Device => ("d", ""),
        };
        let name = party.name.trim_end_matches(" (VMM)");
        drawing.labelled(*place, class, name, note);
    }
    for (memory, place) in audit.memories.iter().zip(&places.memories) {
        drawing.labelled(*place, if memory.private { "p" } else { "m" }, &memory.name, &bytes(memory.bytes));
    }
    let unconfined: Vec<&str> = audit.unconfined.iter().map(|party| audit.parties[*party].name.as_str()).collect();
    let by = if unconfined.is_empty() { "nobody".to_owned() } else { unconfined.join(", ") };
    drawing.labelled(places.kernel, "k", "kernel", &format!("reached by {by}"));
    drawing.out.push_str("</svg>\n");
    drawing.out
}

fn heading(drawing: &mut Drawing) {
    for (column, title) in [(PARTIES, "runs"), (DEVICES, "devices"), (MEMORIES, "memory")] {
        drawing.line(format_args!("<text class=\"h\" x=\"{}\" y=\"26\">{title}</text>", column.0));
    }
    for (index, (class, text)) in
        [("c", "processor"), ("x", "DMA, translated"), ("i", "drives"), ("n", "denied by the policy")]
            .into_iter()
            .enumerate()
    {
        let left = PARTIES.0 + 190 * index as i32;
        drawing.line(format_args!("<path class=\"{class}\" d=\"M{left} 48h34\"/>"));
        drawing.line(format_args!("<text class=\"s\" x=\"{}\" y=\"52\">{text}</text>", left + 42));
    }
}

/// Where everything is.
struct Places {
    parties: Vec<Place>,
    memories: Vec<Place>,
    kernel: Place,
    rows: i32,
}

impl Places {
    /// A device is level with who drives it, or below; memories follow in their own column.
    fn of(audit: &Audit) -> Self {
        let at = |(left, width): (i32, i32), row: i32| Place { left, middle: TOP + ROW * row + ROW / 2, width };
        let (mut left, mut middle) = (0, 0);
        let parties: Vec<Place> = audit
            .parties
            .iter()
            .map(|party| match party.kind {
                Kind::Device => {
                    // The driver's row is the last one given out on the left.
                    middle = middle.max(left - 1);
                    middle += 1;
                    at(DEVICES, middle - 1)
                }
                Kind::Component | Kind::Vmm | Kind::Guest => {
                    left = left.max(middle);
                    left += 1;
                    at(PARTIES, left - 1)
                }
            })
            .collect();
        let count = audit.memories.len() as i32;
        // Memory is beside whom it serves first: fewer lines cross.
        let first = |memory: usize| audit.edges.iter().position(|edge| edge.memory == memory).unwrap_or(usize::MAX);
        let mut order: Vec<usize> = (0..audit.memories.len()).collect();
        order.sort_by_key(|memory| first(*memory));
        let row = |memory: usize| order.iter().position(|placed| *placed == memory).unwrap_or_default() as i32;
        let memories = (0..audit.memories.len()).map(|memory| at(MEMORIES, row(memory))).collect();
        Self { parties, memories, kernel: at(MEMORIES, count), rows: left.max(middle).max(count + 1) }
    }

    /// The box that a rule's word is about: a memory, or a party.
    fn named(&self, audit: &Audit, name: &str) -> Option<Place> {
        if name == "kernel" {
            return Some(self.kernel);
        }
        let party = audit.parties.iter().position(|party| party.name == name || party.name == format!("{name} (VMM)"));
        let memory = || audit.memories.iter().position(|memory| memory.name == name);
        party.map(|party| self.parties[party]).or_else(|| memory().map(|memory| self.memories[memory]))
    }
}

fn edges(drawing: &mut Drawing, audit: &Audit, places: &Places) {
    for (party, place) in audit.parties.iter().zip(&places.parties) {
        for device in &party.drives {
            let to = places.parties[*device];
            let title = format!("{} drives {}", party.name, audit.parties[*device].name);
            drawing.curve("i", (place.right(), place.middle), (to.left, to.middle), &title);
        }
    }
    for edge in &audit.edges {
        let (from, to) = (places.parties[edge.party], places.memories[edge.memory]);
        let (who, what) = (&audit.parties[edge.party].name, &audit.memories[edge.memory].name);
        let (class, how) = match edge.access {
            Access::Cpu { .. } => ("c", "CPU".to_owned()),
            Access::Dma { iova, stages: [1, 2] } => ("x", format!("DMA at {iova:#x} by the guest's stage 1")),
            Access::Dma { iova, .. } => ("x", format!("DMA at {iova:#x}")),
            Access::Bypass => ("x", "DMA, bypasses translation".to_owned()),
        };
        let title = format!("{who}: {what} {} ({how})", rights(edge.perms));
        drawing.curve(class, (from.right(), from.middle - 4), (to.left, to.middle), &title);
    }
    for (who, what) in &audit.denied {
        let (Some(from), Some(to)) = (places.named(audit, who), places.named(audit, what)) else { continue };
        // Between two of one column the line goes along its right side.
        let end = if to.left > from.right() { to.left - 16 } else { to.right() + 16 };
        let title = format!("denied: {who} -> {what}");
        drawing.curve("n", (from.right(), from.middle + 6), (end, to.middle + 8), &title);
        let (x, y) = (end, to.middle + 8);
        drawing.line(format_args!("<path class=\"t\" d=\"M{} {}l8 8m0-8l-8 8\"/>", x - 4, y - 4));
    }
}

/// A name that fits its box.
fn shortened(name: &str) -> String {
    if name.chars().count() <= LONGEST {
        return name.to_owned();
    }
    let kept: String = name.chars().take(LONGEST - 1).collect();
    format!("{kept}…")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

//! Prepares tables for the HTML converter and cleans its result. The converter drops cells of tables without a header
//! and of rows that mix both kinds of cells, and it joins the cells of nested tables.

/// Most bytes of a table after the converter has padded it: it makes all cells of a column as wide as the widest.
const PADDED_BYTES_MAX: usize = 1024 * 1024;

/// Rewrites the tables of cleaned HTML so that the first row is the header and all others are ordinary rows. A nested
/// table becomes text in its cell. If a table would become too large, all tables become paragraphs.
pub(super) fn level(html: &str) -> String {
    if !html.contains("<table>") {
        return html.to_owned();
    }
    let (leveled, padded_bytes) = rewritten(html, TableOutput::Table);
    if padded_bytes <= PADDED_BYTES_MAX {
        leveled
    } else {
        rewritten(html, TableOutput::Paragraphs).0
    }
}

/// The result for the outermost tables.
#[derive(Clone, Copy, PartialEq, Eq)]
enum TableOutput {
    Table,
    Paragraphs,
}

/// The rewritten HTML, and the number of bytes to which its largest table could be padded.
fn rewritten(html: &str, output: TableOutput) -> (String, usize) {
    let mut out = String::with_capacity(html.len());
    let (mut depth, mut rows, mut cells, mut columns) = (0_usize, 0_usize, 0_usize, 0_usize);
    let (mut cell_began, mut widest, mut padded) = (0, 0, 0);
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        let end = rest[at..].find('>').map_or(rest.len(), |end| at + end + 1);
        let tag = &rest[at..end];
        out.push_str(&rest[..at]);
        rest = &rest[end..];
        let is_outer = depth <= 1;
        let name = tag.trim_matches(['<', '/', '>']);
        let is_end = tag.starts_with("</");
        match name {
            "table" if is_end => {
                depth = depth.saturating_sub(1);
                padded = padded.max(rows * columns * widest);
            }
            "table" => depth += 1,
            "tr" if is_outer && !is_end => {
                rows += 1;
                cells = 0;
            }
            "td" | "th" if is_outer && is_end => widest = widest.max(out.len() - cell_began),
            "td" | "th" if is_outer => {
                cells += 1;
                columns = columns.max(cells);
                cell_began = out.len();
            }
            _ => {}
        }
        let is_begun = name == "table" && !is_end && depth == 1;
        if is_begun {
            (rows, columns, widest) = (0, 0, 0);
        }
        let is_outermost = is_outer && (name != "table" || is_begun || (is_end && depth == 0));
        out.push_str(match (name, is_end, output) {
            ("table" | "tr" | "td" | "th", ..) if !is_outermost => " ",
            ("table", _, TableOutput::Table) | ("tr", _, TableOutput::Table) => tag,
            ("td" | "th", false, TableOutput::Table) if rows <= 1 => "<th>",
            ("td" | "th", true, TableOutput::Table) if rows <= 1 => "</th>",
            ("td" | "th", false, TableOutput::Table) => "<td>",
            ("td" | "th", true, TableOutput::Table) => "</td>",
            ("tr", false, TableOutput::Paragraphs) => "<p>",
            ("tr", true, TableOutput::Paragraphs) => "</p>",
            ("table" | "td" | "th", _, TableOutput::Paragraphs) => " ",
            _ => tag,
        });
    }
    out.push_str(rest);
    (out, padded)
}

/// Removes the padding of Markdown tables, because it would count as text. A `|` in a cell gets a backslash instead of
/// a character reference, which would be escaped later.
pub(super) fn narrow(markdown: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    let mut row = 0;
    for line in markdown.split('\n') {
        let is_row = line.starts_with('|') && line.ends_with('|');
        let is_rule = is_row && line.bytes().all(|b| matches!(b, b'|' | b'-' | b' '));
        lines.push(if is_rule && row == 1 {
            let columns = line.matches('|').count().saturating_sub(1);
            format!("|{}", " --- |".repeat(columns))
        } else if is_row {
            let words: Vec<&str> = line.split(' ').filter(|word| !word.is_empty()).collect();
            words.join(" ").replace("&#124;", "\\|")
        } else {
            line.to_owned()
        });
        row = if is_row { row + 1 } else { 0 };
    }
    lines.join("\n")
}

//! Tables on their way through the converter: it drops cells of tables without a header, of rows that mix both kinds of
//! cell, and does not keep the cells of nested tables apart.

/// Most bytes that the converter may fill up cells to: it makes all cells of a column as wide as the widest.
const PADDED_BYTES_MAX: usize = 1024 * 1024;

/// Cleaned HTML with tables that all have a header row, their first, and ordinary rows below it. A nested table is
/// text in its cell; one that would become far too wide is paragraphs.
pub(super) fn level(html: &str) -> String {
    if !html.contains("<table>") {
        return html.to_owned();
    }
    let (leveled, padded_bytes) = rewritten(html, Form::Table);
    if padded_bytes <= PADDED_BYTES_MAX {
        leveled
    } else {
        rewritten(html, Form::Paragraphs).0
    }
}

/// What becomes of the outermost tables.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Table,
    Paragraphs,
}

/// The HTML, and how many bytes its widest table could be filled up to.
fn rewritten(html: &str, form: Form) -> (String, usize) {
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
        out.push_str(match (name, is_end, form) {
            ("table" | "tr" | "td" | "th", ..) if !is_outermost => " ",
            ("table", _, Form::Table) | ("tr", _, Form::Table) => tag,
            ("td" | "th", false, Form::Table) if rows <= 1 => "<th>",
            ("td" | "th", true, Form::Table) if rows <= 1 => "</th>",
            ("td" | "th", false, Form::Table) => "<td>",
            ("td" | "th", true, Form::Table) => "</td>",
            ("tr", false, Form::Paragraphs) => "<p>",
            ("tr", true, Form::Paragraphs) => "</p>",
            ("table" | "td" | "th", _, Form::Paragraphs) => " ",
            _ => tag,
        });
    }
    out.push_str(rest);
    (out, padded)
}

/// Markdown whose tables are not filled up with blanks, which would count as text, and whose cells hold a `|` with a
/// backslash instead of a character reference, which would be defused later.
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

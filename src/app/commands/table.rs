//! Columns for people.
//! Never knows what is in them.
#![expect(clippy::print_stdout, reason = "commands speak to a terminal")]

/// Prints rows so that their columns stand below each other. Control characters are shown as such, so that no text in
/// them can write to the terminal.
pub(super) fn print<const N: usize>(rows: &[[String; N]]) {
    let rows: Vec<_> = rows.iter().map(|row| row.each_ref().map(|cell| plain(cell))).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: [usize; N] = std::array::from_fn(width);
    for row in &rows {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        println!("{}", cells.collect::<Vec<_>>().join("  ").trim_end());
    }
}

/// One line of text that a terminal shows and does not obey.
pub(super) fn plain(text: &str) -> String {
    text.chars()
        .flat_map(|one| if one.is_control() { one.escape_default().collect() } else { vec![one] })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_shown_instead() {
        assert_eq!(plain("Ada\u{1b}[2J\r\n\u{9b}31m é"), "Ada\\u{1b}[2J\\r\\n\\u{9b}31m é");
    }
}

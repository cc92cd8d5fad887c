//! Medians and the table they are printed in.

/// The median; the mean of the middle two for an even number.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => f64::NAN,
        length if length % 2 == 1 => sorted[middle],
        _ => f64::midpoint(sorted[middle - 1], sorted[middle]),
    }
}

/// One line: a name, a figure, and what it should be.
struct Row {
    name: String,
    figure: String,
    note: String,
}

/// The lines so far.
#[derive(Default)]
pub struct Table {
    rows: Vec<Row>,
}

impl Table {
    /// Adds the median of `values` with its spread.
    pub fn add(&mut self, name: &str, values: &[f64], unit: &str, note: &str) {
        let least = values.iter().copied().fold(f64::INFINITY, f64::min);
        let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let figure = format!(
            "{:.2} {unit}  ({least:.2} to {most:.2}, {} runs)",
            median(values),
            values.len()
        );
        eprintln!("{name}: {figure}");
        self.rows.push(Row { name: name.to_owned(), figure, note: note.to_owned() });
    }

    /// Prints everything as a Markdown table.
    pub fn print(&self) {
        println!("\n| what | median (least to most) | target |\n|---|---|---|");
        for row in &self.rows {
            println!("| {} | {} | {} |", row.name, row.figure, row.note);
        }
    }
}

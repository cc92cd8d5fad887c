//! A progress bar with rate and time to go, on standard error so that standard output stays clean.

use std::{
    io::{IsTerminal, Write},
    time::{Duration, Instant},
};

const WIDTH: u64 = 32;
/// How often it is drawn.
const REDRAW: Duration = Duration::from_millis(100);

/// One bar.
pub struct Bar {
    label: &'static str,
    total: u64,
    started: Instant,
    drawn: Option<Instant>,
    done: u64,
    visible: bool,
    /// Whether the line can be drawn over.
    terminal: bool,
}

impl Bar {
    /// A bar for `total` things.
    pub fn new(label: &'static str, total: u64, visible: bool) -> Self {
        let terminal = std::io::stderr().is_terminal();
        Self { label, total, started: Instant::now(), drawn: None, done: 0, visible, terminal }
    }

    /// So many are done.
    pub fn show(&mut self, done: u64) {
        self.done = done;
        let due = self.drawn.is_none_or(|drawn| drawn.elapsed() >= REDRAW);
        if self.visible && self.terminal && due {
            self.drawn = Some(Instant::now());
            self.draw("\r");
        }
    }

    /// Draws the last state and leaves the line.
    pub fn end(&mut self) {
        if self.visible {
            self.draw(if self.terminal { "\r" } else { "" });
            eprintln!();
        }
    }

    fn draw(&self, start: &str) {
        let part =
            (self.done * WIDTH).checked_div(self.total).map_or(WIDTH, |part| part.min(WIDTH));
        let bar: String = (0..WIDTH).map(|at| if at < part { '█' } else { '░' }).collect();
        let elapsed = self.started.elapsed().as_secs_f64();
        let rate = self.done as f64 / elapsed.max(0.001);
        let left = self.total.saturating_sub(self.done) as f64 / rate.max(1.0);
        let eta = if self.done < self.total {
            format!("ETA {left:.0} s")
        } else {
            format!("{elapsed:.1} s")
        };
        eprint!(
            "{start}{:<12}{bar} {:>9} of {}   {:>8.0}/s   {eta}    ",
            self.label, self.done, self.total, rate
        );
        // A bar that cannot be drawn is no reason to stop.
        let _ = std::io::stderr().flush();
    }
}

//! How long to wait before another try: exponential, with full jitter, and bounded.

use std::time::Duration;

/// The bounds of a wait.
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    /// The longest first wait.
    pub base: Duration,
    /// The longest wait of all.
    pub max: Duration,
}

impl Backoff {
    /// The wait before try `attempt + 1`, `attempt` counting from 1. `jitter` is a random number in
    /// 0..1: all waits up to the bound are equally likely, so that many failures of one moment do not
    /// come back in one moment.
    pub fn wait(&self, attempt: u32, jitter: f64) -> Duration {
        let doublings = attempt.saturating_sub(1).min(20);
        self.base.saturating_mul(1 << doublings).min(self.max).mul_f64(jitter.clamp(0.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_bound() {
        let backoff = Backoff { base: Duration::from_millis(100), max: Duration::from_millis(500) };
        let longest = |attempt| backoff.wait(attempt, 1.0).as_millis();
        assert_eq!([longest(1), longest(2), longest(3), longest(4)], [100, 200, 400, 500]);
        assert_eq!(longest(u32::MAX), 500);
        assert_eq!(backoff.wait(2, 0.5).as_millis(), 100);
    }
}

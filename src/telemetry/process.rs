//! What the system says of this process, as far as `/proc` tells; elsewhere nothing is known.

use std::fs;

/// The process, as it is now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Process {
    /// When it began, in seconds since 1970.
    pub started_at: f64,
    /// CPU seconds used.
    pub cpu_seconds: f64,
    /// Bytes of address space.
    pub virtual_bytes: u64,
    /// Bytes in RAM.
    pub resident_bytes: u64,
    /// Open file descriptors.
    pub open_files: usize,
    /// How many may be open; none is without a bound.
    pub most_files: Option<u64>,
}

impl Process {
    /// Asks the system.
    pub fn read() -> Option<Self> {
        let own = fs::read_to_string("/proc/self/stat").ok()?;
        let system = fs::read_to_string("/proc/stat").ok()?;
        let limits = fs::read_to_string("/proc/self/limits").ok()?;
        let open_files = fs::read_dir("/proc/self/fd").ok()?.count();
        let units =
            Units { ticks_per_second: asked(libc::_SC_CLK_TCK)?, page: asked(libc::_SC_PAGESIZE)? };
        let most_files = most_files(&limits);
        Some(Self { open_files, most_files, ..from_stat(&own, booted_at(&system)?, units)? })
    }
}

/// What the system counts in.
#[derive(Clone, Copy)]
struct Units {
    ticks_per_second: u64,
    page: u64,
}

fn asked(name: libc::c_int) -> Option<u64> {
    // SAFETY: `sysconf` takes a plain number and reads nothing of ours.
    u64::try_from(unsafe { libc::sysconf(name) }).ok().filter(|value| *value > 0)
}

/// Of `/proc/self/stat` (man 5 proc_pid_stat). The name in brackets may hold anything, so fields count
/// from behind it: the first is number 3 there.
fn from_stat(stat: &str, booted_at: u64, units: Units) -> Option<Process> {
    let (_, behind) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = behind.split_whitespace().collect();
    let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
    let seconds = |ticks: u64| ticks as f64 / units.ticks_per_second as f64;
    Some(Process {
        started_at: booted_at as f64 + seconds(field(22)?),
        cpu_seconds: seconds(field(14)? + field(15)?),
        virtual_bytes: field(23)?,
        resident_bytes: field(24)? * units.page,
        open_files: 0,
        most_files: None,
    })
}

/// Of `/proc/stat`: when the machine began, in seconds since 1970.
fn booted_at(stat: &str) -> Option<u64> {
    stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}

/// Of `/proc/self/limits`: the soft limit.
fn most_files(limits: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_and_blanks_does_not_mislead() {
        let fields = "S 1 2 3 4 5 6 7 8 9 10 250 50 15 16 17 18 19 20 1000 4096000 3 22";
        let stat = format!("42 (a) b (c)) {fields}");
        let units = Units { ticks_per_second: 100, page: 4096 };
        let process = from_stat(&stat, 1_000_000, units).expect("it reads");
        assert_eq!((process.cpu_seconds, process.started_at), (3.0, 1_000_010.0));
        assert_eq!((process.virtual_bytes, process.resident_bytes), (4_096_000, 12_288));
    }

    #[test]
    fn limits_and_boot_time_are_found() {
        let limits = "Limit  Soft  Hard  Units\nMax open files            1024   4096   files\n";
        assert_eq!(most_files(limits), Some(1024));
        assert_eq!(booted_at("cpu 1 2\nbtime 1700000000\n"), Some(1_700_000_000));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_is_told_of() {
        let process = Process::read().expect("proc is there");
        let now = std::time::UNIX_EPOCH.elapsed().expect("after 1970").as_secs_f64();
        assert!(process.started_at <= now + 1.0 && process.started_at > now - 86_400.0);
        assert!(process.resident_bytes > 0 && process.open_files > 0);
    }
}

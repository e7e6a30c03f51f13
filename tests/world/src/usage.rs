//! What a process has used, from /proc (Linux).

use anyhow::Context;

/// Ticks a second in /proc/PID/stat: `USER_HZ`, 100 on every Linux in use.
const TICKS: f64 = 100.0;

/// What a process has used since it began.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usage {
    /// Seconds of processor time, in user and system mode.
    pub cpu_seconds: f64,
    /// The most memory that it held at one time (VmHWM), in KiB.
    pub memory_kib: u64,
}

impl Usage {
    /// Of this process.
    pub fn of(id: u32) -> anyhow::Result<Self> {
        let read = |name: &str| {
            let path = format!("/proc/{id}/{name}");
            std::fs::read_to_string(&path).context(path)
        };
        parse(&read("stat")?, &read("status")?).context("/proc is not what proc(5) says")
    }
}

fn parse(stat: &str, status: &str) -> Option<Usage> {
    // The program's name is in brackets and may hold anything; fields 14 and 15 stand 12 and 13 behind it.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<f64>().ok();
    let cpu_seconds = (ticks()? + ticks()?) / TICKS;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let memory_kib = line.split_whitespace().next()?.parse().ok()?;
    Some(Usage {
        cpu_seconds,
        memory_kib,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_is_read_past_a_strange_name() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194304 1 2 3 4 150 50 0 0 20 0 9 0 5 6 7";
        let status = "Name:\tx\nVmPeak:\t  99 kB\nVmHWM:\t  2048 kB\n";
        let expected = Usage {
            cpu_seconds: 2.0,
            memory_kib: 2048,
        };
        assert_eq!(parse(stat, status), Some(expected));
    }
}

//! Load: averages, and the share of time in which work waited (pressure stall information).

use super::files::{Failure, Files, number};
use crate::collect::Gather;

/// /proc/loadavg.
pub(super) fn averages(files: &mut Files, out: &mut Gather) -> Result<(), Failure> {
    const FAMILIES: [(&str, &str); 3] = [
        ("node_load1", "1m load average."),
        ("node_load5", "5m load average."),
        ("node_load15", "15m load average."),
    ];
    files.proc_lines("loadavg", |line| {
        let mut words = line.split_ascii_whitespace();
        for (name, help) in FAMILIES {
            out.gauge(name, help).value(number(words.next()?)?);
        }
        Some(())
    })
}

/// One line of one pressure file, and the family that its total goes to.
struct Pressure {
    file: &'static str,
    line: &'static str,
    family: &'static str,
    help: &'static str,
}

const PRESSURES: [Pressure; 6] = [
    Pressure {
        file: "pressure/cpu",
        line: "some",
        family: "node_pressure_cpu_waiting_seconds_total",
        help: "Total time in seconds that processes have waited for CPU time",
    },
    Pressure {
        file: "pressure/io",
        line: "some",
        family: "node_pressure_io_waiting_seconds_total",
        help: "Total time in seconds that processes have waited due to IO congestion",
    },
    Pressure {
        file: "pressure/io",
        line: "full",
        family: "node_pressure_io_stalled_seconds_total",
        help: "Total time in seconds no process could make progress due to IO congestion",
    },
    Pressure {
        file: "pressure/memory",
        line: "some",
        family: "node_pressure_memory_waiting_seconds_total",
        help: "Total time in seconds that processes have waited for memory",
    },
    Pressure {
        file: "pressure/memory",
        line: "full",
        family: "node_pressure_memory_stalled_seconds_total",
        help: "Total time in seconds no process could make progress due to memory congestion",
    },
    Pressure {
        file: "pressure/irq",
        line: "full",
        family: "node_pressure_irq_stalled_seconds_total",
        help: "Total time in seconds no process could make progress due to IRQ congestion",
    },
];

/// /proc/pressure, which kernels before 4.20 and some later ones do not have.
pub(super) fn pressure(files: &mut Files, out: &mut Gather) -> Result<(), Failure> {
    let mut outcome = Ok(());
    for lines in PRESSURES.chunk_by(|one, next| one.file == next.file) {
        match one_file(files, lines, out) {
            // Kernels count what they were built to count; interrupts only since 6.1.
            Ok(()) | Err(Failure::Absent(_)) => {}
            Err(failure) => outcome = Err(failure),
        }
    }
    outcome
}

fn one_file(files: &mut Files, wanted: &[Pressure], out: &mut Gather) -> Result<(), Failure> {
    files.proc_lines(wanted[0].file, |line| {
        for one in wanted.iter().filter(|one| line.starts_with(one.line)) {
            let (_, microseconds) = line.rsplit_once("total=")?;
            out.counter(one.family, one.help)
                .value(number(microseconds)? / 1e6);
        }
        Some(())
    })
}

//! `nightshift-agent`: the command line, the runtime, the exit code.

use std::process::ExitCode;

use clap::Parser;
use nightshift_agent::app::{self, Failure};
use nightshift_agent::cli::Cli;

fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Err(message) = nightshift_agent::log::start(cli.log_format, &cli.log_level) {
        return app::report(&Failure::usage(message));
    }
    // One thread does all the work: the agent waits far more than it computes, and a second worker
    // would cost memory on a host that has better use for it. What blocks (a mount that is stuck, a
    // disk) runs on the blocking pool, which is small for the same reason.
    const BLOCKING_THREADS: usize = 16;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREADS)
        .thread_stack_size(512 << 10)
        .build();
    let outcome = match runtime {
        Ok(runtime) => {
            let outcome = runtime.block_on(app::run(cli.command));
            // A call stuck in the kernel (a dead mount) must not keep the process from ending.
            runtime.shutdown_background();
            outcome
        }
        Err(error) => Err(Failure::running(format!(
            "the runtime could not start: {error}"
        ))),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => app::report(&failure),
    }
}

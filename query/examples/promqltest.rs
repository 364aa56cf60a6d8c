//! Runs test scripts of Prometheus: `cargo run --release -p query --example promqltest -- FILE...`.
//!
//! Prints for each file how many evaluations passed and failed, and of each failure the line, the
//! expression, what was wanted and what came. Exits with 1 if any failed.

use std::process::ExitCode;

use query::script;

#[tokio::main(flavor = "current_thread")]
#[allow(clippy::print_stdout)]
async fn main() -> ExitCode {
    let mut all_passed = true;
    for file in std::env::args().skip(1) {
        let text = match std::fs::read_to_string(&file) {
            Ok(text) => text,
            Err(failed) => {
                println!("{file}: 0 passed, 1 failed\n  {failed}");
                all_passed = false;
                continue;
            }
        };
        let report = script::run(&script::parse(&text)).await;
        let failed = report.failures.len();
        println!("{file}: {} passed, {failed} failed", report.passed);
        for failure in &report.failures {
            println!("  line {}: {}", failure.line, failure.expr);
            println!(
                "    wanted: {}",
                failure.wanted.replace('\n', "\n            ")
            );
            println!(
                "    got:    {}",
                failure.got.replace('\n', "\n            ")
            );
        }
        all_passed &= failed == 0;
    }
    if all_passed {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

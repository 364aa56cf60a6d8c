//! The collector's program: reads the command line and the configuration, and runs.

use std::io::{ErrorKind, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use clap::Parser;
use nightshift::alertmanager;
use nightshift::app;
use nightshift::cli::oncall::Told;
use nightshift::cli::query::{Failure, Shown};
use nightshift::cli::rules::Done;
use nightshift::cli::{Cli, Command, Serve, Store, Token};
use nightshift::clock::Clock;
use nightshift::config::{Config, ConfigError, Overrides};
use nightshift::identity::authority::Authority;
use nightshift::identity::token::Tokens;
use nightshift::incidents::{self, Plan};
use nightshift::judge::files::Files;
use nightshift::store_command::{self, Verdict};

/// It failed while running.
const FAILED: u8 = 1;
/// The command line or the configuration is wrong; clap uses the same.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Serve(options) => serve(&options),
        Command::Query(query) => show(query.run(Clock::start().wall_ms())),
        Command::Alerts(alerts) => show(alerts.run(Clock::start().wall_ms())),
        Command::Silence(silence) => show(silence.run(Clock::start().wall_ms())),
        Command::Incident(incident) => show(incident.run(Clock::start().wall_ms())),
        Command::Oncall(oncall) => match oncall.run(Clock::start().wall_ms()) {
            Told::Answer(answer) => show(answer),
            Told::Verdict(verdict) => done(&verdict),
        },
        Command::Rules(rules) => done(&rules.run()),
        Command::Notify(notify) => done(&notify.run(Clock::start().wall_ms())),
        Command::Token(Token::Create { data, lifetime }) => create_token(&data, lifetime.0),
        Command::Store(command) => store(&command),
        Command::CheckConfig { file } => check_config(&file),
    }
}

fn serve(options: &Serve) -> ExitCode {
    let overrides = options.overrides();
    let config = match Config::load(options.config.as_deref(), &overrides) {
        Ok(config) => config,
        Err(error) => return refuse(&error),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return refuse_with(&format!("cannot start: {error}"), FAILED),
    };
    // The error was logged where it happened.
    match runtime.block_on(app::run(config, options.config.clone(), overrides)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_logged) => ExitCode::from(FAILED),
    }
}

#[allow(clippy::print_stderr)]
fn show(answer: Result<Shown, Failure>) -> ExitCode {
    match answer {
        Ok(shown) => {
            eprint!("{}", shown.notes);
            print_out(&shown.out, 0)
        }
        Err(failure) => refuse_with(&failure.to_string(), failure.code()),
    }
}

fn done(done: &Done) -> ExitCode {
    print_out(&done.text, done.code)
}

/// A reader that has seen enough, such as `head`, is no failure.
fn print_out(text: &str, code: u8) -> ExitCode {
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            refuse_with(&format!("cannot write the answer: {error}"), FAILED)
        }
        _ => ExitCode::from(code),
    }
}

#[allow(clippy::print_stdout)]
fn store(command: &Store) -> ExitCode {
    match store_command::run(command) {
        Ok(done) => {
            print!("{}", done.text);
            match done.verdict {
                Verdict::Sound => ExitCode::SUCCESS,
                Verdict::Damaged => ExitCode::from(FAILED),
            }
        }
        Err(error) => refuse_with(&format!("{error:#}"), FAILED),
    }
}

#[allow(clippy::print_stdout)]
fn check_config(file: &Path) -> ExitCode {
    match Config::load(Some(file), &Overrides::default()) {
        Ok(config) => {
            let mut problems = Files::read(&config.rules.files).problems;
            problems.extend(alertmanager::problems(&config.notify));
            let plan = incidents::read_files(&config.incidents, &config.notify, &Plan::default());
            problems.extend(plan.err().into_iter().flatten());
            if !problems.is_empty() {
                return refuse_with(&problems.join("\n"), USAGE);
            }
            println!("{}: ok", file.display());
            ExitCode::SUCCESS
        }
        Err(error) => refuse(&error),
    }
}

#[allow(clippy::print_stdout)]
fn create_token(data: &Path, lifetime: Duration) -> ExitCode {
    let created = Authority::open(data).and_then(|authority| {
        Tokens::of(data).create(authority.fingerprint(), SystemTime::now(), lifetime)
    });
    match created {
        Ok(token) => {
            println!("{token}");
            ExitCode::SUCCESS
        }
        Err(error) => refuse_with(&error.to_string(), FAILED),
    }
}

fn refuse(error: &ConfigError) -> ExitCode {
    refuse_with(&error.to_string(), USAGE)
}

#[allow(clippy::print_stderr)]
fn refuse_with(message: &str, code: u8) -> ExitCode {
    eprintln!("{message}");
    ExitCode::from(code)
}

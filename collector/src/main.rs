//! The collector's program: reads the command line and the configuration, and runs.

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use clap::Parser;
use nightshift::app;
use nightshift::cli::{Cli, Command, Serve, Token};
use nightshift::config::{Config, ConfigError, Overrides};
use nightshift::identity::authority::Authority;
use nightshift::identity::token::Tokens;

/// It failed while running.
const FAILED: u8 = 1;
/// The command line or the configuration is wrong; clap uses the same.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Serve(options) => serve(&options),
        Command::Token(Token::Create { data, lifetime }) => create_token(&data, lifetime.0),
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

#[allow(clippy::print_stdout)]
fn check_config(file: &Path) -> ExitCode {
    match Config::load(Some(file), &Overrides::default()) {
        Ok(_) => {
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

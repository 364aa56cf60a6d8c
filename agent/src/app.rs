//! The commands, and what the operator reads when one fails. `run` is in [`daemon`].

pub mod daemon;
pub mod fleet;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use wire::secret::Secret;

use crate::cli::{CheckConfig, Command, Join, Settings, SetupPostgres};
use crate::config::{self, Config, ConfigError, Problems, RawConfig};
use crate::discovery;
use crate::join;
use crate::pipeline::Pipeline;
use crate::sources::hidden::Hidden;
use crate::sources::login::Target;
use crate::sources::postgres;
use crate::sources::postgres::setup::{self, Extent};
use crate::spool;
use wire::text;

/// Where the configuration lies when the command line does not say.
const DEFAULT_CONFIG: &str = "/etc/nightshift/agent.toml";

/// Why a command failed, and with which exit code.
#[derive(Debug)]
pub struct Failure {
    code: u8,
    message: String,
    hint: String,
}

impl Failure {
    /// The command line or the configuration is wrong.
    pub fn usage(message: impl Into<String>) -> Self {
        Self {
            code: 2,
            message: message.into(),
            hint: String::new(),
        }
    }

    /// Something went wrong while running.
    pub fn running(message: impl Into<String>) -> Self {
        Self {
            code: 1,
            message: message.into(),
            hint: String::new(),
        }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::usage(error.to_string())
    }
}

/// Prints a failure as PostgreSQL prints its own, and gives the exit code for it.
#[must_use]
pub fn report(failure: &Failure) -> ExitCode {
    let mut text = format!("nightshift-agent: {}\n", failure.message);
    if !failure.hint.is_empty() {
        text.push_str(&format!("  hint: {}\n", failure.hint));
    }
    let text = crate::pipeline::redact::Redactor::built_in()
        .clean(&text)
        .into_owned();
    // Where standard error is closed the exit code still speaks.
    std::io::stderr().write_all(text.as_bytes()).ok();
    ExitCode::from(failure.code)
}

/// Runs a command to its end.
pub async fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Run(settings) => daemon::run(&settings).await,
        Command::Once(settings) => once(&settings).await,
        Command::Discover(settings) => discover(&settings).await,
        Command::SetupPostgres(arguments) => setup_postgres(arguments).await,
        Command::Join(arguments) => join_collector(arguments).await,
        Command::CheckConfig(arguments) => check_config(&arguments),
    }
}

/// The configuration: the file with the command line laid over it.
pub fn configuration(settings: &Settings) -> Result<Config, ConfigError> {
    let mut raw = match &settings.config {
        Some(path) => config::read(path)?,
        None if Path::new(DEFAULT_CONFIG).exists() => config::read(Path::new(DEFAULT_CONFIG))?,
        None => RawConfig::default(),
    };
    raw.override_with(settings);
    raw.validate()
}

async fn once(settings: &Settings) -> Result<(), Failure> {
    let config = configuration(settings)?;
    let found = discovery::find(&config);
    let collections = fleet::once(&config, &found).await;
    let mut pipeline = Pipeline::new(config.pipeline.clone(), config.labels.clone());
    let batches: Vec<_> = collections.into_iter().map(|c| pipeline.pass(c)).collect();
    print(&text::render(&batches))
}

async fn discover(settings: &Settings) -> Result<(), Failure> {
    let config = configuration(settings)?;
    let found = discovery::find(&config);
    print(&discovery::describe(&config, &found).await)
}

async fn setup_postgres(arguments: SetupPostgres) -> Result<(), Failure> {
    let role = &arguments.role;
    if !arguments.apply {
        // The newest form holds for every major: what differs is only said in comments.
        const NEWEST: u32 = 18;
        let once = setup::setup_sql(role, NEWEST, Extent::Instance);
        let each = setup::setup_sql(role, NEWEST, Extent::Database);
        return print(&format!(
            "-- Run once, in the database that the agent connects to first (postgres):\n{once}\n\
             -- Run in each database:\n{each}"
        ));
    }
    let admin = administrator(&arguments)?;
    let ran = setup::apply(&admin, role).await.map_err(|error| {
        let message = format!("{}: {}", error.message, error.detail);
        Failure::running(message.trim_end_matches(": ")).hint(error.hint)
    })?;
    let mut text = String::new();
    for (database, sql) in ran {
        text.push_str(&format!("-- in database {database}:\n{sql}\n"));
    }
    print(&format!(
        "{text}-- done: role {role} may read what the agent needs\n"
    ))
}

/// As whom to set up: what the command line says, or the user who runs this, as psql does it.
fn administrator(arguments: &SetupPostgres) -> Result<Target, Failure> {
    let user = os_user();
    if let Some(text) = &arguments.dsn {
        let mut raw = postgres::RawSettings {
            dsn: Some(Hidden::new(text)),
            ..Default::default()
        };
        raw.user = raw.user.or(Some(user));
        let mut problems = Problems::default();
        let settings = problems.under("dsn", |problems| raw.validate(problems));
        let found = problems.into_inner();
        return match settings {
            Some(settings) if found.is_empty() => Ok(settings.target),
            _ => Err(ConfigError::Invalid(found).into()),
        };
    }
    match &postgres::discover::instances(Path::new("/proc"))[..] {
        [only] => Ok(only.target(&user)),
        [] => Err(Failure::usage("no PostgreSQL runs on this host").hint("name one with --dsn")),
        several => {
            let ports: Vec<_> = several.iter().map(|found| found.port.to_string()).collect();
            let message = format!("several instances run here, on ports {}", ports.join(", "));
            Err(Failure::usage(message).hint("choose one with --dsn 'port=5432'"))
        }
    }
}

fn os_user() -> String {
    let user = nix::unistd::User::from_uid(nix::unistd::geteuid())
        .ok()
        .flatten();
    user.map_or_else(|| "postgres".to_owned(), |user| user.name)
}

async fn join_collector(arguments: Join) -> Result<(), Failure> {
    let token = match &arguments.token_file {
        Some(path) => read_secret(path)?,
        None => match std::env::var(&arguments.token_env) {
            Ok(text) => Secret::new(&text),
            Err(_) => {
                let message = format!("no token: {} is not set", arguments.token_env);
                let hint = "give --token-file FILE, or put the token into that variable";
                return Err(Failure::usage(message).hint(hint));
            }
        },
    };
    let agent = spool::identity(&arguments.data);
    let joined = join::join(&arguments.collector, &token, agent, &arguments.data).await;
    let credentials = joined.map_err(|error| Failure::running(error.message).hint(error.hint))?;
    print(&format!(
        "joined {} as agent {agent}\ncertificate: {}\n",
        arguments.collector,
        credentials.certificate.display()
    ))
}

fn read_secret(path: &PathBuf) -> Result<Secret, Failure> {
    std::fs::read_to_string(path)
        .map(|text| Secret::new(&text))
        .map_err(|error| Failure::usage(format!("cannot read {}: {error}", path.display())))
}

fn check_config(arguments: &CheckConfig) -> Result<(), Failure> {
    let config = config::read(&arguments.file)?.validate()?;
    let shown = if arguments.show {
        format!("{config:#?}\n")
    } else {
        String::new()
    };
    print(&format!("{}: ok\n{shown}", arguments.file.display()))
}

/// Writes to standard output. A reader that has gone away (`| head`) is no failure.
fn print(text: &str) -> Result<(), Failure> {
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(Failure::running(
            format!("cannot write to standard output: {error}"),
        )),
        _ => Ok(()),
    }
}

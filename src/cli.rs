//! The command line: reads arguments, settings and sets up the log, then hands over.

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand};

use crate::{
    bootstrap,
    demo::{self, DemoArgs},
    sandbox::{self, SandboxArgs},
    settings::{self, AppSettings, Problem, Settings, SettingsErrors, StorageKind},
    telemetry,
};

/// Exit code for a configuration that cannot be used, and for a server that could not run.
const FAILED: u8 = 1;

#[derive(Debug, Parser)]
#[command(name = "fanfare", about = "A self-hosted push engine", disable_version_flag = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server until SIGTERM or SIGINT
    Serve(ServeArgs),
    /// Say what is wrong with the configuration, or that it is good
    CheckConfig(ConfigArgs),
    /// See it work: gateways, server and a campaign on this machine, with its proof
    Demo(DemoArgs),
    /// Run APNs and FCM gateways of your own, and print the configuration to use them
    Sandbox(Box<SandboxArgs>),
    /// Print the version
    Version,
}

#[derive(Debug, Args)]
struct ConfigArgs {
    /// A TOML file over the defaults; the environment (FANFARE__SECTION__KEY) goes over both
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct ServeArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Write the address to standard output as one line of JSON, {"listening":"IP:PORT"}
    #[arg(long)]
    announce: bool,
}

/// Runs what the arguments ask for.
pub fn run() -> ExitCode {
    match Cli::parse().command {
        Command::Serve(args) => serve(&args),
        Command::CheckConfig(args) => check_config(&args),
        Command::Demo(args) => ended("demo", demo::run(&args)),
        Command::Sandbox(args) => ended("sandbox", run_sandbox(&args)),
        Command::Version => {
            println!("fanfare {}", env!("CARGO_PKG_VERSION"));
            ExitCode::SUCCESS
        }
    }
}

fn serve(args: &ServeArgs) -> ExitCode {
    let settings = match checked(&args.config) {
        Ok(settings) => settings,
        Err(problems) => return refused(&problems),
    };
    if let Err(error) = telemetry::install(&settings.log) {
        eprintln!("fanfare: {error}");
        return ExitCode::from(FAILED);
    }
    let system = actix_web::rt::System::new();
    match system.block_on(bootstrap::serve(settings, args.announce)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("cannot serve: {error:#}");
            ExitCode::from(FAILED)
        }
    }
}

fn run_sandbox(args: &SandboxArgs) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(sandbox::run(args))?)
}

/// The exit code of a command that has ended; what went wrong is told.
fn ended(command: &str, result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("fanfare {command}: {error:#}");
            ExitCode::from(FAILED)
        }
    }
}

fn check_config(args: &ConfigArgs) -> ExitCode {
    let settings = match checked(args) {
        Ok(settings) => settings,
        Err(problems) => return refused(&problems),
    };
    let problems = bootstrap::check_credentials(&settings);
    if !problems.is_empty() {
        return refused(&SettingsErrors(problems));
    }
    println!("configuration is good");
    for line in summary(&settings) {
        println!("  {line}");
    }
    ExitCode::SUCCESS
}

fn checked(args: &ConfigArgs) -> Result<Settings, SettingsErrors> {
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    for (name, meant) in settings::lookalikes(names) {
        eprintln!("fanfare: {name} is not a setting and has no effect; {meant} is likely meant");
    }
    let settings = Settings::load(args.config.as_deref())?;
    settings.validate()?;
    Ok(settings)
}

fn refused(SettingsErrors(problems): &SettingsErrors) -> ExitCode {
    for Problem { key, what } in problems {
        eprintln!("{key}: {what}");
    }
    ExitCode::from(FAILED)
}

/// The configuration in a few lines, without secrets.
fn summary(settings: &Settings) -> Vec<String> {
    let mut lines = vec![
        format!("listens on {}", settings.server.bind),
        match settings.storage.kind {
            StorageKind::Embedded => {
                format!("keeps its data in {}", settings.storage.path.display())
            }
            // The connection string may hold a password.
            StorageKind::Mongodb => "keeps its data in the MongoDB of storage.uri".to_owned(),
        },
    ];
    lines.extend(settings.effective_apps().iter().map(|app| {
        let mail = settings.mail_of(&app.name).is_some();
        app_summary(app, mail)
    }));
    if settings.open_app().is_some() {
        lines.push("OPEN: calls need no key, from this machine alone".to_owned());
    }
    lines.push(match settings.internal.keys.len() {
        0 => "/internal is closed: no internal.keys".to_owned(),
        count => format!("/internal takes {count} keys"),
    });
    lines
}

fn app_summary(app: &AppSettings, has_mail: bool) -> String {
    let keys = usize::from(app.secret.is_some()) + app.api_keys.len();
    let apns = app.apns.as_ref().map(|apns| format!("APNs ({})", apns.topic));
    let fcm = app.fcm.as_ref().map(|_| "FCM".to_owned());
    let mail = has_mail.then(|| "e-mail".to_owned());
    let providers: Vec<_> = apns.into_iter().chain(fcm).chain(mail).collect();
    let providers =
        if providers.is_empty() { "no provider".to_owned() } else { providers.join(", ") };
    format!("app {}: {keys} keys, {providers}", app.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_summary_tells_no_secret() {
        let environment = [
            ("FANFARE__APPS__0__NAME", "shop"),
            ("FANFARE__APPS__0__SECRET", "very-secret-text-1234"),
            ("FANFARE__INTERNAL__KEYS", "very-secret-text-5678"),
        ];
        let environment = environment.map(|(k, v)| (k.to_owned(), v.to_owned()));
        let settings = Settings::load_with(None, environment.into_iter()).expect("good");
        let text = format!("{:?} {:?}", summary(&settings), settings);
        assert!(!text.contains("very-secret"), "{text}");
        assert!(text.contains("app shop: 1 keys"), "{text}");
    }
}

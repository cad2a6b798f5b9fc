//! Arguments to command to exit code.

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use wxgate::app::{App, Early, Sinks, StartError};
use wxgate::cli::{Cli, Command, ExplainArgs, SettingsArgs, SimulateArgs};
use wxgate::config::{Settings, Source};
use wxgate::lifecycle::drain::Drained;
use wxgate::observe::{journal, log, sink};
use wxgate::tools::drain::Came;
use wxgate::tools::explain::Outcome;
use wxgate::tools::language::Language;
use wxgate::tools::{check, demo, drain, explain, healthcheck, simulate};

/// `EX_CONFIG` of sysexits.h: nothing was started, and a restart will not help.
const WRONG_CONFIGURATION: u8 = 78;
/// Wrong arguments, as clap has it, or nothing to work on.
const WRONG_USAGE: u8 = 2;
/// `EX_TEMPFAIL` of sysexits.h: it will end by itself, later.
const STILL_DRAINING: u8 = 75;
/// Longest wait for the last lines of each log.
const FLUSH: Duration = Duration::from_secs(2);

fn main() -> ExitCode {
    let cli = Cli::parse();
    match cli.command.unwrap_or(Command::Serve(cli.settings)) {
        Command::Serve(args) => early(|early| {
            with_settings(args, |settings, source| {
                serve(early, settings, Some(source))
            })
        }),
        Command::Check(args) => with_settings(args, |settings, _| print(&check::report(&settings))),
        Command::Explain(args) => explain_lines(args),
        Command::Demo(args) => early(|early| match demo::prepare(&args) {
            Ok(demo) => {
                print(&demo.guide);
                serve(early, demo.settings, None)
            }
            Err(error) => fail(&error),
        }),
        Command::Drain(args) => match drain::drain(args) {
            Ok(Came::Told | Came::Ended) => ExitCode::SUCCESS,
            Ok(Came::StillDraining) => ExitCode::from(STILL_DRAINING),
            Err(error) => fail(&error),
        },
        Command::Simulate(args) => play(&args),
        Command::Healthcheck(args) => match healthcheck::ask(args) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(&error),
        },
    }
}

fn play(args: &SimulateArgs) -> ExitCode {
    match simulate::simulate(args, &mut std::io::stdout(), &mut std::io::stderr()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            complain(&error.to_string());
            ExitCode::from(WRONG_USAGE)
        }
    }
}

fn early(go_on: impl FnOnce(Early) -> ExitCode) -> ExitCode {
    match Early::take() {
        Ok(early) => go_on(early),
        Err(error) => fail(&error),
    }
}

fn with_settings(args: SettingsArgs, go_on: impl FnOnce(Settings, Source) -> ExitCode) -> ExitCode {
    let overrides = args.overrides();
    let mut source = Source::new(args.config, overrides);
    match source.load() {
        Ok(settings) => go_on(settings, source),
        // Its Display is the whole message, cause included.
        Err(error) => {
            complain(&error.to_string());
            ExitCode::from(WRONG_CONFIGURATION)
        }
    }
}

fn explain_lines(args: ExplainArgs) -> ExitCode {
    let language = Language::chosen(args.lang.as_deref());
    with_settings(args.settings, |settings, _| {
        let explained = explain::explain(&settings.live, &args.lines, language, |text| {
            print(text);
        });
        match explained {
            Ok(Outcome::Passes) => ExitCode::SUCCESS,
            Ok(Outcome::Fails) => ExitCode::FAILURE,
            Ok(Outcome::Nothing) => {
                complain("nothing to explain: no line has a path with the query of a verification");
                ExitCode::from(WRONG_USAGE)
            }
            Err(error) => fail(&error),
        }
    })
}

fn serve(early: Early, settings: Settings, source: Option<Source>) -> ExitCode {
    match run(early, settings, source) {
        Ok(Drained::Clean) => ExitCode::SUCCESS,
        Ok(Drained::Forced) => ExitCode::FAILURE,
        Err(error) if error.is_misconfiguration() => {
            fail(&error);
            ExitCode::from(WRONG_CONFIGURATION)
        }
        Err(error) => fail(&error),
    }
}

fn run(early: Early, settings: Settings, source: Option<Source>) -> Result<Drained, StartError> {
    let Early { inherited, main } = early;
    let inherited = inherited?;
    let sinks = Sinks {
        log: sink::start("log", std::io::stderr()).map_err(StartError::Runtime)?,
        access: sink::start("access-log", std::io::stdout()).map_err(StartError::Runtime)?,
    };
    log::install(
        settings.boot.log.level,
        settings.boot.log.format,
        journal::reads(std::io::stderr()),
        sinks.log.clone(),
    );
    let drained = App::bind(settings, inherited, sinks.clone())
        .map(|app| app.reloading(source))
        .and_then(|app| app.run(main));
    sinks.log.flush(FLUSH);
    sinks.access.flush(FLUSH);
    drained
}

fn print(text: &str) -> ExitCode {
    // Whoever closed the pipe has read enough.
    let _ = writeln!(std::io::stdout(), "{text}");
    ExitCode::SUCCESS
}

fn fail(error: &dyn std::error::Error) -> ExitCode {
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        message.push_str(": ");
        message.push_str(&error.to_string());
        cause = error.source();
    }
    complain(&message);
    ExitCode::FAILURE
}

fn complain(message: &str) {
    let mut stderr = std::io::stderr();
    let priority = if journal::reads(&stderr) {
        journal::ERROR
    } else {
        ""
    };
    for line in format!("wxgate: {message}").lines() {
        let _ = writeln!(stderr, "{priority}{line}");
    }
}

//! The `routeproof` command: parse, run, exit code.

use std::panic::catch_unwind;
use std::process::ExitCode;

use clap::Parser as _;
use clap::error::ErrorKind;
use gate::{
    Cli, Environment, Exit, KEEP, REPLICA, be_replica, clean_up_on_signals, complain_of, dispatch, end_by, keep,
    keep_children_by, progress, stopped,
};

fn main() -> ExitCode {
    let mut words = std::env::args_os().skip(1);
    match words.next() {
        Some(word) if word == KEEP => return keep(words),
        Some(word) if word == REPLICA => return be_replica(),
        _ => {}
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(why) => return said(&why),
    };
    // A child must not be started before its end is seen to.
    if let Err(why) = clean_up_on_signals() {
        progress(&format!("cannot handle signals ({why})"));
        return Exit::Internal.into();
    }
    let environment = Environment::of_this_process();
    keep_children_by(environment.program.clone(), environment.path.clone());
    let ended = catch_unwind(|| dispatch(&cli, &environment));
    let exit = match ended {
        Ok(Ok(exit)) => exit,
        Ok(Err(failure)) => {
            progress(&failure.to_string());
            failure.exit()
        }
        // The panic's message is on stderr already. The embedded router has invariants of its own.
        Err(_) => {
            progress("this is a bug of routeproof or of its embedded router; please report it with the lines above");
            Exit::Internal
        }
    };
    // A violation that was found before a signal came stays one; anything else ends as the signal ends it.
    match stopped() {
        Some(signal) if exit != Exit::Violation => end_by(signal),
        _ => exit.into(),
    }
}

/// Prints help, the version or what is wrong with the command line.
fn said(message: &clap::Error) -> ExitCode {
    let is_help = message.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
    if message.use_stderr() && !is_help {
        complain_of(&message.render().to_string(), std::env::args_os());
        return Exit::Usage.into();
    }
    match message.print() {
        Ok(()) if !message.use_stderr() => Exit::Conforms.into(),
        Ok(()) | Err(_) => Exit::Usage.into(),
    }
}

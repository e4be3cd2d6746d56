//! Commands that are started by others.

use std::process::Command;

/// The command, started by another program that takes a command as its last arguments.
pub fn started_by(before: &[&str], command: &Command) -> Command {
    let mut started = Command::new(before[0]);
    started.args(&before[1..]);
    hand_on(&mut started, command);
    if let Some(directory) = command.get_current_dir() {
        started.current_dir(directory);
    }
    started
}

/// Gives a command's words and environment to the one that is to start it.
pub fn hand_on(starter: &mut Command, command: &Command) {
    starter.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => starter.env(name, value),
            None => starter.env_remove(name),
        };
    }
}

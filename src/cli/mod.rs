//! The command line: one file a command.

mod cache;
mod cache_all;
mod cleanup;
pub mod context;
mod doctor;
mod ending;
pub mod exit;
mod get;
mod list;
mod migrate;
mod move_payloads;
mod output;
mod past_time;
mod print_config;
mod progress;
mod restore;
mod run;
mod self_test;
mod serve;
mod shell;
mod status;
mod trash;
mod undelete;
mod verify;
mod versions;
mod watch;

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, Parser, Subcommand};

use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};
use crate::logs;
use crate::model::recent_lines::RecentLines;
use crate::settings::{self, Loaded, LogLevel, Sources};

const ABOUT: &str = "Keeps the files that people upload safe on platforms whose disk is thrown away at every deploy";

const EXAMPLE: &str = "\
Put one word before the web command, and no upload is lost again:

    web: imagecached run -- gunicorn shop.wsgi";

/// The command line.
#[derive(Debug, Parser)]
#[command(name = "imagecached", version, max_term_width = 100, about = ABOUT, after_help = EXAMPLE)]
struct Cli {
    #[command(flatten)]
    flags: Flags,
    #[command(subcommand)]
    command: Command,
}

/// Settings given as flags; they beat all others.
#[derive(Debug, Args)]
struct Flags {
    /// Settings file [env: IMAGECACHED_CONFIG] [default: config/imagecached.toml, if it is there]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Directory tree that is watched and restored, such as Django's MEDIA_ROOT
    #[arg(long, global = true, value_name = "DIR")]
    upload_dir: Option<String>,
    /// Database that keeps the files [env: DATABASE_URL]
    #[arg(long, global = true, value_name = "URL")]
    database_url: Option<String>,
    /// Least important log lines to show: error, warn, info, debug, trace
    #[arg(long, global = true, value_name = "LEVEL")]
    log_level: Option<String>,
    /// Any setting, by its key: see `print-config`
    #[arg(long = "set", global = true, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Restore, watch, then start CMD; drain and end with its exit code
    Run(run::Run),
    /// Put missing files back and exit
    Restore(restore::Restore),
    /// Store new files for as long as it runs, without an app
    Watch(serve::Listen),
    /// Answer HTTP alone (API, admin panel, metrics), anywhere the database can be reached
    Serve(serve::Listen),
    /// Store everything under the upload directory that is not stored yet
    CacheAll(cache_all::CacheAll),
    /// Store single files
    Cache(cache::Cache),
    /// Write one stored file to a file or to standard output
    Get(get::Get),
    /// Show what a path has and had: its present content and the former ones
    Versions(versions::Versions),
    /// Show how many files are stored, and what is not
    Status(status::Status),
    /// List entries
    List(list::List),
    /// Move payloads between the entry's row, chunks and the object store
    Move(move_payloads::Move),
    /// Drop entries that nobody has used for long and that are not on disk
    Cleanup(cleanup::Cleanup),
    /// Look over storage, database, watcher and settings, and say what is wrong and the cure
    Doctor(doctor::Doctor),
    /// Capture, wipe, restore and compare test files through the real database
    SelfTest,
    /// Create or upgrade the tables
    Migrate,
    /// Show every setting, its value and where it came from
    PrintConfig(print_config::PrintConfig),
    /// Move entries to the trash
    Trash(trash::TrashEntries),
    /// Give entries back from the trash, and their files
    Undelete(undelete::Undelete),
    /// Read stored files back, compare them with the disk, and mend what one side has lost
    Verify(verify::Verify),
    /// Print completions for a shell
    Completions(shell::Completions),
    /// Print the man page
    Man,
}

/// Runs the program and says how it ended.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage.into() } else { Exit::Done.into() };
        }
    };
    match begin(cli) {
        Ok(code) => code,
        Err(Failure { exit, message }) => {
            eprintln!("imagecached: {message}");
            exit.into()
        }
    }
}

fn begin(cli: Cli) -> Result<ExitCode, Failure> {
    match cli.command {
        // These need no settings, and so cannot fail by them.
        Command::Completions(completions) => return Ok(completions.print().into()),
        Command::Man => return shell::print_man().map(Into::into),
        _ => {}
    }
    let loaded = load(&cli)?;
    if let Command::PrintConfig(print_config) = &cli.command {
        return print_config.print(&loaded).map(Into::into);
    }
    let settings = &loaded.settings;
    // One-off commands answer on standard output; what they log besides is for trouble only.
    let level = match (&cli.command, settings.log_level) {
        (Command::Run(_) | Command::Watch(_) | Command::Serve(_) | Command::Restore(_), level) => {
            level
        }
        (_, LogLevel::Info) => LogLevel::Warn,
        (_, level) => level,
    };
    let recent = Arc::<RecentLines>::default();
    logs::init(settings.log_format, level, std::io::stderr().is_terminal(), recent.clone())
        .map_err(Failure::other)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::other(format!("cannot start the runtime: {error}")))?;
    let code = runtime.block_on(command(cli.command, loaded.settings, recent));
    // What still hangs on a dead connection or disk must not keep the program from ending.
    runtime.shutdown_background();
    code
}

fn load(cli: &Cli) -> Result<Loaded, Failure> {
    let mut flags = Vec::new();
    let listen = match &cli.command {
        Command::Run(run) => &run.listen.listen,
        Command::Watch(listen) | Command::Serve(listen) => &listen.listen,
        _ => &None,
    };
    let named = [
        ("listen", listen),
        ("upload_dir", &cli.flags.upload_dir),
        ("database_url", &cli.flags.database_url),
        ("log_level", &cli.flags.log_level),
    ];
    for (key, value) in named {
        flags.extend(value.iter().map(|value| (key.to_owned(), value.clone())));
    }
    if let Command::CacheAll(cache_all) = &cli.command {
        // First, so that what is given by name beats it.
        let meant = cache_all.settings().iter();
        flags.extend(meant.map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
    }
    for pair in &cli.flags.set {
        let (key, value) = pair.split_once('=').ok_or_else(|| {
            Failure::usage(format!("--set {pair}: write KEY=VALUE, such as --set quiet=5s"))
        })?;
        flags.push((key.trim().to_owned(), value.to_owned()));
    }
    Ok(settings::load(&Sources::of_process(cli.flags.config.clone(), flags)?)?)
}

async fn command(
    command: Command,
    settings: settings::Settings,
    recent: Arc<RecentLines>,
) -> Result<ExitCode, Failure> {
    let context = Context::new(settings, recent)?;
    let store = context.store.clone();
    let exit = match command {
        Command::Run(run) => return run.run(context).await,
        Command::Watch(_) => watch::watch(context).await,
        Command::Serve(_) => serve::serve(context).await,
        Command::Restore(restore) => restore.run(&context).await,
        Command::CacheAll(cache_all) => cache_all.run(&context).await,
        Command::Cache(cache) => cache.run(&context).await,
        Command::Get(get) => get.run(&context).await,
        Command::Versions(versions) => versions.run(&context).await,
        Command::Status(status) => status.run(&context).await,
        Command::List(list) => list.run(&context).await,
        Command::Move(relocation) => relocation.run(&context).await,
        Command::Cleanup(cleanup) => cleanup.run(&context).await,
        Command::Doctor(doctor) => doctor.run(&context).await,
        Command::SelfTest => self_test::run(&context).await,
        Command::Migrate => migrate::run(&context).await,
        Command::Trash(trash) => trash.run(&context).await,
        Command::Undelete(undelete) => undelete.run(&context).await,
        Command::Verify(verify) => verify.run(&context).await,
        Command::PrintConfig(_) | Command::Completions(_) | Command::Man => Ok(Exit::Done),
    };
    // A connection that no longer answers is not worth waiting for.
    let _ = tokio::time::timeout(std::time::Duration::from_secs(2), store.close()).await;
    exit.map(Into::into)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        super::Cli::command().debug_assert();
    }
}

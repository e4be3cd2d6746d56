//! `completions` and `man`, generated from the command line's definition.

use clap::{Args, CommandFactory};

use crate::cli::exit::{Exit, Failure};
use crate::cli::{Cli, output};

#[derive(Debug, Args)]
pub struct Completions {
    shell: clap_complete::Shell,
}

impl Completions {
    pub fn print(&self) -> Exit {
        clap_complete::generate(
            self.shell,
            &mut Cli::command(),
            "imagecached",
            &mut std::io::stdout(),
        );
        Exit::Done
    }
}

pub fn print_man() -> Result<Exit, Failure> {
    let mut page = Vec::new();
    clap_mangen::Man::new(Cli::command()).render(&mut page)?;
    output::write(&page)?;
    Ok(Exit::Done)
}

//! The command line.

use std::ops::RangeInclusive;
use std::path::PathBuf;

pub const USAGE: &str = "\
usage: cargo test --test chaos -- [--rounds N] [--seed N] [--round N] [--program FILE] [--plan]
  --rounds N  so many rounds; without it as many as CI has time for
  --seed N    what the plans are drawn from
  --round N   this round alone
  --program F another build of imagecached than the one for tests
  --plan      print the plans, and do nothing";

/// As many rounds as CI has time for.
const SHORT: u64 = 6;

/// What `cargo test` may say to every test program alike, and means nothing here.
const OF_ALL_TESTS: [&str; 7] = [
    "--nocapture",
    "--no-capture",
    "--show-output",
    "--quiet",
    "-q",
    "--exact",
    "--include-ignored",
];

#[derive(Debug)]
pub struct Options {
    rounds: u64,
    pub seed: u64,
    round: Option<u64>,
    pub only_plan: bool,
    pub program: PathBuf,
}

impl Options {
    /// Reads the arguments; `None` when they mean other tests than this one.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn read(mut args: impl Iterator<Item = String>) -> Result<Option<Self>, String> {
        let mut options = Self {
            rounds: SHORT,
            seed: 1,
            round: None,
            only_plan: false,
            program: env!("CARGO_BIN_EXE_imagecached").into(),
        };
        while let Some(arg) = args.next() {
            let mut number = || {
                let given = args.next().ok_or(format!("{arg} needs a number"))?;
                given.parse().map_err(|_| format!("{arg}: {given} is no number"))
            };
            match arg.as_str() {
                "--rounds" => options.rounds = number()?,
                "--seed" => options.seed = number()?,
                "--round" => options.round = Some(number()?),
                "--program" => {
                    let file = args.next().ok_or("--program needs a file")?;
                    // Every command of a round has a working directory of its own.
                    options.program =
                        std::path::absolute(&file).map_err(|error| format!("{file}: {error}"))?;
                }
                "--plan" => options.only_plan = true,
                "--ignored" | "--list" => return Ok(None),
                of_all if OF_ALL_TESTS.contains(&of_all) => {}
                filter if !filter.starts_with('-') => {
                    if !"chaos".contains(filter) {
                        return Ok(None);
                    }
                }
                _ => return Err(format!("{arg} is not known")),
            }
        }
        Ok(Some(options))
    }

    pub fn rounds(&self) -> RangeInclusive<u64> {
        self.round.map_or(1..=self.rounds, |round| round..=round)
    }
}

//! The program: see [`imagecached::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    imagecached::cli::main()
}

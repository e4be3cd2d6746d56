//! The program: see [`imagecached::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    imagecached::process::memory::keep_little();
    imagecached::cli::main()
}

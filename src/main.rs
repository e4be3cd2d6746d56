//! The program: see [`imagecached::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    imagecached::process::memory::give_back_what_is_freed();
    imagecached::cli::main()
}

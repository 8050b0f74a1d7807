//! The binary: arguments in, exit code out.
//! Never knows what a command does; that is the library's.

use std::process::ExitCode;

fn main() -> ExitCode {
    sidegate::app::commands::main()
}

//! The `bulkhead` program.

use std::process::ExitCode;

use bulkhead::cli::Cli;
use clap::Parser;

fn main() -> ExitCode {
    Cli::parse().run()
}

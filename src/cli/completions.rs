use std::io::{self, Write};

use clap::{Args, CommandFactory, ValueEnum};
use clap_complete::{Shell, generate};

use super::{Cli, Outcome};

/// Write a script that lets a shell complete commands and options.
///
/// For bash: `bulkhead completions bash >/etc/bash_completion.d/bulkhead`; for zsh a file `_bulkhead`
/// in a directory of `$fpath`; for fish `~/.config/fish/completions/bulkhead.fish`.
#[derive(Debug, Args)]
pub(super) struct Completions {
    /// For which shell.
    #[arg(value_enum)]
    shell: OfShell,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum OfShell {
    Bash,
    Zsh,
    Fish,
}

impl Completions {
    pub(super) fn run(self) -> Outcome {
        let shell = match self.shell {
            OfShell::Bash => Shell::Bash,
            OfShell::Zsh => Shell::Zsh,
            OfShell::Fish => Shell::Fish,
        };
        let mut script = Vec::new();
        generate(shell, &mut Cli::command(), "bulkhead", &mut script);
        let mut out = io::stdout().lock();
        out.write_all(&script)?;
        Ok(out.flush()?)
    }
}

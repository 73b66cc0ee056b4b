//! What is asked of whoever sits at the terminal: leave to destroy, and what nobody may read over a
//! shoulder or in a list of processes.

use std::error::Error;
use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::path::Path;

use clap::Args;
use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr,
};
use zeroize::Zeroizing;

/// Whether what cannot be taken back is done without asking.
#[derive(Debug, Args)]
pub(super) struct Leave {
    /// Do it without asking: for programs.
    #[arg(long)]
    yes: bool,
}

impl Leave {
    /// Asks for the name of what is about to be lost, unless leave was given. `what` says what
    /// will happen.
    pub(super) fn ask(&self, what: &str, name: &str) -> Result<(), NotConfirmed> {
        if self.yes {
            return Ok(());
        }
        confirm(what, name)
    }
}

/// Nothing was done.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotConfirmed {
    #[error(
        "nothing was done: this asks at a terminal, and there is none; say --yes if it is meant"
    )]
    NoTerminal,
    #[error("nothing was done: `{0}` was not typed")]
    OtherName(String),
    #[error("nothing was done")]
    Unreadable(#[from] io::Error),
}

/// Asks at the terminal for a name to be typed.
pub(super) fn confirm(what: &str, name: &str) -> Result<(), NotConfirmed> {
    let input = io::stdin();
    if !input.is_terminal() {
        return Err(NotConfirmed::NoTerminal);
    }
    let mut output = io::stderr().lock();
    write!(output, "{what}\nType `{name}` to go on: ")?;
    output.flush()?;
    let mut line = String::new();
    input.read_line(&mut line)?;
    if line.trim_end_matches(['\r', '\n']) == name {
        Ok(())
    } else {
        Err(NotConfirmed::OtherName(name.to_owned()))
    }
}

/// A line that is typed and shown.
pub(super) fn line(prompt: &str) -> Result<String, Box<dyn Error + Send + Sync>> {
    let input = io::stdin();
    if !input.is_terminal() {
        return Err(format!("{prompt} is not given, and there is no terminal to ask at").into());
    }
    let mut output = io::stderr().lock();
    write!(output, "{prompt}: ")?;
    output.flush()?;
    let mut line = String::new();
    input.read_line(&mut line)?;
    Ok(line.trim().to_owned())
}

/// What is typed and not shown, or stands in a file; `-` is standard input. The end of its last
/// line is no part of it.
pub(super) fn hidden(
    prompt: &str,
    file: Option<&Path>,
) -> Result<Zeroizing<String>, Box<dyn Error + Send + Sync>> {
    let Some(file) = file else {
        return typed(prompt);
    };
    let bytes = contents(file, prompt)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| format!("{prompt}: it is no text"))?;
    let text = text.strip_suffix('\n').unwrap_or(text);
    Ok(Zeroizing::new(
        text.strip_suffix('\r').unwrap_or(text).to_owned(),
    ))
}

/// What is typed twice, alike.
pub(super) fn chosen(
    prompt: &str,
    file: Option<&Path>,
) -> Result<Zeroizing<String>, Box<dyn Error + Send + Sync>> {
    let first = hidden(prompt, file)?;
    if file.is_none() && *typed(&format!("{prompt}, once more"))? != *first {
        return Err("the two are not alike: nothing was done".into());
    }
    Ok(first)
}

/// The bytes of a file; `-` is standard input.
pub(super) fn contents(
    file: &Path,
    what: &str,
) -> Result<Zeroizing<Vec<u8>>, Box<dyn Error + Send + Sync>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(CAPACITY));
    let read = match file == Path::new("-") {
        true => io::stdin()
            .lock()
            .take(BYTES_MAX + 1)
            .read_to_end(&mut bytes),
        false => File::open(file).and_then(|file| file.take(BYTES_MAX + 1).read_to_end(&mut bytes)),
    };
    read.map_err(|error| format!("cannot read {what} from {}: {error}", file.display()))?;
    if bytes.len() as u64 > BYTES_MAX {
        return Err(format!(
            "{what} in {} has more than {BYTES_MAX} bytes",
            file.display()
        )
        .into());
    }
    Ok(bytes)
}

fn typed(prompt: &str) -> Result<Zeroizing<String>, Box<dyn Error + Send + Sync>> {
    let unasked =
        |error| format!("{prompt} is not given, and there is no terminal to ask at: {error}");
    let mut terminal = Unseen::begin().map_err(unasked)?;
    let line = terminal.line(prompt)?;
    let text = std::str::from_utf8(&line).map_err(|_| format!("{prompt}: it is no text"))?;
    Ok(Zeroizing::new(text.to_owned()))
}

/// The terminal of this process, which shows nothing of what is typed until this is dropped. That
/// begins before anything is asked, so that not even what is typed early is seen.
struct Unseen {
    terminal: File,
    before: Termios,
}

impl Unseen {
    fn begin() -> io::Result<Self> {
        let terminal = File::options().read(true).write(true).open("/dev/tty")?;
        let before = tcgetattr(&terminal)?;
        let mut unseen = before.clone();
        // An interrupt would end the process and leave the terminal as it is now. It is taken for
        // the end of a line instead.
        unseen.local_modes -= LocalModes::ECHO | LocalModes::ISIG;
        unseen.special_codes[SpecialCodeIndex::VEOL] = INTERRUPT;
        tcsetattr(&terminal, OptionalActions::Flush, &unseen)?;
        Ok(Self { terminal, before })
    }

    fn line(&mut self, prompt: &str) -> Result<Zeroizing<Vec<u8>>, Box<dyn Error + Send + Sync>> {
        write!(self.terminal, "{prompt}: ")?;
        let mut line = Zeroizing::new(Vec::with_capacity(LINE_BYTES_MAX + 1));
        let mut byte = Zeroizing::new([0]);
        while self.terminal.read(&mut *byte)? == 1 && byte[0] != b'\n' {
            if byte[0] == INTERRUPT {
                writeln!(self.terminal)?;
                return Err("interrupted: nothing was done".into());
            }
            line.push(byte[0]);
        }
        writeln!(self.terminal)?;
        match line.len() < LINE_BYTES_MAX {
            true => Ok(line),
            false => Err(format!(
                "{prompt}: a terminal takes less than {LINE_BYTES_MAX} bytes; give it in a file"
            )
            .into()),
        }
    }
}

impl Drop for Unseen {
    fn drop(&mut self) {
        // A terminal that has gone away needs nothing any more.
        let _gone = tcsetattr(&self.terminal, OptionalActions::Now, &self.before);
    }
}

/// What a terminal sends for Control-C.
const INTERRUPT: u8 = 0x03;
/// Linux cuts longer lines off at a terminal (`N_TTY_BUF_SIZE`), and says nothing.
const LINE_BYTES_MAX: usize = 4095;
/// What most secrets fit in, so that no copy of one is left behind by growing.
const CAPACITY: usize = 64 << 10;
/// More than the API takes.
const BYTES_MAX: u64 = 1 << 20;

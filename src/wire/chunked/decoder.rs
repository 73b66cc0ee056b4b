use bytes::{Buf as _, Bytes};
use names::{Checksum, ChecksumAlgorithm};

use super::chain::Signatures;
use super::error::ChunkedError;

/// Decodes one aws-chunked body, however it is cut into pieces.
///
/// ```text
/// 10000;chunk-signature=<64 hex> ⏎ 65,536 bytes ⏎     signed
/// 10000 ⏎ 65,536 bytes ⏎                              unsigned
/// 0;chunk-signature=<64 hex> ⏎
/// x-amz-checksum-crc32c:sOO8/Q== ⏎                    as x-amz-trailer announced it
/// x-amz-trailer-signature:<64 hex> ⏎                  where the trailer is signed
/// ⏎
/// ```
///
/// A chunk may have 5 GiB, so its bytes are **handed out before its signature is known**, all but
/// the last piece of it. Whoever takes them may hash, seal and store them but must let nobody see
/// them before [`finish`](Self::finish) has succeeded: only then is every byte the one that was
/// signed, and the body as long as it was to be.
///
/// Amazon wants chunks of 8 KiB at least; clients send smaller ones, and so they may. But a body
/// whose framing outweighs its bytes costs a signature for next to nothing, and is refused once
/// there are 64 KiB of framing more than there are bytes.
pub struct Decoder {
    signatures: Signatures,
    length: u64,
    announced: Option<ChecksumAlgorithm>,
    state: State,
    /// The line that is being read, without its end.
    line: Vec<u8>,
    decoded_bytes: u64,
    framing_bytes: u64,
    checksum: Option<Checksum>,
}

/// What comes next.
#[derive(Clone, Copy)]
enum State {
    /// A chunk's size and signature.
    Size,
    /// That many bytes of a chunk; at least one.
    Data(u64),
    /// The end of the line behind a chunk.
    DataEnd,
    /// A line of the trailer, or the empty one at its end.
    Trailer,
    /// The trailer's signature stood; only the empty line may follow.
    TrailerEnd,
    /// Nothing.
    Ended,
    /// Nothing, since the body was refused.
    Failed(ChunkedError),
}

impl Decoder {
    /// Begins a body that shall have `length` bytes, as `x-amz-decoded-content-length` says, and
    /// may end with the checksum that `x-amz-trailer` announced.
    pub fn new(signatures: Signatures, length: u64, announced: Option<ChecksumAlgorithm>) -> Self {
        Self {
            signatures,
            length,
            announced,
            state: State::Size,
            line: Vec::new(),
            decoded_bytes: 0,
            framing_bytes: 0,
            checksum: None,
        }
    }

    /// Takes what it needs from `input` and gives the next bytes of the body, never none of them
    /// and never a copy. `None` when `input` is used up: call it again with more.
    ///
    /// # Errors
    /// Whatever is wrong, then and ever after.
    pub fn decode(&mut self, input: &mut Bytes) -> Result<Option<Bytes>, ChunkedError> {
        let decoded = self.advance(input);
        if let Err(error) = decoded {
            self.state = State::Failed(error);
        }
        decoded
    }

    /// The input has ended. Gives the checksum from the trailer; `None` when it held none, also
    /// when one was announced: whether a header makes up for it is the caller's to judge.
    ///
    /// # Errors
    /// [`ChunkedError::TooShort`] before the end, or what [`decode`](Self::decode) found.
    pub fn finish(self) -> Result<Option<Checksum>, ChunkedError> {
        match self.state {
            State::Ended => Ok(self.checksum),
            State::Failed(error) => Err(error),
            _ => Err(ChunkedError::TooShort),
        }
    }

    fn advance(&mut self, input: &mut Bytes) -> Result<Option<Bytes>, ChunkedError> {
        loop {
            match self.state {
                State::Failed(error) => return Err(error),
                State::Data(_) | State::Ended if input.is_empty() => return Ok(None),
                State::Data(left) => return self.data(left, input).map(Some),
                State::Ended => return Err(ChunkedError::Framing("bytes behind the end")),
                State::Size | State::DataEnd | State::Trailer | State::TrailerEnd => {}
            }
            if !self.line(input)? {
                return Ok(None);
            }
            self.whole_line()?;
            self.line.clear();
        }
    }

    fn whole_line(&mut self) -> Result<(), ChunkedError> {
        let is_empty = self.line.is_empty();
        match self.state {
            State::Size => self.size(),
            State::Trailer if is_empty => self.end(),
            State::Trailer => self.trailer(),
            State::TrailerEnd if is_empty => {
                self.state = State::Ended;
                Ok(())
            }
            State::TrailerEnd => Err(ChunkedError::Trailer("bytes behind the signature")),
            State::DataEnd if is_empty => {
                self.state = State::Size;
                Ok(())
            }
            _ => Err(ChunkedError::Framing("bytes behind a chunk")),
        }
    }

    /// Reads on to the end of a line; whether it was reached. It leaves the line without its end.
    fn line(&mut self, input: &mut Bytes) -> Result<bool, ChunkedError> {
        while let Some(byte) = input.first().copied() {
            input.advance(1);
            if byte == b'\n' && self.line.last() == Some(&b'\r') {
                self.line.pop();
                return Ok(true);
            }
            if self.line.len() == LINE_BYTES_MAX {
                return Err(match self.state {
                    State::Trailer | State::TrailerEnd => {
                        ChunkedError::Trailer("a line is too long")
                    }
                    _ => ChunkedError::Framing("a line is too long"),
                });
            }
            self.line.push(byte);
        }
        Ok(false)
    }

    fn size(&mut self) -> Result<(), ChunkedError> {
        let syntax = ChunkedError::Framing("a chunk begins with its size and signature");
        let digits = match self.signatures.chain() {
            None => &self.line[..],
            Some(chain) => {
                let at = self
                    .line
                    .iter()
                    .position(|byte| *byte == b';')
                    .ok_or(syntax)?;
                let (digits, extension) = self.line.split_at(at);
                let signature = extension.strip_prefix(b";chunk-signature=").ok_or(syntax)?;
                chain.begin(signature_of(signature).ok_or(syntax)?);
                digits
            }
        };
        let size = size_of(digits).ok_or(syntax)?;
        self.framing_bytes += (self.line.len() + CRLF.len() * 2) as u64;
        if self.framing_bytes.saturating_sub(self.decoded_bytes) > OVERHEAD_BYTES_MAX {
            return Err(ChunkedError::Framing(
                "the chunks are smaller than their framing",
            ));
        }
        if size > self.length - self.decoded_bytes {
            return Err(ChunkedError::TooLong);
        }
        self.state = State::Data(size);
        if size == 0 {
            if self.decoded_bytes < self.length {
                return Err(ChunkedError::TooShort);
            }
            if let Some(chain) = self.signatures.chain() {
                chain.end()?;
            }
            self.state = State::Trailer;
        }
        Ok(())
    }

    fn data(&mut self, left: u64, input: &mut Bytes) -> Result<Bytes, ChunkedError> {
        let taken = usize::try_from(left).map_or(input.len(), |left| left.min(input.len()));
        let bytes = input.split_to(taken);
        let left = left - taken as u64;
        self.decoded_bytes += taken as u64;
        self.state = State::Data(left);
        if let Some(chain) = self.signatures.chain() {
            chain.update(&bytes);
            if left == 0 {
                chain.end()?;
            }
        }
        if left == 0 {
            self.state = State::DataEnd;
        }
        Ok(bytes)
    }

    /// A line of the trailer, `name:value`. Some clients (minio-go) end it with one line feed more,
    /// as the reference's own example can be read.
    fn trailer(&mut self) -> Result<(), ChunkedError> {
        let line = self.line.strip_suffix(b"\n").unwrap_or(&self.line);
        let (name, value) = std::str::from_utf8(line)
            .ok()
            .and_then(|line| line.split_once(':'))
            .ok_or(ChunkedError::Trailer("a line has no name"))?;
        let value = value.trim_matches([' ', '\t']);
        if let Signatures::ChunksAndTrailer(chain) = &mut self.signatures
            && name.eq_ignore_ascii_case("x-amz-trailer-signature")
        {
            let signature = signature_of(value.as_bytes()).ok_or(ChunkedError::Signature)?;
            // What was read is all there was: one line at most.
            let lines = self.checksum.map_or(String::new(), |checksum| {
                format!("{}:{checksum}\n", checksum.algorithm().header())
            });
            chain.end_trailer(&lines, signature)?;
            self.state = State::TrailerEnd;
            return Ok(());
        }
        let announced = self
            .announced
            .filter(|algorithm| {
                !matches!(self.signatures, Signatures::Chunks(_))
                    && name.eq_ignore_ascii_case(algorithm.header())
            })
            .ok_or(ChunkedError::Trailer("a header was not announced"))?;
        let checksum = Checksum::parse(announced, value)
            .map_err(|_| ChunkedError::Trailer("a checksum does not parse"))?;
        if self.checksum.replace(checksum).is_some() {
            return Err(ChunkedError::Trailer("a header is given twice"));
        }
        Ok(())
    }

    /// The trailer ends without a signature.
    fn end(&mut self) -> Result<(), ChunkedError> {
        // Without a checksum there is nothing that could have been changed: see `finish`.
        let must_be_signed = matches!(self.signatures, Signatures::ChunksAndTrailer(_));
        if must_be_signed && self.checksum.is_some() {
            return Err(ChunkedError::Trailer("x-amz-trailer-signature is missing"));
        }
        self.state = State::Ended;
        Ok(())
    }
}

/// One to sixteen hexadecimal digits.
fn size_of(digits: &[u8]) -> Option<u64> {
    if !(1..=SIZE_DIGITS_MAX).contains(&digits.len()) {
        return None;
    }
    digits.iter().try_fold(0, |size: u64, digit| {
        let digit = char::from(*digit).to_digit(16)?;
        Some(size << 4 | u64::from(digit))
    })
}

fn signature_of(digits: &[u8]) -> Option<[u8; 32]> {
    let mut signature = [0; 32];
    hex::decode_to_slice(digits, &mut signature).ok()?;
    Some(signature)
}

const CRLF: &[u8] = b"\r\n";
const SIZE_DIGITS_MAX: usize = 16;
/// The longest that is sent has 98 bytes: sixteen digits and a signature.
const LINE_BYTES_MAX: usize = 256;
const OVERHEAD_BYTES_MAX: u64 = 64 * 1024;

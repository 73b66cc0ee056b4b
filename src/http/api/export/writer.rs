use std::pin::pin;

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use serde::Serialize;
use tokio::sync::mpsc;
use wire::wiped_json;

use super::error::{Ended, wrong};
use crate::http::api::problem::Problem;
use crate::http::pipeline::Fault;
use crate::ops::Archive;

/// Writes an archive, piece by piece as they are taken.
pub(super) struct Writer {
    archive: Archive,
    pieces: mpsc::Sender<Piece>,
}

/// Bytes; nothing at the end of a whole archive; or why it breaks off.
pub(super) type Piece = Result<Option<Bytes>, Fault>;

impl Writer {
    pub(super) fn new(archive: Archive, pieces: mpsc::Sender<Piece>) -> Self {
        Self { archive, pieces }
    }

    /// A list as files of JSON lines, one for each page.
    pub(super) async fn list<T, V: Serialize>(
        &mut self,
        folder: &str,
        pages: impl Stream<Item = Result<Vec<T>, Ended>>,
        view: impl Fn(&T) -> V,
    ) -> Result<(), Ended> {
        let mut pages = pin!(pages.enumerate());
        while let Some((number, page)) = pages.next().await {
            self.page(folder, number, page?.iter().map(&view)).await?;
        }
        Ok(())
    }

    /// One page of a list.
    pub(super) async fn page<V: Serialize>(
        &mut self,
        folder: &str,
        number: usize,
        views: impl Iterator<Item = V>,
    ) -> Result<(), Ended> {
        let mut lines = Vec::new();
        for view in views {
            serde_json::to_writer(&mut lines, &view).map_err(Problem::internal)?;
            lines.push(b'\n');
        }
        self.lines(folder, number, lines).await
    }

    /// A file of JSON lines; none, if there are none.
    pub(super) async fn lines(
        &mut self,
        folder: &str,
        number: usize,
        lines: Vec<u8>,
    ) -> Result<(), Ended> {
        if lines.is_empty() {
            return Ok(());
        }
        let name = format!("{folder}/{:08}.jsonl", number + 1);
        self.file(name, lines.into()).await
    }

    /// A file of one JSON value, of which nothing is left behind in memory.
    pub(super) async fn json(&mut self, name: String, value: &impl Serialize) -> Result<(), Ended> {
        let bytes = wiped_json(value).map_err(Problem::internal)?;
        self.file(name, Bytes::from_owner(bytes)).await
    }

    /// A file whose bytes are at hand.
    async fn file(&mut self, name: String, bytes: Bytes) -> Result<(), Ended> {
        self.begin(name, bytes.len() as u64).await?;
        self.piece(bytes).await?;
        self.end().await
    }

    /// Begins a file of `size` bytes.
    pub(super) async fn begin(&mut self, name: String, size: u64) -> Result<(), Ended> {
        let head = self.archive.begin(name, size);
        self.send(head).await
    }

    /// The next bytes of the file that was begun.
    pub(super) async fn piece(&mut self, bytes: Bytes) -> Result<(), Ended> {
        self.archive.count(&bytes);
        self.send(bytes).await
    }

    /// Ends the file that was begun.
    pub(super) async fn end(&mut self) -> Result<(), Ended> {
        let end = self.archive.end().map_err(wrong)?;
        self.send(end).await
    }

    /// Ends the archive, or breaks it off.
    pub(super) async fn close(self, written: Result<(), Ended>) {
        let Self { archive, pieces } = self;
        let last = match written {
            Ok(()) => match pieces.send(Ok(Some(archive.close()))).await {
                // Whoever takes it waits for this: without it, it was cut.
                Ok(()) => Ok(None),
                Err(_) => return,
            },
            Err(Ended::Failed(fault)) => Err(fault),
            Err(Ended::Unheard) => return,
        };
        // Nobody may be left to be told.
        let _unheard = pieces.send(last).await;
    }

    async fn send(&self, bytes: Bytes) -> Result<(), Ended> {
        match bytes.is_empty() {
            true => Ok(()),
            false => {
                let sent = self.pieces.send(Ok(Some(bytes))).await;
                sent.map_err(|_| Ended::Unheard)
            }
        }
    }
}

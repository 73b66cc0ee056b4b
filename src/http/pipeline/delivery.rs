use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use http::StatusCode;

use super::answer::{BrokenOff, Pieces};
use super::call::Call;
use super::door::Fault;
use crate::audit::Decision;
use crate::authz::Receipt;

/// Hands out a streamed answer and closes its call: when the last piece leaves, when something
/// breaks, or when the client does.
pub(super) fn deliver(
    call: Call,
    status: StatusCode,
    receipt: Receipt,
    length: Option<u64>,
    pieces: Pieces,
) -> impl Stream<Item = Result<Bytes, BrokenOff>> + Send {
    let delivery = Delivery {
        call,
        status,
        receipt: Receipt {
            bytes_out: 0,
            ..receipt
        },
        length,
        pieces,
    };
    stream::try_unfold(delivery, |mut delivery| async move {
        Ok(delivery.next().await?.map(|bytes| (bytes, delivery)))
    })
}

struct Delivery {
    call: Call,
    status: StatusCode,
    receipt: Receipt,
    /// How many bytes it has, where that is known.
    length: Option<u64>,
    pieces: Pieces,
}

impl Delivery {
    async fn next(&mut self) -> Result<Option<Bytes>, BrokenOff> {
        if self.call.is_closed() {
            return Ok(None);
        }
        let piece = match self.pieces.next().await {
            Some(Ok(piece)) => piece,
            Some(Err(fault)) => return self.break_off(fault).await,
            None if self.length.is_none() => return self.close().map(|()| None),
            None => {
                let fault = Fault::Damaged("an object ends before its length".to_owned());
                return self.break_off(fault).await;
            }
        };
        self.receipt.bytes_out += piece.len() as u64;
        if self
            .length
            .is_some_and(|length| self.receipt.bytes_out >= length)
        {
            self.close()?;
        }
        Ok(Some(piece))
    }

    /// The last piece, or the end, stays here if the log cannot be written: nobody has then got a
    /// whole answer that nobody knows of.
    fn close(&mut self) -> Result<(), BrokenOff> {
        self.call.close(self.status, self.receipt).map_err(|error| {
            tracing::error!(request_id = %self.call.id(), %error, "a read was not recorded");
            BrokenOff
        })
    }

    async fn break_off(&mut self, fault: Fault) -> Result<Option<Bytes>, BrokenOff> {
        let request_id = self.call.id();
        let decision = match fault {
            Fault::Damaged(what) => {
                tracing::error!(%request_id, what, "an answer broke off: damaged");
                Decision::Damaged { what }
            }
            // Rights were taken away under way.
            Fault::Refused(rule) => Decision::Refused { rule },
            Fault::Operator(cause) => {
                tracing::warn!(%request_id, cause, "an answer broke off");
                return Err(BrokenOff);
            }
            Fault::Caller => return Err(BrokenOff),
        };
        if let Err(error) = self.call.record_deed(decision).await {
            tracing::error!(%request_id, %error, "why an answer broke off was not recorded");
        }
        Err(BrokenOff)
    }
}

/// The client broke off, or the answer did: what has left until now is what was read.
impl Drop for Delivery {
    fn drop(&mut self) {
        if self.call.is_closed() {
            return;
        }
        if let Err(error) = self.call.close(self.status, self.receipt) {
            tracing::error!(request_id = %self.call.id(), %error, "a read was not recorded");
        }
    }
}

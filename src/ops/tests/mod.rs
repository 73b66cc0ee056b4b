//! Jobs of the operator on a real catalog, real blobs and a real Drive.

mod collect;
mod destroy;
mod expire;
mod files;
mod root;
mod rotate;
mod settle;
mod tenant;
mod vault;
mod verify;
mod world;

use std::pin::pin;
use std::task::Poll;

/// Runs a job until it has waited `steps` times, and ends it there as a crash does. Returns what
/// it gave if it came to its end before.
async fn crash_after<T>(steps: usize, job: impl Future<Output = T>) -> Option<T> {
    let mut job = pin!(job);
    let mut waited = 0;
    std::future::poll_fn(|context| match job.as_mut().poll(context) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending if waited == steps => Poll::Ready(None),
        Poll::Pending => {
            waited += 1;
            Poll::Pending
        }
    })
    .await
}

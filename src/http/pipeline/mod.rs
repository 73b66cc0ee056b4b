//! The one pipeline of every door: authenticate → standing → record what is intended → authorize →
//! allowance → service → record and meter → answer. Doors say how requests are read and answers
//! written.

mod answer;
mod call;
mod delivery;
mod door;
mod head;
mod request_id;
mod serve;
mod visit;
mod witness;

#[cfg(test)]
mod tests;

pub use answer::{Answer, Body, BrokenOff, Content, Pieces};
pub use call::Call;
pub use door::{Deed, Door, DoorError, Fault, Intent, Read, Refused};
pub use head::Head;
pub use request_id::RequestId;
pub use serve::Pipeline;
pub use visit::Visit;
pub use witness::Witness;

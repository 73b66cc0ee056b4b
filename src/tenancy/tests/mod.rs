//! The organization model on a real catalog, through its services.

mod accounts;
mod agents;
mod credentials;
mod grants;
mod house;
mod invitations;
mod lifecycle;
mod narrowing;
mod organizations;
mod people;
mod property;
mod tampering;

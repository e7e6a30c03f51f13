//! Bad input at the door: rows I1 to I24.

mod bodies;
mod connections;
mod content;
mod door;
mod doubles;
mod raw;
mod routes;
mod secrets;
mod signatures;
mod slow_queue;
mod starving;
mod time;

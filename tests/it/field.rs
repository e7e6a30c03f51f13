//! Faults that were seen in the field: one test for each row of the list in field/README.md, named after its number
//! (`f1_...` to `f30_...`), here or beside the unit that it is about.

mod chat;
mod commands;
mod conference;
mod joining;
mod names;
mod operations;
mod phrases;
mod shown;

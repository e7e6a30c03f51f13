//! Faults that were seen in the field: one test for each row of tests/it/field/README.md, named after its number
//! (`f1_...` to `f30_...`), here or beside the unit that it is about.

mod background;
mod chat;
mod commands;
mod conference;
mod joining;
mod names;
mod operations;
mod phrases;
mod probes;
mod shown;

/// How many rows the list has.
const ROWS: u32 = 30;

#[test]
fn every_row_has_a_test() {
    let tested = crate::faults::functions_by_prefix();
    let rows = (1..=ROWS).map(|row| format!("f{row}"));
    let missing: Vec<String> = rows.filter(|row| !tested.contains_key(row)).collect();
    assert!(missing.is_empty(), "no test: {missing:?}");
}

//! The fault matrix: one test for each row, named after its id (`i1_...` to `o13_...`), on the real binary. What a
//! row has no test for, and why, stands in faults/README.md.

mod crash_points;
mod ingest;
mod operations;
mod poison;
mod queue;
mod storage;
mod worker;

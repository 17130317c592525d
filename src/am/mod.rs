//! The index access method `learned`: one file for each group of callbacks.
//!
//! | file            | callbacks                                                       |
//! |-----------------|-----------------------------------------------------------------|
//! | `handler.rs`    | the table of all callbacks and flags                            |
//! | `build.rs`      | `ambuild`, `ambuildempty`, `ambuildphasename`                   |
//! | `insert.rs`     | `aminsert`; `unique.rs` checks that keys are unique             |
//! | `scan.rs`       | `ambeginscan` to `amendscan`, `amcanreturn`; `range_scan.rs` has |
//! |                 | the state between the calls                                     |
//! | `parallel.rs`   | parallel scans                                                  |
//! | `vacuum.rs`     | `ambulkdelete`, `amvacuumcleanup`                               |
//! | `validate.rs`   | `amvalidate`; `opclass.rs` has the SQL of the operator classes  |
//!
//! `amcostestimate` is in [`crate::planner`], `amoptions` in [`crate::options`].

pub mod build;
pub mod handler;
pub mod insert;
pub mod opclass;
pub mod parallel;
pub mod range_scan;
pub mod scan;
pub mod unique;
pub mod vacuum;
pub mod validate;

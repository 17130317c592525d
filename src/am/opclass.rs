//! What the SQL of the operator classes and the handler agree on.

// The file is installed as it is. This lets `cargo pgrx install`, too, install what it says and
// nothing else: all functions have `sql = false`.
pgrx::extension_sql_file!("../../sql/omendb--0.1.0.sql", name = "extension");

/// Strategies `<`, `<=`, `=`, `>=`, `>`, numbered as in nbtree.
pub const STRATEGIES: u16 = 5;
/// Support functions: number 1 compares.
pub const SUPPORTS: u16 = 1;

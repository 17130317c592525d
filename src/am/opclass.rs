//! The SQL of the operator classes, and how many operators and functions each has.

pgrx::extension_sql_file!(
    "../../sql/opclasses.sql",
    name = "operator_classes",
    requires = [handler::learned_handler]
);

/// Strategies `<`, `<=`, `=`, `>=`, `>`, numbered as in nbtree.
pub const STRATEGIES: u16 = 5;
/// Support functions: number 1 compares.
pub const SUPPORTS: u16 = 1;

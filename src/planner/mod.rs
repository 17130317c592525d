//! What the planner is told.

pub mod cost;

//! Every threshold that decides how the index behaves, with its unit, what it trades, and the test
//! or benchmark that measures it. None of them is part of the page format: a library with other
//! values reads the same pages.

pub mod model;
pub mod tree;

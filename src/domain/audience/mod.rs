//! Whom a notification is for: conditions as a caller writes them, the checked form that stores
//! compile, the pure evaluator that says what is right, and its explanation for one device.

mod clause;
mod evaluator;
mod explanation;
mod parse;
mod spec;

pub use clause::{Clause, Comparison, Field, Key, Leaf, Number, Test};
pub use explanation::{Explanation, MAX_SHOWN_CHARS, MAX_SHOWN_ELEMENTS, Part, Seen};
pub use parse::{MAX_DEPTH, MAX_LEAVES, parse};
pub use spec::{ClauseSpec, JoinType};

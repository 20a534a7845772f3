//! The rule language: CEL text to a checked condition, judged in memory; the gate that authorises plans.

pub mod expression;

pub use expression::{Condition, Expression, Mistake, Rule, Type};

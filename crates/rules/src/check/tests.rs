//! The contract's sentences about CEL, one by one.

mod meaning;
mod mistakes;
mod spread;

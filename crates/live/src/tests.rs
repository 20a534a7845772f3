//! Stories of people who listen, over a store that lives in memory.

mod asking;
mod falling_behind;
mod seeing;
mod trouble;
mod world;

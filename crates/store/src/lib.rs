//! What a store promises: traits, the write path, the migration planner and the conformance suite.

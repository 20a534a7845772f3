//! Sentences of the contract.

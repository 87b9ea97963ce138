//! Nothing: the programs are in bin/, one for each defect, so that a backend that refuses one still compiles the others.
//! What each may say is in expected.toml.

#![no_std]

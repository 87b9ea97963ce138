//! Nothing: the programs are in bin/, one for each group of cases.

#![no_std]

//! Clocks, addresses, configuration and commands of operators.

mod addresses;
mod clocks;
mod commands;

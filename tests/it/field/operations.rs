//! Clocks, addresses, configuration and commands of operators.

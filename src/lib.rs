//! meetrelay

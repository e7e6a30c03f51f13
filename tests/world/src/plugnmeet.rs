//! A strict, stateful fake of plugNmeet 2.4.

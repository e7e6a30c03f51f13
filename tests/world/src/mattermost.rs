//! A strict, stateful fake of Mattermost 11.

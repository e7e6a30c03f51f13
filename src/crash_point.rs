//! Named places where a test ends the process or makes it panic, as a power cut or a defect would. Only builds with the
//! feature `crash-points`, which the tests use, have them. In every other build the calls do nothing.
//!
//! `MEETRELAY_CRASH_AT=PLACE` ends the process when it reaches PLACE for the first time, and `PLACE#3` for the third
//! time. `PLACE@TEXT` ends it every time that the description of the work contains TEXT. `MEETRELAY_PANIC_AT` has the
//! same format and makes the process panic instead.

/// The process is at `place`.
#[inline(always)]
pub(crate) fn reach(place: &'static str) {
    reach_for(place, String::new);
}

/// The process is at `place` and works on what `what` describes.
#[cfg(not(feature = "crash-points"))]
#[inline(always)]
pub(crate) fn reach_for(_place: &'static str, _what: impl FnOnce() -> String) {}

#[cfg(feature = "crash-points")]
pub(crate) use armed::reach_for;

#[cfg(feature = "crash-points")]
mod armed {
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU32, Ordering};

    static CRASH: LazyLock<Option<Trap>> = LazyLock::new(|| Trap::of("MEETRELAY_CRASH_AT"));
    static PANIC: LazyLock<Option<Trap>> = LazyLock::new(|| Trap::of("MEETRELAY_PANIC_AT"));

    /// The process is at `place` and works on what `what` describes.
    pub(crate) fn reach_for(place: &'static str, what: impl FnOnce() -> String) {
        let (crash, panic) = (at(&CRASH, place), at(&PANIC, place));
        if crash.is_none() && panic.is_none() {
            return;
        }
        let what = what();
        if crash.is_some_and(|trap| trap.springs(&what)) {
            // No destructor runs and no buffer is written: as after SIGKILL.
            std::process::abort();
        }
        assert!(
            !panic.is_some_and(|trap| trap.springs(&what)),
            "the test asked for a panic at {place}"
        );
    }

    fn at(trap: &'static LazyLock<Option<Trap>>, place: &str) -> Option<&'static Trap> {
        trap.as_ref().filter(|trap| trap.place == place)
    }

    struct Trap {
        place: String,
        when: When,
    }

    enum When {
        /// The n-th time; counts down to 1.
        Nth(AtomicU32),
        /// Each time that the description of the work contains this text.
        Contains(String),
    }

    impl Trap {
        #[expect(
            clippy::disallowed_methods,
            reason = "no configuration of operators: no released build reads it"
        )]
        fn of(variable: &str) -> Option<Self> {
            std::env::var(variable).ok().map(|text| Self::parse(&text))
        }

        fn parse(text: &str) -> Self {
            let (place, when) = if let Some((place, needle)) = text.split_once('@') {
                (place, When::Contains(needle.to_owned()))
            } else {
                let (place, count) = text.split_once('#').unwrap_or((text, "1"));
                // A count that is not a number is a mistake in the test and counts as 1.
                (
                    place,
                    When::Nth(AtomicU32::new(count.parse().unwrap_or(1).max(1))),
                )
            };
            Self {
                place: place.to_owned(),
                when,
            }
        }

        fn springs(&self, what: &str) -> bool {
            match &self.when {
                When::Contains(needle) => what.contains(needle),
                // After 0 it wraps around, and does not reach 1 again while a test runs.
                When::Nth(left) => left.fetch_sub(1, Ordering::Relaxed) == 1,
            }
        }
    }

    #[cfg(test)]
    mod tests {
        use super::Trap;

        #[test]
        fn trap_springs_the_named_time_only() {
            let trap = Trap::parse("queue.fsync#2");
            let sprung: Vec<bool> = (0..4).map(|_| trap.springs("")).collect();
            assert_eq!(trap.place, "queue.fsync");
            assert_eq!(sprung, [false, true, false, false]);
        }

        #[test]
        fn trap_for_a_text_springs_for_it_each_time() {
            let trap = Trap::parse("apply@poison");
            assert_eq!(trap.place, "apply");
            assert!(trap.springs("a poison pill") && trap.springs("poison"));
            assert!(!trap.springs("bread"));
        }
    }
}

//! What happens and when: traffic and troubles, all drawn from the seed before the first request.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

use super::trouble::{ChatTrouble, ClockTrouble, ConferenceTrouble, ServerTrouble, Trouble};

/// Quiet before the first trouble, so that a run that cannot work at all is seen as such.
const QUIET: Duration = Duration::from_secs(3);
/// One trouble follows another after so many milliseconds.
const GAP_MS: std::ops::Range<u64> = 1_000..4_000;

/// How a meeting is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartBy {
    /// "meet now: ..." in the channel.
    Post,
    /// The slash command.
    Command,
}

/// How a meeting ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndBy {
    /// The starter's slash command.
    Command,
    /// A moderator in plugNmeet.
    Moderator,
    /// Everybody leaves.
    Leaving,
}

/// One meeting's life, as far as people decide it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Life {
    pub number: u32,
    pub due: Duration,
    pub start: StartBy,
    /// Somebody else asks in the same channel so long after the first.
    pub again: Option<Duration>,
    pub people: u8,
    /// How long it runs after its room is there.
    pub lasts: Duration,
    pub end: EndBy,
    pub is_recorded: bool,
    pub is_summarised: bool,
}

/// One trouble and its time.
#[derive(Clone, Debug, PartialEq)]
pub struct Planned {
    pub at: Duration,
    pub lasts: Duration,
    pub trouble: Trouble,
}

/// The whole run.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    pub lives: Vec<Life>,
    pub troubles: Vec<Planned>,
}

/// Who can get into trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parts {
    pub replicas: usize,
    pub has_broker: bool,
    pub has_postgres: bool,
}

impl Plan {
    /// The plan of a seed: the same arguments give the same plan.
    pub fn draw(seed: u64, run: Duration, rate: f64, parts: Parts) -> Self {
        // Traffic and troubles have their own chance, so that another set of parts leaves the traffic as it is.
        let lives = lives(&mut StdRng::seed_from_u64(seed), run, rate);
        let troubles = troubles(&mut StdRng::seed_from_u64(!seed), run, parts);
        Self { lives, troubles }
    }
}

fn lives(chance: &mut StdRng, run: Duration, rate: f64) -> Vec<Life> {
    let mut lives = Vec::new();
    let mut due = Duration::ZERO;
    loop {
        // Evenly in the mean, with neighbours close together and far apart.
        due += Duration::from_secs_f64(chance.random_range(0.2..1.8) / rate);
        if due >= run {
            return lives;
        }
        let again = chance.random_bool(0.3);
        let wait = Duration::from_millis(chance.random_range(0..3_000));
        lives.push(Life {
            number: lives.len() as u32,
            due,
            start: *[StartBy::Post, StartBy::Command]
                .choose(chance)
                .unwrap_or(&StartBy::Post),
            again: again.then_some(wait),
            people: chance.random_range(0..=3),
            lasts: Duration::from_millis(chance.random_range(200..8_000)),
            end: *[EndBy::Command, EndBy::Moderator, EndBy::Leaving]
                .choose(chance)
                .unwrap_or(&EndBy::Moderator),
            is_recorded: chance.random_bool(0.3),
            is_summarised: chance.random_bool(0.2),
        });
    }
}

fn troubles(chance: &mut StdRng, run: Duration, parts: Parts) -> Vec<Planned> {
    let mut planned = Vec::new();
    let mut at = QUIET;
    while at < run {
        let trouble = trouble(chance, parts);
        let lasts = Duration::from_millis(chance.random_range(200..trouble.lasts_max_ms()));
        planned.push(Planned { at, lasts, trouble });
        at += Duration::from_millis(chance.random_range(GAP_MS));
    }
    planned
}

fn trouble(chance: &mut StdRng, parts: Parts) -> Trouble {
    let relay = chance.random_range(0..parts.replicas);
    let mut kinds = vec![
        Trouble::Relay(relay, ServerTrouble::Kill),
        Trouble::Relay(relay, ServerTrouble::Kill),
        Trouble::Relay(relay, ServerTrouble::Stop),
        Trouble::Relay(relay, ServerTrouble::Freeze),
    ];
    let calls = chance.random_range(1..6);
    let chat = *ChatTrouble::ALL
        .choose(chance)
        .unwrap_or(&ChatTrouble::Down);
    let clock = *ClockTrouble::ALL
        .choose(chance)
        .unwrap_or(&ClockTrouble::Ahead);
    kinds.push(Trouble::Clock(relay, clock));
    let conference = *ConferenceTrouble::ALL
        .choose(chance)
        .unwrap_or(&ConferenceTrouble::Down);
    for _ in 0..3 {
        kinds.push(Trouble::Chat(chat, calls));
        kinds.push(Trouble::Conference(conference, calls));
    }
    let server = *ServerTrouble::ALL
        .choose(chance)
        .unwrap_or(&ServerTrouble::Kill);
    if parts.has_broker {
        kinds.extend([Trouble::Broker(server), Trouble::Broker(server)]);
    }
    if parts.has_postgres {
        kinds.extend([Trouble::Postgres(server), Trouble::Postgres(server)]);
    }
    kinds
        .choose(chance)
        .cloned()
        .unwrap_or(Trouble::Relay(relay, ServerTrouble::Kill))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARTS: Parts = Parts {
        replicas: 2,
        has_broker: true,
        has_postgres: true,
    };

    #[test]
    fn seed_gives_the_same_plan_again_and_another_seed_another() {
        let minute = Duration::from_secs(60);
        let one = Plan::draw(7, minute, 3.0, PARTS);
        assert_eq!(one, Plan::draw(7, minute, 3.0, PARTS));
        assert_ne!(one, Plan::draw(8, minute, 3.0, PARTS));
        assert!(
            (150..=210).contains(&one.lives.len()),
            "{}",
            one.lives.len()
        );
        assert!(one.troubles.len() > 15);
    }

    #[test]
    fn only_what_is_there_gets_into_trouble() {
        let alone = Parts {
            replicas: 1,
            has_broker: false,
            has_postgres: false,
        };
        let hour = Plan::draw(7, Duration::from_secs(3_600), 0.1, alone);
        for planned in &hour.troubles {
            let is_there = match planned.trouble {
                Trouble::Relay(number, _) | Trouble::Clock(number, _) => number == 0,
                Trouble::Chat(..) | Trouble::Conference(..) => true,
                Trouble::Broker(_) | Trouble::Postgres(_) => false,
            };
            assert!(is_there, "{planned:?}");
            assert!(planned.lasts <= Duration::from_secs(8), "{planned:?}");
        }
    }
}

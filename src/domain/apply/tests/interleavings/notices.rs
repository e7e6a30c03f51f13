//! Where nothing can be edited: at most one start and one end are told, whatever order facts come in, and nothing is
//! owed for ever.

use std::time::Duration;

use proptest::prelude::*;

use crate::domain::{
    ConversationKind, DeliveryMethod, Fact, Job, Notice, NoticeStep, PostKey, State,
};

use super::relay::{Relay, at};
use super::{Life, Run, Step, runs, settle};

const AGAIN_AFTER: Duration = Duration::from_secs(60);

/// What becomes of a post.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Made,
    /// It stands there, and nobody knows.
    MadeUnknown,
    /// It does not, and nobody knows.
    LostUnknown,
    Refused,
}

fn fates() -> impl Strategy<Value = Vec<Fate>> {
    let fate = prop_oneof![
        4 => Just(Fate::Made),
        1 => Just(Fate::MadeUnknown),
        1 => Just(Fate::LostUnknown),
        1 => Just(Fate::Refused),
    ];
    prop::collection::vec(fate, 40)
}

/// The channel as people see it, and the posts as the chat worker keeps them.
#[derive(Default)]
struct Channel {
    told: Vec<(PostKey, State)>,
    posts: Vec<(PostKey, Fate)>,
}

impl Channel {
    /// Does what is due, once each.
    fn work(&mut self, relay: &mut Relay, fates: &mut impl Iterator<Item = Fate>) {
        let now = relay.now;
        for owed in relay.owed() {
            let key = match &owed.job {
                Job::PostNotice { notice } => notice.post_key(),
                Job::PostArtifact { artifact } => PostKey::Artifact(artifact.clone()),
                _ => continue,
            };
            // Another notice may have taken the last use of a response URL meanwhile.
            if owed.due > now || !relay.owed().contains(&owed) {
                continue;
            }
            let state = relay.state();
            let row = relay.meeting_mut().posts.entry(key.clone()).or_default();
            match row.notice_step(now) {
                NoticeStep::Nothing | NoticeStep::Wait(_) => panic!("{key} is not owed"),
                NoticeStep::CountAsPosted => row.notice_made(now),
                NoticeStep::Post => {
                    let fate = fates.next().unwrap_or(Fate::Made);
                    row.begin_notice(now, AGAIN_AFTER);
                    match fate {
                        Fate::Made => row.notice_made(now),
                        Fate::Refused => row.notice_not_made(),
                        Fate::MadeUnknown | Fate::LostUnknown => {}
                    }
                    if matches!(fate, Fate::Made | Fate::MadeUnknown) {
                        self.told.push((key.clone(), state));
                    }
                    self.posts.push((key, fate));
                }
            }
        }
    }

    fn count(&self, notice: Notice) -> usize {
        let is_it = |(key, _): &&(PostKey, State)| *key == notice.post_key();
        self.told.iter().filter(is_it).count()
    }

    fn has_doubt(&self) -> bool {
        let is_unknown = |fate| matches!(fate, Fate::MadeUnknown | Fate::LostUnknown);
        self.posts.iter().any(|(_, fate)| is_unknown(*fate))
    }
}

fn play(life: &Life, order: &[Step], kind: ConversationKind, fates: Vec<Fate>) -> (Relay, Channel) {
    let mut relay = Relay::new();
    relay.policy.schedule.delivery_method = DeliveryMethod::Notices;
    let (mut channel, mut fates) = (Channel::default(), fates.into_iter());
    let mut request = life.steps()[0].event.clone();
    if let Fact::MeetingRequested { place, .. } = &mut request.fact {
        place.kind = kind;
    }
    relay.apply(&request);
    let mut waiting: Vec<&Step> = order.iter().collect();
    let mut heard = 0;
    while let Some(next) = waiting.iter().position(|step| step.needs.are_met(&relay)) {
        heard += 1;
        relay.now = at(heard);
        relay.apply(&waiting.remove(next).event);
        channel.work(&mut relay, &mut fates);
    }
    settle(&mut relay);
    for pass in 0..100 {
        relay.now = at(30_000 + pass * 100);
        channel.work(&mut relay, &mut fates);
    }
    (relay, channel)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn start_and_end_are_told_once_whatever_order_facts_come_in(run in runs(true)) {
        let Run { life, order } = run;
        let (relay, channel) = play(&life, &order, ConversationKind::Channel, vec![]);
        prop_assert!(channel.count(Notice::Start) <= 1);
        prop_assert_eq!(channel.count(Notice::End), 1, "{:?}", channel.told);
        let artifacts = life.recordings() + life.summaries();
        prop_assert_eq!(channel.told.len(), 1 + channel.count(Notice::Start) + artifacts);
        // The start is told of a meeting that runs, and before its end.
        let start = channel.told.iter().position(|(key, _)| *key == PostKey::Card);
        let end = channel.told.iter().position(|(key, _)| *key == PostKey::Final);
        prop_assert!(start.is_none_or(|start| Some(start) < end && channel.told[start].1.is_running()));
        prop_assert!(end.is_some_and(|end| !channel.told[end].1.is_running()));
        let left: Vec<_> = relay.owed().into_iter().map(|owed| owed.job.key()).collect();
        prop_assert!(left.iter().all(|job| job.starts_with("Poll") || job.starts_with("Answer")), "{left:?}");
    }

    #[test]
    fn whatever_posts_meet_none_stands_there_more_than_twice(run in runs(true), fates in fates()) {
        let (relay, channel) = play(&run.life, &run.order, ConversationKind::Channel, fates);
        for key in channel.told.iter().map(|(key, _)| key) {
            let count = channel.told.iter().filter(|(other, _)| other == key).count();
            prop_assert!(count == 1 || (count == 2 && channel.has_doubt()), "{key} stands there {count} times");
            let row = relay.meeting().post(key).unwrap();
            prop_assert!(row.is_posted() || key == &PostKey::Card, "{row:?}");
        }
        prop_assert!(relay.owed().iter().all(|owed| !owed.job.kind().starts_with("Post")));
    }

    #[test]
    fn response_url_is_used_five_times_at_most_and_not_after_its_time(run in runs(true), fates in fates()) {
        let (relay, channel) = play(&run.life, &run.order, ConversationKind::Direct, fates);
        let refused = channel.posts.iter().filter(|(_, fate)| *fate == Fate::Refused).count();
        prop_assert!(channel.posts.len() - refused <= 5, "{:?}", channel.posts);
        prop_assert_eq!(relay.meeting().hook_uses() as usize, channel.posts.len() - refused);
        prop_assert!(channel.count(Notice::Start) <= 2 && channel.count(Notice::End) <= 2);
        prop_assert!(relay.owed().iter().all(|owed| !owed.job.kind().starts_with("Post")));
    }
}

//! The people and channels that every fake starts with.

use super::model::{Channel, ChannelKind, Model, User};

/// Puts the team, and with `is_populated` its people and channels, into an empty model.
pub(crate) fn plant(model: &mut Model, is_populated: bool, now: i64) {
    let team = model.add_team("eng", "Engineering", now);
    if !is_populated {
        return;
    }
    let people = [
        ("root", "", ""),
        ("alice", "Alice", "Ardent"),
        ("bob", "Bob", "Berger"),
        ("carol", "", ""),
        ("ana", "Ana", "Lopez"),
    ];
    let ids = people.map(|(username, first_name, last_name)| {
        let mut user = User::new(username, first_name, last_name, now);
        if username == "root" {
            user.roles = "system_admin system_user".to_owned();
        }
        let id = user.id.clone();
        model.users.insert(id.clone(), user);
        id
    });
    model.teams[0].members.extend(ids.iter().cloned());
    let root = &ids[0];
    let channels = [
        (ChannelKind::Public, "town-square", "Town Square", &ids[..]),
        (ChannelKind::Public, "off-topic", "Off-Topic", &ids[..]),
        (ChannelKind::Public, "dev", "Dev", &ids[..]),
        (ChannelKind::Public, "weekly", "Weekly", &ids[..]),
        (ChannelKind::Private, "secret", "Secret", &ids[..3]),
    ];
    for (kind, name, display_name, members) in channels {
        let mut channel = Channel::new(kind, &team, name, display_name, root, now);
        channel.members = members.iter().map(|id| (id.clone(), id == root)).collect();
        model.add_channel(channel);
    }
}

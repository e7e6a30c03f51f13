//! What administrators of team and channel do.

use super::FakeMattermost;

impl FakeMattermost {
    /// Takes a user (or bot) out of the first team, and so out of its channels.
    pub fn leave_team(&self, user: &str) {
        let id = self.must_user(user).id;
        self.core.change(|model| {
            model.teams[0].members.remove(&id);
            let team = model.teams[0].id.clone();
            let channels = model.channels.values_mut();
            for channel in channels.filter(|channel| channel.team_id == team) {
                channel.members.remove(&id);
            }
        });
    }

    /// Brings an archived channel back, without its webhooks.
    pub fn unarchive(&self, channel: &str) {
        let id = self.must_channel(channel).id;
        self.core.change(|model| {
            model
                .channels
                .get_mut(&id)
                .map(|channel| channel.delete_at = 0)
        });
    }

    /// Moderates a channel: its members may post, or only its admins.
    pub fn set_read_only(&self, channel: &str, is_read_only: bool) {
        let id = self.must_channel(channel).id;
        self.core.change(|model| {
            model
                .channels
                .get_mut(&id)
                .map(|channel| channel.is_read_only = is_read_only)
        });
    }
}

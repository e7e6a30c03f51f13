//! A plugin's endpoint that posts notices (src/mattermost/README.md, "Plugins"): it takes what an incoming webhook
//! takes, from whoever gives the Authorization value it insists on.

use super::FakeMattermost;
use super::attachment;
use super::core::Core;
use super::id::new_id;
use super::incoming::{self, Shown};
use super::model::User;
use super::server::Reply;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use serde_json::{Map, Value};
use std::sync::Arc;

/// A plugin that is installed and active.
#[derive(Clone, Debug)]
pub(crate) struct Plugin {
    id: String,
    team_id: String,
    /// The account it posts with.
    bot_id: String,
    authorization: String,
    /// As before Mattermost 9.4: the header never reaches a plugin.
    is_header_dropped: bool,
}

/// `POST /plugins/{id}/...`: what the plugin answers, or Mattermost's 404 where there is none.
pub(crate) async fn receive(core: &Arc<Core>, id: &str, head: &Parts, body: &[u8]) -> Reply {
    let text = |status, text: &'static str| Reply::new(status, "text/plain; charset=utf-8", text);
    let find = |plugin: &&Plugin| plugin.id == id;
    let plugin = core.read(|model| model.plugins.iter().find(find).cloned());
    let Some(plugin) = plugin else {
        return text(404, "404 page not found\n");
    };
    let given = head.headers.get(AUTHORIZATION);
    let given = given.filter(|_| !plugin.is_header_dropped);
    if given.is_none_or(|given| given.as_bytes() != plugin.authorization.as_bytes()) {
        return text(401, "not authorized\n");
    }
    let Ok(asked) = serde_json::from_slice::<Map<String, Value>>(body) else {
        return text(400, "no JSON\n");
    };
    let string = |name: &str| asked.get(name).and_then(Value::as_str).unwrap_or_default();
    let name = string("channel");
    let channel = core.read(|model| {
        let mut channels = model.channels.values();
        let here = channels.find(|c| c.team_id == plugin.team_id && c.name == name);
        here.filter(|c| !c.is_archived()).map(|c| c.id.clone())
    });
    let Some(channel) = channel else {
        return text(404, "no such channel\n");
    };
    let attachments = asked.get("attachments").and_then(Value::as_array);
    let attachments = attachments
        .into_iter()
        .flatten()
        .map(|one| attachment::decode(one, &core.unexpected));
    let Ok(attachments) = attachments.collect::<Result<Vec<_>, _>>() else {
        return text(400, "no attachment\n");
    };
    let shown = Shown {
        author: &plugin.bot_id,
        channel: &channel,
        text: string("text"),
        attachments,
        props: Map::new(),
    };
    match incoming::show(core, shown).await {
        Ok(()) => text(201, "posted\n"),
        Err(_) => text(500, "not posted\n"),
    }
}

impl FakeMattermost {
    /// Installs a plugin that posts notices in the first team for whoever sends `Authorization: <authorization>`; gives
    /// the address of its endpoint.
    pub fn install_plugin(&self, authorization: &str) -> String {
        let bot = User::new("notices", "Notices", "", self.clock().now_ms());
        let plugin = Plugin {
            id: format!("org.example.{}", new_id()),
            team_id: self.core.read(|model| model.teams[0].id.clone()),
            bot_id: bot.id.clone(),
            authorization: authorization.to_owned(),
            is_header_dropped: false,
        };
        let address = format!("{}/plugins/{}/api/notice", self.url(), plugin.id);
        self.core.change(|model| {
            let bot = User {
                is_bot: true,
                ..bot
            };
            model.users.insert(bot.id.clone(), bot);
            model.plugins.push(plugin);
        });
        address
    }

    /// From now on the header Authorization does not reach plugins, as before Mattermost 9.4; or it does.
    pub fn drop_authorization(&self, is_dropped: bool) {
        self.core.change(|model| {
            for plugin in &mut model.plugins {
                plugin.is_header_dropped = is_dropped;
            }
        });
    }
}

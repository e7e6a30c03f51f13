//! Slash commands: the request and what the user gets to see
//! (src/mattermost/README.md, "Slash commands" and "Answers to slash commands").

use super::answer::{self, Addressee, CommandResponse};
use super::core::Core;
use super::error::{AppError, status_line};
use super::gostyle::form_encode;
use super::id::new_id;
use super::integration::{self, Outbound};
use super::journal::Delivery;
use super::model::{Channel, ChannelKind, Model, ResponseUrl, SlashCommand, User};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

/// What `POST /commands/execute` would have answered to the user's client, and what it then shows.
#[derive(Clone, Debug, Default)]
pub struct CommandAnswer {
    /// 200, or the status of the error.
    pub status: u16,
    /// Id of the error; empty at 200.
    pub error_id: String,
    /// The error as shown in red under the input line; empty at 200.
    pub error_text: String,
    /// `ephemeral` or `in_channel`.
    pub response_type: String,
    /// The answer's text, before any rewriting.
    pub text: String,
    /// The client opens this address; empty: none.
    pub goto_location: String,
    /// Last segment of the response URL that was handed out.
    pub response_id: String,
}

impl CommandAnswer {
    fn refused(error: AppError) -> Self {
        Self {
            status: error.status,
            error_id: error.id.to_owned(),
            error_text: error.message,
            ..Self::default()
        }
    }
}

/// Runs `line` ("/plugnmeet start") for a user in a channel, or in the thread of `root_id`.
pub(crate) async fn execute(
    core: &Arc<Core>,
    user: &User,
    channel: &Channel,
    line: &str,
    root_id: &str,
) -> CommandAnswer {
    let line = line.strip_prefix('/').unwrap_or(line);
    let (trigger, text) = match line
        .char_indices()
        .find(|(_, letter)| letter.is_whitespace())
    {
        Some((at, blank)) => (&line[..at], &line[at + blank.len_utf8()..]),
        None => (line, ""),
    };
    let trigger = trigger.to_lowercase();
    let Some((command, team_id)) = core.read(|model| find(model, channel, &user.id, &trigger))
    else {
        return CommandAnswer::refused(AppError::new(
            404,
            "api.command.execute_command.not_found.app_error",
            format!(
                "Command with a trigger of '{trigger}' not found. To send a message beginning with \"/\", \
                 try adding an empty space at the beginning of the message."
            ),
        ));
    };
    let response_id = new_id();
    let to = Addressee {
        user_id: user.id.clone(),
        channel_id: channel.id.clone(),
        root_id: root_id.to_owned(),
        command_username: command.username.clone(),
    };
    let now = core.clock.now_ms();
    core.change(|model| {
        model.response_urls.insert(
            response_id.clone(),
            ResponseUrl {
                command_id: command.id.clone(),
                user_id: user.id.clone(),
                channel_id: channel.id.clone(),
                root_id: root_id.to_owned(),
                create_at: now,
                used: 0,
            },
        )
    });
    let pairs = values(
        core,
        &command,
        &team_id,
        user,
        channel,
        text,
        root_id,
        &response_id,
        now,
    );
    let result = ask(core, &command, &trigger, &pairs, &response_id).await;
    match result {
        Ok(None) => CommandAnswer {
            status: 200,
            response_id,
            ..CommandAnswer::default()
        },
        Ok(Some(response)) => match answer::show(core, &to, &response).await {
            Ok(()) => CommandAnswer {
                status: 200,
                response_type: response.kind().to_owned(),
                text: response.text.clone(),
                goto_location: response.goto_location.clone(),
                response_id,
                ..CommandAnswer::default()
            },
            Err(_) => CommandAnswer::refused(AppError::new(
                500,
                "api.command.execute_command.create_post_failed.app_error",
                format!(
                    "Command '{trigger}' failed to post response. Please contact your System Administrator."
                ),
            )),
        },
        Err(error) => CommandAnswer::refused(error),
    }
}

/// The command and the team that the user's client is in (a direct message has none of its own).
fn find(
    model: &Model,
    channel: &Channel,
    user_id: &str,
    trigger: &str,
) -> Option<(SlashCommand, String)> {
    let team_id = if channel.team_id.is_empty() {
        model
            .teams
            .iter()
            .find(|team| team.members.contains(user_id))?
            .id
            .clone()
    } else {
        channel.team_id.clone()
    };
    let mut commands = model.commands.iter();
    let command =
        commands.find(|c| !c.is_deleted && c.team_id == team_id && c.trigger == trigger)?;
    Some((command.clone(), team_id))
}

#[expect(
    clippy::too_many_arguments,
    reason = "one for each part of the request, used once"
)]
fn values(
    core: &Core,
    command: &SlashCommand,
    team_id: &str,
    user: &User,
    channel: &Channel,
    text: &str,
    root_id: &str,
    response_id: &str,
    now: i64,
) -> Vec<(&'static str, String)> {
    let (domain, users, channels) = core.read(|model| {
        let team = model.teams.iter().find(|team| team.id == team_id);
        let members = team.map(|team| &team.members);
        let users: Vec<_> = mentioned(text, '@')
            .filter_map(|name| model.users.values().find(|user| user.username == name))
            .filter(|user| members.is_some_and(|members| members.contains(&user.id)))
            .map(|user| (user.username.clone(), user.id.clone()))
            .collect();
        let channels: Vec<_> = mentioned(text, '~')
            .filter_map(|name| {
                model.channels.values().find(|c| {
                    c.name == name && c.team_id == team_id && c.kind == ChannelKind::Public
                })
            })
            .map(|channel| (channel.name.clone(), channel.id.clone()))
            .collect();
        (
            team.map(|team| team.name.clone()).unwrap_or_default(),
            users,
            channels,
        )
    });
    let mut pairs = vec![
        ("channel_id", channel.id.clone()),
        ("channel_name", channel.name.clone()),
        ("command", format!("/{}", command.trigger)),
        (
            "response_url",
            format!("{}/hooks/commands/{response_id}", core.site_url()),
        ),
        ("root_id", root_id.to_owned()),
        ("team_domain", domain),
        ("team_id", team_id.to_owned()),
        ("text", text.to_owned()),
        ("token", command.token.clone()),
        ("trigger_id", trigger_id(&user.id, now)),
        ("user_id", user.id.clone()),
        ("user_name", user.username.clone()),
    ];
    pairs.extend(
        users
            .iter()
            .map(|(name, _)| ("user_mentions", name.clone())),
    );
    pairs.extend(
        users
            .iter()
            .map(|(_, id)| ("user_mentions_ids", id.clone())),
    );
    pairs.extend(
        channels
            .iter()
            .map(|(name, _)| ("channel_mentions", name.clone())),
    );
    pairs.extend(
        channels
            .iter()
            .map(|(_, id)| ("channel_mentions_ids", id.clone())),
    );
    pairs
}

/// Names behind `sign`, each once.
fn mentioned(text: &str, sign: char) -> impl Iterator<Item = String> {
    let names: BTreeSet<String> = text
        .split_whitespace()
        .filter_map(|word| word.strip_prefix(sign))
        .map(|name| {
            name.trim_end_matches(|c: char| !c.is_ascii_alphanumeric())
                .to_lowercase()
        })
        .filter(|name| !name.is_empty())
        .collect();
    names.into_iter()
}

/// base64("clientTriggerId:userId:millis:signature"); only the server could check the signature.
fn trigger_id(user_id: &str, now: i64) -> String {
    let mut signature = vec![0x30, 0x44, 0x02, 0x20];
    for _ in 0..4 {
        signature.extend_from_slice(uuid::Uuid::new_v4().as_bytes());
    }
    STANDARD.encode(format!(
        "{}:{user_id}:{now}:{}",
        new_id(),
        STANDARD.encode(signature)
    ))
}

/// One attempt. `None`: an answer without content, which is fine and shows nothing.
async fn ask(
    core: &Core,
    command: &SlashCommand,
    trigger: &str,
    pairs: &[(&'static str, String)],
    response_id: &str,
) -> Result<Option<CommandResponse>, AppError> {
    let pairs: Vec<(&str, &str)> = pairs
        .iter()
        .map(|(key, value)| (*key, value.as_str()))
        .collect();
    let form = form_encode(&pairs);
    let (url, body) = if command.is_get {
        let joint = if command.url.contains('?') { '&' } else { '?' };
        (format!("{}{joint}{form}", command.url), String::new())
    } else {
        (command.url.clone(), form)
    };
    let outbound = Outbound {
        is_get: command.is_get,
        url,
        content_type: (!command.is_get).then_some("application/x-www-form-urlencoded"),
        token: Some(command.token.clone()),
        body,
    };
    let (at_ms, start) = (core.clock.now_ms(), Instant::now());
    let answer = integration::call(core, &outbound).await;
    let told = answer.as_ref().map_err(Clone::clone);
    let request_id = answer
        .as_ref()
        .ok()
        .and_then(|answer| answer.request_id.clone());
    core.journal.sent(Delivery {
        at_ms,
        kind: "command",
        url: outbound.url,
        body: outbound.body,
        post_id: String::new(),
        response_id: response_id.to_owned(),
        answer: told.map(|answer| {
            (
                answer.status,
                String::from_utf8_lossy(&answer.body).into_owned(),
            )
        }),
        request_id,
        took: start.elapsed(),
    });
    core.touch();
    let failed = || {
        AppError::new(
            500,
            "api.command.execute_command.failed.app_error",
            format!("Command with a trigger of '{trigger}' failed."),
        )
    };
    let answer = answer.map_err(|_| failed())?;
    if answer.status != 200 {
        return Err(AppError::new(
            500,
            "api.command.execute_command.failed_resp.app_error",
            format!(
                "Command with a trigger of '{trigger}' returned response {}.",
                status_line(answer.status)
            ),
        ));
    }
    CommandResponse::read(&answer.content_type, &answer.body, &core.unexpected)
        .map_err(|()| failed())
}

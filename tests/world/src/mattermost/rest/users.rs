//! People, teams and the server itself.

use super::super::core::Core;
use super::super::error::AppError;
use super::super::server::Reply;
use super::{Session, id_param, json_body, text};
use crate::mattermost::attachment::note_unknown;
use axum::http::request::Parts;
use serde_json::{Map, Value, json};

/// `GET /config/client` as recorded, with and without a session.
const CONFIG_OF_A_BOT: &str =
    include_str!("../../../../vectors/mattermost-11/rest/config-client-bot-200.http");
const CONFIG_OF_ANYONE: &str =
    include_str!("../../../../vectors/mattermost-11/rest/config-client-anonymous-200.http");
/// More ids than this in one call are refused by nobody but a careless client.
const IDS_MAX: usize = 1000;

pub(super) fn ping() -> Value {
    json!({
        "ActiveSearchBackend": "database", "AndroidLatestVersion": "", "AndroidMinVersion": "",
        "IosLatestVersion": "", "IosMinVersion": "", "status": "OK",
    })
}

pub(super) fn client_config(
    core: &Core,
    head: &Parts,
    session: &Session,
) -> Result<Reply, AppError> {
    if head.uri.query() != Some("format=old") {
        core.unexpected
            .note("GET /config/client without format=old");
    }
    if *session == Session::Refused {
        return Err(AppError::session_expired());
    }
    let is_known = matches!(session, Session::Of(_));
    let recorded = if is_known {
        CONFIG_OF_A_BOT
    } else {
        CONFIG_OF_ANYONE
    };
    let body = recorded.lines().last().unwrap_or_default();
    let mut config: Value = serde_json::from_str(body).unwrap_or_default();
    config["SiteURL"] = json!(core.site_url());
    if is_known {
        let limit = core
            .options
            .edit_time_limit
            .map_or("-1".to_owned(), |limit| limit.as_secs().to_string());
        config["MaxPostSize"] = json!(core.options.post_chars_max.to_string());
        config["PostEditTimeLimit"] = json!(limit);
        config["TeammateNameDisplay"] = json!(core.options.name_display);
        config["EnablePostUsernameOverride"] = json!(core.options.username_override.to_string());
    }
    Ok(Reply::json(200, &config))
}

pub(super) fn me(core: &Core, me: &str) -> Result<Reply, AppError> {
    core.read(|model| {
        let user = model.users.get(me).ok_or_else(AppError::session_expired)?;
        Ok(Reply::json(200, &user.wire(true)))
    })
}

pub(super) fn my_teams(core: &Core, me: &str) -> Reply {
    let teams: Vec<Value> = core.read(|model| {
        model
            .teams
            .iter()
            .filter(|team| team.members.contains(me))
            .map(|team| team.wire())
            .collect()
    });
    Reply::json(200, &json!(teams))
}

pub(super) fn get(core: &Core, id: &str) -> Result<Reply, AppError> {
    let id = id_param(id, "user_id")?;
    core.read(|model| {
        let user = model.users.get(id).ok_or_else(AppError::no_user)?;
        Ok(Reply::json(200, &user.wire(false)))
    })
}

pub(super) fn by_name(core: &Core, name: &str) -> Result<Reply, AppError> {
    core.read(|model| {
        let user = model.users.values().find(|user| user.username == name).ok_or_else(|| {
            AppError::new(
                404,
                "app.user.get_by_username.app_error",
                "Unable to find an existing account matching your username for this team. This team may require an invite from the team owner to join.",
            )
        })?;
        Ok(Reply::json(200, &user.wire(false)))
    })
}

pub(super) fn by_ids(core: &Core, head: &Parts, body: &[u8]) -> Result<Reply, AppError> {
    let ids: Vec<String> = serde_json::from_value(json_body(core, head, body, "user_ids")?)
        .map_err(|_| AppError::invalid_body("user_ids"))?;
    if ids.is_empty() {
        return Err(AppError::invalid_body("user_ids"));
    }
    if ids.len() > IDS_MAX {
        core.unexpected
            .note(format!("POST /users/ids with {} ids", ids.len()));
    }
    // Unknown ones are just missing.
    let users: Vec<Value> = core.read(|model| {
        ids.iter()
            .filter_map(|id| model.users.get(id))
            .map(|user| user.wire(false))
            .collect()
    });
    Ok(Reply::json(200, &json!(users)))
}

pub(super) fn join_team(
    core: &Core,
    me: &str,
    team_id: &str,
    body: &Map<String, Value>,
) -> Result<Reply, AppError> {
    note_unknown(
        body,
        &["team_id", "user_id"],
        "team member",
        &core.unexpected,
    );
    let team_id = id_param(team_id, "team_id")?;
    let user_id = text(body, "user_id", "user_id")?;
    core.change(|model| {
        if !model.is_admin(me) {
            return Err(AppError::permissions());
        }
        model.users.get(user_id).ok_or_else(AppError::no_user)?;
        let team = model.teams.iter_mut().find(|team| team.id == team_id).ok_or_else(AppError::permissions)?;
        team.members.insert(user_id.to_owned());
        Ok(Reply::json(
            201,
            &json!({
                "team_id": team_id, "user_id": user_id, "roles": "team_user", "delete_at": 0,
                "scheme_guest": false, "scheme_user": true, "scheme_admin": false, "explicit_roles": "",
            }),
        ))
    })
}

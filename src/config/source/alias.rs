//! Three variables of the project's first documents, which still work.

use std::collections::BTreeMap;
use std::path::Path;

use super::environment::{Environment, read_secret};
use crate::config::problem::{Problem, ValueOrigin};
use crate::config::reader::SourcedValue;
use crate::config::value::{Mismatch, Raw, entries};

/// Stand for a key each; the key's own variable wins over them, they win over the file.
pub(crate) const REPLACING: [(&str, &str); 2] = [
    ("MATTERMOST_ENABLED", "mattermost.enabled"),
    ("PLUGNMEET_EXTERNAL_URL", "plugnmeet.external_url"),
];

/// Holds one token more, or several, for each of two lists.
pub(crate) const ADDED_TOKEN: &str = "MATTERMOST_OUTGOING_TOKEN";
const ADDED_TO: [&str; 2] = ["mattermost.outgoing_tokens", "mattermost.command_tokens"];

/// Takes the variables that stand for a key.
pub(super) fn replace(environment: &Environment, found: &mut BTreeMap<String, SourcedValue>) {
    for (variable, path) in REPLACING {
        if let Some(value) = environment.get(variable).filter(|value| !value.is_empty()) {
            let raw = Raw::Text(value.to_owned());
            let origin = ValueOrigin::Variable(variable.to_owned());
            found.insert(path.to_owned(), SourcedValue { raw, origin });
        }
    }
}

/// Adds the token to both lists, whatever else they hold.
pub(super) fn add(
    environment: &Environment,
    found: &mut BTreeMap<String, SourcedValue>,
    problems: &mut Vec<Problem>,
) {
    let Some((given, origin)) = added_tokens(environment, problems) else {
        return;
    };
    let added = match entries(&given, true) {
        Ok(added) => added,
        Err(Mismatch { what, instead }) => {
            problems.push(Problem {
                origin: Some(origin),
                key: None,
                what,
                instead,
            });
            return;
        }
    };
    for path in ADDED_TO {
        let before = found.remove(path);
        let listed = before.as_ref().map(|before| entries(&before.raw, true));
        let after = match (before, listed) {
            (None, _) => SourcedValue {
                raw: Raw::List(added.clone()),
                origin: origin.clone(),
            },
            // It is not a list. It is kept, so that its error is reported.
            (Some(before), Some(Err(_)) | None) => before,
            (Some(before), Some(Ok(mut tokens))) => {
                tokens.extend(added.iter().cloned());
                SourcedValue {
                    raw: Raw::List(tokens),
                    origin: ValueOrigin::Both(Box::new(before.origin), Box::new(origin.clone())),
                }
            }
        };
        found.insert(path.to_owned(), after);
    }
}

fn added_tokens(
    environment: &Environment,
    problems: &mut Vec<Problem>,
) -> Option<(Raw, ValueOrigin)> {
    let file_variable = format!("{ADDED_TOKEN}_FILE");
    let given = |name: &str| environment.get(name).filter(|value| !value.is_empty());
    let mut complain = |what: String, instead: &str| {
        problems.push(Problem {
            origin: Some(ValueOrigin::Variable(file_variable.clone())),
            key: None,
            what,
            instead: instead.to_owned(),
        });
    };
    match (given(ADDED_TOKEN), given(&file_variable)) {
        (None, None) => None,
        (Some(_), Some(_)) => {
            complain(format!("{ADDED_TOKEN} is set too"), "set one of the two");
            None
        }
        (Some(token), None) => {
            let origin = ValueOrigin::Variable(ADDED_TOKEN.to_owned());
            Some((Raw::Text(token.to_owned()), origin))
        }
        (None, Some(file)) => match read_secret(Path::new(file)) {
            Ok(token) => {
                let path = file.into();
                let variable = file_variable;
                Some((Raw::Text(token), ValueOrigin::SecretFile { variable, path }))
            }
            // The variable's text is not repeated, because some people write the secret itself there.
            Err(why) => {
                let what = format!("the file that it names {why}");
                complain(what, "name a readable file that holds the token alone");
                None
            }
        },
    }
}

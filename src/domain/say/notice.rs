//! Notices other than those of a meeting's start and end. They are posted where posts can neither be edited nor have a
//! thread.

use crate::domain::card::{BLUE, GREY, plain};
use crate::domain::{Attachment, Rendered};

use super::bold;
use super::thread::{summary_text, whole_summary};

/// The notice that a recording is ready; `link` is the relay's page of the recording.
pub(crate) fn recording_notice(title: &str, link: &str) -> Rendered {
    Rendered {
        message: format!("The recording of {} is ready", bold(title)),
        attachment: Some(attachment(
            GREY,
            format!("The recording of the meeting {} is ready.", plain(title)),
            format!("Recording of {}", plain(title)),
            Some(link),
            format!("**[Watch or download]({link})**"),
        )),
        ..Rendered::default()
    }
}

/// The notice with a summary; `text` is Markdown, `link` is the meeting's page.
pub(crate) fn summary_notice(title: &str, text: &str, link: &str) -> Rendered {
    Rendered {
        message: format!("The summary of {}", bold(title)),
        attachment: Some(attachment(
            GREY,
            format!("The summary of the meeting {} is there.", plain(title)),
            format!("Summary of {}", plain(title)),
            Some(link).filter(|link| !link.is_empty()),
            summary_text(text),
        )),
        continued: whole_summary(link),
    }
}

/// The notice for everybody with the meeting that already runs, after a second start by a post.
pub(crate) fn running_notice(title: &str, open_link: &str) -> Rendered {
    Rendered {
        message: format!("{} is running here already", bold(title)),
        attachment: Some(attachment(
            BLUE,
            format!("The meeting {} is running here already.", plain(title)),
            plain(title),
            Some(open_link),
            format!("**[Join the meeting]({open_link})**"),
        )),
        ..Rendered::default()
    }
}

fn attachment(
    color: &'static str,
    fallback: String,
    title: String,
    link: Option<&str>,
    text: String,
) -> Attachment {
    Attachment {
        fallback,
        color,
        title,
        title_link: link.map(str::to_owned),
        text,
        fields: Vec::new(),
        footer: String::new(),
    }
}

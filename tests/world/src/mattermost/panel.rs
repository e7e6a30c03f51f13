//! The slot beside the chat that a demo fills with its own buttons and links.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// What one press of a button does: a short text for the person, or an error shown in red.
pub type ActionFuture = Pin<Box<dyn Future<Output = anyhow::Result<ActionOutcome>> + Send>>;

/// What the page does after a press.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ActionOutcome {
    /// Shows this text.
    Told(String),
    /// Opens this address in a new tab.
    Opened(String),
}

/// A titled box with lines of text and actions; empty: no box.
#[derive(Clone, Debug, Default)]
pub struct DemoPanel {
    /// Heading.
    pub title: String,
    /// Plain lines under the heading, such as the state of a room.
    pub lines: Vec<String>,
    /// Buttons and links, in order.
    pub actions: Vec<DemoAction>,
}

/// One button or link.
#[derive(Clone)]
pub struct DemoAction {
    /// What stands on it.
    pub label: String,
    /// What it does.
    pub effect: Effect,
    /// Red: it ends or destroys something.
    pub is_danger: bool,
}

/// What an action does.
#[derive(Clone)]
pub enum Effect {
    /// Opens this address in a new tab.
    Link(String),
    /// Runs this on the server.
    Call(Arc<dyn Fn() -> ActionFuture + Send + Sync>),
}

impl DemoAction {
    /// A link to `url`.
    pub fn link(label: &str, url: &str) -> Self {
        Self {
            label: label.to_owned(),
            effect: Effect::Link(url.to_owned()),
            is_danger: false,
        }
    }

    /// A button that runs `call` in the demo's process.
    pub fn call<F, Fut>(label: &str, call: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = anyhow::Result<ActionOutcome>> + Send + 'static,
    {
        let effect = Effect::Call(Arc::new(move || Box::pin(call())));
        Self {
            label: label.to_owned(),
            effect,
            is_danger: false,
        }
    }

    /// The same action in red.
    #[must_use]
    pub fn danger(mut self) -> Self {
        self.is_danger = true;
        self
    }
}

impl fmt::Debug for DemoAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DemoAction")
            .field("label", &self.label)
            .finish_non_exhaustive()
    }
}

//! JSON text with its keys in the order they were put: the real server's order is that of its protobuf fields.

use serde::Serialize;

/// An object under construction.
pub(crate) struct Object(String);

impl Object {
    /// `{}`.
    pub(crate) fn new() -> Self {
        Self(String::from("{"))
    }

    /// With one more member. A value that cannot be serialised becomes `null`.
    pub(crate) fn put(self, key: &str, value: impl Serialize) -> Self {
        let value = serde_json::to_string(&value).unwrap_or_else(|_| "null".to_owned());
        self.raw(key, &value)
    }

    /// With one more member if there is a value.
    pub(crate) fn put_some(self, key: &str, value: Option<impl Serialize>) -> Self {
        match value {
            Some(value) => self.put(key, value),
            None => self,
        }
    }

    /// With one more member that is JSON text already.
    pub(crate) fn raw(mut self, key: &str, value: &str) -> Self {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        self.0.push('"');
        self.0.push_str(key);
        self.0.push_str("\":");
        self.0.push_str(value);
        self
    }

    /// With one more member if there is JSON text for it.
    pub(crate) fn raw_some(self, key: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.raw(key, value),
            None => self,
        }
    }

    /// The finished text.
    pub(crate) fn finish(mut self) -> String {
        self.0.push('}');
        self.0
    }
}

/// An array of JSON texts.
pub(crate) fn array(items: impl IntoIterator<Item = String>) -> String {
    let items: Vec<String> = items.into_iter().collect();
    format!("[{}]", items.join(","))
}

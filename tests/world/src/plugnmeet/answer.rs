//! Answers of the fake.

use super::json::Object;

/// One HTTP answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) content_type: Option<&'static str>,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// 200 with JSON: what every handler after the authentication says.
    pub(crate) fn json(body: String) -> Self {
        Self {
            status: 200,
            content_type: Some("application/json"),
            headers: Vec::new(),
            body: body.into_bytes(),
        }
    }

    /// A CommonResponse: status, msg, status_code and no more.
    pub(crate) fn common(status: bool, msg: &str, code: &str) -> Self {
        Self::json(common(status, msg, code).finish())
    }

    /// `status:true`, "success".
    pub(crate) fn success() -> Self {
        Self::common(true, "success", "SUCCESS")
    }

    /// `status:false` with INTERNAL_SERVER_ERROR: some are worth a retry and some are not.
    pub(crate) fn internal(msg: &str) -> Self {
        Self::common(false, msg, "INTERNAL_SERVER_ERROR")
    }

    /// 401 with a CommonResponse.
    pub(crate) fn unauthorized(msg: &str, code: &str) -> Self {
        Self {
            status: 401,
            ..Self::common(false, msg, code)
        }
    }

    /// Plain text.
    pub(crate) fn text(status: u16, body: &str) -> Self {
        let content_type = Some("text/plain; charset=utf-8");
        Self {
            status,
            content_type,
            headers: Vec::new(),
            body: body.as_bytes().to_vec(),
        }
    }

    /// A page.
    pub(crate) fn html(body: String) -> Self {
        Self {
            content_type: Some("text/html; charset=utf-8"),
            ..Self::json(body)
        }
    }
}

/// The first three members of every JSON answer.
pub(crate) fn common(status: bool, msg: &str, code: &str) -> Object {
    Object::new()
        .put("status", status)
        .put("msg", msg)
        .put("status_code", code)
}

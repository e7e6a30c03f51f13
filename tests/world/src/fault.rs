//! Faults that a fake can be told to show, per operation and for a number of requests.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How a request is mistreated instead of being answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The connection is closed without an answer, before anything is done.
    Drop,
    /// The request is carried out, then the connection is closed without an answer.
    DropAfter,
    /// Nothing is answered for this long, then the request is carried out and answered.
    Stall(Duration),
    /// Status 200 with a body that is no JSON.
    Garbage,
    /// This status with this body and these extra headers; nothing is done.
    Answer {
        /// The status.
        status: u16,
        /// The body, as it is.
        body: String,
        /// Further headers, by name.
        headers: Vec<(String, String)>,
    },
}

impl Fault {
    /// Something in front of the server answers by itself: this status with a page for people, and for a redirect the
    /// address of a login page. Nothing is done, and nothing of it has the server's own form.
    pub fn intermediary(status: u16) -> Self {
        let mut headers = vec![(
            "Content-Type".to_owned(),
            "text/html; charset=utf-8".to_owned(),
        )];
        if (300..400).contains(&status) {
            let login = "https://login.example.org/?return=/".to_owned();
            headers.push(("Location".to_owned(), login));
        }
        Self::Answer {
            status,
            body: format!(
                "<!DOCTYPE html><html><head><title>Gateway</title></head><body>{status}</body></html>"
            ),
            headers,
        }
    }
}

/// One instruction: `fault` for the next `times` requests whose operation name starts with `operation`.
#[derive(Clone, Debug)]
struct Order {
    operation: String,
    fault: Fault,
    times: Option<u32>,
}

/// The switch board of one fake. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct FaultSwitch(Arc<Mutex<Vec<Order>>>);

impl FaultSwitch {
    /// From now on every request whose operation starts with `operation` ("" = all) meets `fault`.
    pub fn set(&self, operation: &str, fault: Fault) {
        self.push(operation, fault, None);
    }

    /// Only the next `times` such requests meet `fault`.
    pub fn next(&self, operation: &str, times: u32, fault: Fault) {
        self.push(operation, fault, Some(times));
    }

    /// All faults are over.
    pub fn clear(&self) {
        self.lock().clear();
    }

    /// The fault that this request meets, if any; used by the fakes.
    pub fn meet(&self, operation: &str) -> Option<Fault> {
        let mut orders = self.lock();
        let at = orders
            .iter()
            .position(|order| operation.starts_with(&order.operation))?;
        let fault = orders[at].fault.clone();
        if let Some(times) = &mut orders[at].times {
            *times -= 1;
            if *times == 0 {
                orders.remove(at);
            }
        }
        Some(fault)
    }

    fn push(&self, operation: &str, fault: Fault, times: Option<u32>) {
        if times == Some(0) {
            return;
        }
        self.lock().push(Order {
            operation: operation.to_owned(),
            fault,
            times,
        });
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Order>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

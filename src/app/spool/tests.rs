#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use tokio::time::Instant;

use super::*;

fn side(is_embedded: bool) -> SpoolSide {
    SpoolSide {
        spool: None,
        is_embedded,
    }
}

#[tokio::test(start_paused = true)]
async fn spool_that_does_not_answer_has_no_room_and_delays_nobody() {
    let metrics = Metrics::new().unwrap();
    let level = SpoolLevel {
        messages: 3,
        bytes: 4096,
        has_room: true,
    };
    assert!(side(false).judge(Some(level), &metrics).is_well);
    let began = Instant::now();
    let level = ask(std::future::pending()).await;
    assert_eq!((level, began.elapsed()), (None, LEVEL_WITHIN));
    let checks = side(false).judge(level, &metrics);
    assert!(!checks.has_room && !checks.is_well);
    assert_eq!(metrics.spool_depth.with(()).get(), 3, "it stays shown");
    assert!(side(true).judge(level, &metrics).is_well, "none is needed");
}

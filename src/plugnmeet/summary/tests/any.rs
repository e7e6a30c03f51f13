//! Property tests with summaries of a hostile model.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;
use crate::any::{bytes, damaged};

fn read(file: &[u8]) {
    let began = Instant::now();
    let text = markdown(file);
    // Far more than is needed. If the time grew with the square of the length, it would take minutes.
    assert!(began.elapsed() < Duration::from_secs(20));
    assert!(text.len() <= 8 * HTML_BYTES_MAX, "{}", text.len());
    assert!(!text.contains('\0'));
    for live in ["<script", "<img", "<iframe", "<a "] {
        let escaped = text.matches(&format!("\\{live}")).count();
        assert_eq!(text.matches(live).count(), escaped, "{text}");
    }
}

fn file() -> Vec<u8> {
    include_bytes!("../../../../tests/vectors/plugnmeet/summary.txt").to_vec()
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 200, ..ProptestConfig::with_cases(cases()) })]

    #[test]
    fn any_bytes_become_harmless_text(body in bytes()) {
        read(&body);
    }

    #[test]
    fn any_tags_become_harmless_text(parts in prop::collection::vec("</?(p|ul|li|strong|b|em|script|a href=x|img src=x|svg|math|table|style|!--|!\\[CDATA\\[|h[1-9])? ?/?>?|&[a-z#0-9]{0,6};?|[`*_\\[\\]()#>|~@-]{1,4}|\\PC{0,8}|\n", 0..60)) {
        read(parts.concat().as_bytes());
    }

    #[test]
    fn any_damaged_file_becomes_harmless_text(body in damaged(vec![file()])) {
        read(&body);
    }

    #[test]
    fn any_nesting_is_flattened(tag in "(p|ul|li|em|b|strong|h1|blockquote)", depth in 1..5000_usize) {
        read(format!("<{tag}>").repeat(depth).as_bytes());
        read(format!("{{\"summary\":{}", "[".repeat(depth)).as_bytes());
    }
}

/// Each case parses HTML, so there are fewer cases by default.
fn cases() -> u32 {
    (ProptestConfig::default().cases / 8).max(1)
}

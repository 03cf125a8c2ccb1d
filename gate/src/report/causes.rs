//! The words that a cause has in every format.

use std::collections::BTreeSet;

use model::{CauseKey, Effect};

use crate::document::CauseReport;
use crate::foreign::brief as clean;

/// The most issues shown beside a headline.
const ISSUES_SHOWN_MAX: usize = 2;

/// The issues that a cause is known by, the first of them; else that it is known here, or new.
pub(super) fn known_text(cause: &CauseReport) -> String {
    let issues: BTreeSet<&str> = cause.known.iter().filter_map(|known| known.issue.as_deref()).collect();
    if !issues.is_empty() {
        let shown: Vec<&str> = issues.iter().copied().take(ISSUES_SHOWN_MAX).collect();
        let more = if issues.len() > ISSUES_SHOWN_MAX { ".." } else { "" };
        return format!("{}{more}", clean(&shown.join(" ")));
    }
    match (cause.known.is_empty(), cause.to_check) {
        (false, _) => "known".to_owned(),
        (true, true) => String::new(),
        (true, false) => "new".to_owned(),
    }
}

/// An effect, as the head of a group of causes.
pub(super) fn effect_text(effect: Effect) -> &'static str {
    match effect {
        Effect::WrongDeployment => "Requests go to the wrong deployment",
        Effect::Fails => "Requests fail that should be answered",
        Effect::RestartChanges => "A restart changes the answers",
        Effect::NoRequest => "No request is affected",
    }
}

/// The code paths that break a lookup, where they tell a cause from others.
pub(super) fn paths_text(key: &CauseKey) -> Option<String> {
    match key {
        CauseKey::Lookup { paths, .. } if !paths.is_empty() => {
            let paths: Vec<String> = paths.iter().map(|path| clean(path)).collect();
            Some(format!("on {}", paths.join(" and ")))
        }
        _ => None,
    }
}

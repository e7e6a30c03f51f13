//! Every relative link and every `#anchor` leads to a file and a heading that exist.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

use pulldown_cmark::{Event, Tag, TagEnd};

use super::{pages, parse, root};

/// What a page leads to, and where others can lead within it.
#[derive(Default)]
struct Page {
    links: Vec<String>,
    anchors: BTreeSet<String>,
}

impl Page {
    fn of(text: &str) -> Self {
        let mut page = Self::default();
        let mut heading: Option<String> = None;
        for event in parse(text) {
            match event {
                Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                    page.links.push(dest_url.to_string());
                }
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::End(TagEnd::Heading(_)) => page.add_heading(&heading.take().unwrap()),
                Event::Text(text) | Event::Code(text) => {
                    if let Some(heading) = &mut heading {
                        heading.push_str(&text);
                    }
                }
                _ => {}
            }
        }
        page
    }

    /// The anchor as GitHub makes it: of headings with the same text the second gets a number.
    fn add_heading(&mut self, text: &str) {
        let anchor: String = text
            .to_lowercase()
            .chars()
            .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
            .map(|c| if c == ' ' { '-' } else { c })
            .collect();
        let numbered = (1..).map(|number| format!("{anchor}-{number}"));
        let free = std::iter::once(anchor.clone())
            .chain(numbered)
            .find(|anchor| !self.anchors.contains(anchor));
        self.anchors.extend(free);
    }
}

/// The file that `path` names on a page, from the root; none if it is outside.
fn target(page: &Path, path: &str) -> Option<PathBuf> {
    if path.is_empty() {
        return Some(page.to_owned());
    }
    let mut target = page.parent()?.to_owned();
    for component in Path::new(path).components() {
        match component {
            Component::Normal(name) => target.push(name),
            Component::CurDir => {}
            Component::ParentDir if target.pop() => {}
            _ => return None,
        }
    }
    Some(target)
}

/// Every link below `root` that leads nowhere, and how many were looked at.
fn broken_links(root: &Path) -> (Vec<String>, usize) {
    let pages: BTreeMap<PathBuf, Page> = pages(root)
        .into_iter()
        .map(|(name, text)| (name, Page::of(&text)))
        .collect();
    let (mut broken, mut count) = (Vec::new(), 0);
    for (name, page) in &pages {
        for link in &page.links {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            count += 1;
            let (path, anchor) = match link.split_once('#') {
                Some((path, anchor)) => (path, Some(anchor)),
                None => (link.as_str(), None),
            };
            let fault = match target(name, path) {
                None => Some("leads out of the repository"),
                Some(target) if !root.join(&target).exists() => Some("is no file"),
                Some(target) => anchor.and_then(|anchor| match pages.get(&target) {
                    None => Some("has no headings"),
                    Some(page) if !page.anchors.contains(anchor) => Some("is no heading"),
                    Some(_) => None,
                }),
            };
            if let Some(fault) = fault {
                broken.push(format!("{}: {link} {fault}", name.display()));
            }
        }
    }
    (broken, count)
}

#[test]
fn every_link_leads_to_a_file_and_every_anchor_to_a_heading() {
    let (broken, count) = broken_links(root());
    assert!(broken.is_empty(), "{}", broken.join("\n"));
    assert!(count > 60, "only {count} links were looked at");
}

#[test]
fn broken_links_are_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write("src/lib.rs", "//! # Heading\n");
    write("target/doc.md", "[not looked at](nowhere.md)\n");
    write(
        "deploy/page.md",
        "# A page: `why`?\n\n## Twice\n\n## Twice\n\n[up](../README.md) [out](../../README.md) [/](/README.md)\n",
    );
    write(
        "README.md",
        "# Top\n\n[good](deploy/page.md#a-page-why) [2](deploy/page.md#twice-1) [here](#top) [folder](deploy)\n\
         [else](https://example.org/nowhere#at-all) `[code](no-link)`\n\n\
         | a |\n|---|\n| [in a table](deploy/gone.md) |\n\n\
         ![picture](gone.png) [3](deploy/page.md#twice-2) [not here](#bottom) [code](src/lib.rs#heading)\n",
    );
    let (broken, count) = broken_links(folder.path());
    assert_eq!(count, 12);
    assert_eq!(
        broken,
        [
            "README.md: deploy/gone.md is no file",
            "README.md: gone.png is no file",
            "README.md: deploy/page.md#twice-2 is no heading",
            "README.md: #bottom is no heading",
            "README.md: src/lib.rs#heading has no headings",
            "deploy/page.md: ../../README.md leads out of the repository",
            "deploy/page.md: /README.md leads out of the repository",
        ]
    );
}

//! The generated pages are up to date, and what they are made from is complete.

use xtask::docs::{check, operators};
use xtask::files::{listed, read, root};

#[test]
fn generated_pages_are_up_to_date() {
    check().unwrap();
}

/// A label that no error quotes is a promise that nothing keeps.
#[test]
fn every_constraint_is_quoted_by_an_error() {
    // Checks that several operators share.
    let shared = read("compiler/ops/src/contract.rs").unwrap();
    let (operators, _) = operators().unwrap();
    let mut n_labels = 0;
    for operator in &operators {
        let own = read(&operator.file).unwrap();
        for label in operator.constraints() {
            n_labels += 1;
            let quote = format!("\"{label}\"");
            assert!(
                own.contains(&quote) || shared.contains(&quote),
                "no error quotes ({label}) of `{}` in {}",
                operator.name,
                operator.file
            );
        }
    }
    assert!(n_labels > operators.len(), "only {n_labels} labels were found");
}

#[test]
fn every_operator_attribute_and_word_is_described() {
    let (operators, choices) = operators().unwrap();
    let words = choices.iter().flat_map(|choice| &choice.words);
    for item in operators.iter().flat_map(|op| &op.attrs).chain(words) {
        assert!(!item.doc.trim().is_empty(), "`{}` has no doc comment", item.name);
    }
    for operator in &operators {
        let has_constraints = !operator.constraints().is_empty();
        let is_control = ["if", "loop"].contains(&operator.name.as_str());
        assert_eq!(has_constraints, !is_control, "constraints of `{}`", operator.name);
    }
}

#[test]
fn every_crate_has_a_room_in_the_architecture() {
    let page = read("docs/ARCHITECTURE.md").unwrap();
    for member in xtask::crates::crates().unwrap().values() {
        assert!(
            page.contains(&format!("`{}`", member.folder)),
            "docs/ARCHITECTURE.md does not mention {}",
            member.folder
        );
    }
}

#[test]
fn links_between_pages_lead_somewhere() {
    let pages = listed().unwrap().into_iter().filter(|file| file.ends_with(".md"));
    let mut n_links = 0;
    for page in pages {
        let folder = page.rsplit_once('/').map_or("", |(folder, _)| folder);
        // Code between backticks has brackets of its own.
        let text: String = read(&page).unwrap().split('`').step_by(2).collect();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = link.split('#').next().unwrap_or_default();
            // `./x bench` writes what is under `bench`, on a machine that has time for it.
            if file.is_empty() || file.contains("://") || file.contains("bench/") {
                continue;
            }
            n_links += 1;
            let path = root().join(folder).join(file);
            assert!(path.exists(), "{page} links to {link}, which is not there");
        }
    }
    assert!(n_links > 5, "only {n_links} links were found");
}

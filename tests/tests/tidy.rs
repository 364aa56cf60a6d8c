//! Whether the repository keeps to what a machine can see of its own rules: STYLE's, the invariants
//! of ARCHITECTURE.md, and documentation that says what the program does.
//!
//! The rules themselves, each with its own tests, lie in `tests/src/tidy`.

use std::fs;
use std::io::Write as _;

use tests::tidy::tree::Tree;
use tests::tidy::{Problem, code, crates, reference, settings, shape, text};

fn tree() -> Tree {
    Tree::read().expect("the repository can be read and parsed")
}

fn check(problems: &[Problem]) {
    let lines: Vec<String> = problems.iter().map(Problem::to_string).collect();
    assert!(lines.is_empty(), "\n{}", lines.join("\n"));
}

#[test]
fn files_and_functions_are_short_and_say_what_they_own() {
    let tree = tree();
    for (file, lines) in shape::long(&tree) {
        // Past the capture of output: it is for whoever reads the result of a run that passes.
        writeln!(
            std::io::stderr(),
            "tidy: {file} has {lines} lines, more than 400"
        )
        .unwrap();
    }
    check(&shape::problems(&tree));
}

#[test]
fn tasks_queues_and_tests_are_bounded() {
    check(&code::problems(&tree()));
}

#[test]
fn texts_hold_no_notes_and_no_paths_of_one_machine() {
    check(&text::problems(&tree()));
}

#[test]
fn crates_depend_downwards() {
    let found = crates::arrows(&tree().root).unwrap();
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn crates_of_others_are_licensed_and_from_the_registry() {
    let found = crates::supply(&tree().root).unwrap();
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn every_setting_says_what_it_means() {
    check(&settings::problems(&settings::shapes(&tree())));
}

#[test]
fn the_configuration_reference_is_current() {
    let tree = tree();
    let written = reference::write(&settings::shapes(&tree));
    let file = tree.root.join(reference::FILE);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, written).unwrap();
        return;
    }
    let committed = fs::read_to_string(&file).unwrap_or_default();
    let differs = committed
        .lines()
        .zip(written.lines())
        .position(|(one, other)| one != other);
    let line = differs.map_or("at its end".to_owned(), |line| {
        format!("in line {}", line + 1)
    });
    assert!(
        committed == written,
        "{} differs {line} from the comments of the settings; write it anew with:\n{}",
        reference::FILE,
        reference::COMMAND
    );
}

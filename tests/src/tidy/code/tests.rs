//! Each rule with what breaks it and what looks alike and does not.

use super::*;

/// Checks a file of shipped code, and the lines that must be named.
fn check(text: &str, expected: &[(usize, &str)]) {
    check_at("agent/src/a.rs", text, expected);
}

fn check_at(path: &str, text: &str, expected: &[(usize, &str)]) {
    let source = Source::parse(path, text).unwrap();
    let mut found = of_file(&source);
    found.sort();
    assert_eq!(found.len(), expected.len(), "{text}: {found:?}");
    for (found, (line, words)) in found.iter().zip(expected) {
        assert_eq!(found.line, *line, "{text}: {found}");
        assert!(found.message.contains(words), "{found}");
    }
}

#[test]
fn a_task_that_nobody_holds_is_named() {
    for call in [
        "tokio::spawn(work());",
        "tokio::task::spawn(work());",
        "task::spawn(work());",
        "std::thread::spawn(|| work());",
        "thread::spawn(|| work());",
        "tokio::task::spawn_blocking(|| work());",
        "let _ = tokio::spawn(work());",
        "let _task = tokio::spawn(work());",
        "drop(tokio::spawn(work()));",
        "std::mem::forget(tokio::spawn(work()));",
    ] {
        check(&format!("fn f() {{\n    {call}\n}}"), &[(2, "is dropped")]);
        let nested = format!("impl F {{ fn f() {{ if a {{\n {call}\n }} }} }}");
        check(&nested, &[(2, "is dropped")]);
        let in_test = format!("#[cfg(test)] mod t {{ fn f() {{\n {call}\n }} }}");
        check(&in_test, &[(2, "is dropped")]);
    }
}

#[test]
fn a_task_that_somebody_holds_passes() {
    for call in [
        "tasks.spawn(work());",
        "self.tracker.spawn(work());",
        "let task = tokio::spawn(work());",
        "let task = AbortOnDropHandle::new(tokio::spawn(work()));",
        "tokio::task::spawn_blocking(|| work()).await?;",
        "thread::spawn(|| work()).join();",
        "thread::scope(|scope| { scope.spawn(work); });",
        "let _child = command.spawn();",
        "Command::spawn(&mut command);",
    ] {
        check(&format!("fn f() {{ {call} }}"), &[]);
    }
}

#[test]
fn a_queue_without_a_bound_is_named() {
    check(
        "use tokio::sync::mpsc::unbounded_channel;",
        &[(1, "unbounded_channel")],
    );
    check(
        "fn f() { let (a, b) = mpsc::unbounded_channel(); }",
        &[(1, "without a bound")],
    );
    check(
        "fn f() { let (a, b) = std::sync::mpsc::channel(); }",
        &[(1, "sync_channel")],
    );
    check(
        "struct F { f: mpsc::UnboundedSender<u8> }",
        &[(1, "UnboundedSender")],
    );
    check(
        "fn f() { let (a, b) = mpsc::channel(8); let c = oneshot::channel(); }",
        &[],
    );
}

#[test]
fn tests_neither_sleep_nor_are_ignored() {
    let sleeping = "fn f() { tokio::time::sleep(A).await; std::thread::sleep(A); sleep(A); }";
    check(sleeping, &[]);
    let three = [
        (1, "waits for a state"),
        (1, "waits for a state"),
        (1, "waits for a state"),
    ];
    check(&format!("#[cfg(test)] mod tests {{ {sleeping} }}"), &three);
    check(&format!("#[tokio::test] async {sleeping}"), &three);
    check(
        &format!("#[tokio::test(start_paused = true)] async {sleeping}"),
        &[],
    );
    check(
        &format!("#[tokio::test(flavor = \"multi_thread\")] async {sleeping}"),
        &three,
    );
    check_at("agent/src/a/tests.rs", sleeping, &three);
    check_at("agent/tests/a.rs", sleeping, &three);
    check_at("tests/src/lab.rs", sleeping, &[]);
    check(
        "fn f() { query(\"select pg_sleep(1)\"); pg_sleep(1); }",
        &[],
    );
    check("#[test]\n#[ignore]\nfn f() {}", &[(2, "ignored")]);
    check(
        "#[test]\n#[ignore = \"slow\"]\nfn f() {}",
        &[(2, "ignored")],
    );
}

#[test]
fn work_in_progress_is_named() {
    for call in ["todo!()", "unimplemented!()", "dbg!(1)", "std::todo!()"] {
        check(
            &format!("fn f() {{\n{call};\n}}"),
            &[(2, "work in progress")],
        );
    }
    check("fn f() { let todo = 1; assert!(todo == 1); }", &[]);
}

#[test]
fn names_that_say_nothing_are_named() {
    check("struct SpoolManager;", &[(1, "SpoolManager")]);
    check("enum PathUtil {}", &[(1, "PathUtil")]);
    check("trait Helper {}", &[(1, "Helper")]);
    check("struct Managed; struct Uncommon_; struct Utility;", &[]);
}

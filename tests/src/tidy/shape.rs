//! The shape of files: their length, their names, the length of their functions, and that each says
//! what it owns.

use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{AttrStyle, Attribute, Block, Item, Meta};

use super::Problem;
use super::tree::{Source, Tree};

/// The longest file.
const FILE: usize = 600;
/// Files longer than this, tests left out, are named so that somebody thinks of parting them.
const FILE_TO_NAME: usize = 400;
/// The longest function, in lines of its body that are neither blank nor comment.
const FUNCTION: usize = 60;

/// Everything wrong with the shape of the repository's files.
#[must_use]
pub fn problems(tree: &Tree) -> Vec<Problem> {
    tree.rust.iter().flat_map(of_file).collect()
}

/// The files outside tests that are longer than files should be, with their length.
#[must_use]
pub fn long(tree: &Tree) -> Vec<(&str, usize)> {
    let outside_tests = tree.rust.iter().filter(|source| !source.is_test());
    let lengths = outside_tests.map(|source| (source.path.as_str(), length(source)));
    lengths
        .filter(|(_, length)| *length > FILE_TO_NAME)
        .collect()
}

/// Everything wrong with the shape of one file.
#[must_use]
pub fn of_file(source: &Source) -> Vec<Problem> {
    let path = &source.path;
    let mut found = Vec::new();
    let length = length(source);
    if length > FILE {
        let message = format!("{length} lines, where {FILE} is the most; part the file");
        found.push(Problem::at(path, 0, message));
    }
    if path.ends_with("/mod.rs") {
        let message = "a module `foo` lies in foo.rs, beside its folder";
        found.push(Problem::at(path, 0, message));
    }
    // The tests of a module are about what the module itself says that it owns.
    let speaks_for_itself = !path.ends_with("/tests.rs");
    if speaks_for_itself && !source.syntax.attrs.iter().any(says_what_it_owns) {
        let message = "a file opens with `//!`: what it owns, and what it leaves to whom";
        found.push(Problem::at(path, 1, message));
    }
    let mut functions = Functions {
        source,
        found: Vec::new(),
    };
    functions.visit_file(&source.syntax);
    found.extend(functions.found);
    found
}

/// Lines of a file without its tables of data, which may be as long as their data.
fn length(source: &Source) -> usize {
    let lines = source.text.lines().count();
    let tables = source.syntax.items.iter().map(|item| match item {
        Item::Const(_) | Item::Static(_) => {
            let span = item.span();
            span.end().line - span.start().line
        }
        _ => 0,
    });
    lines - tables.sum::<usize>()
}

fn says_what_it_owns(attribute: &Attribute) -> bool {
    matches!(attribute.style, AttrStyle::Inner(_)) && attribute.path().is_ident("doc")
}

struct Functions<'a> {
    source: &'a Source,
    found: Vec<Problem>,
}

impl Functions<'_> {
    fn check(&mut self, name: &syn::Ident, attributes: &[Attribute], block: &Block) {
        let first = block.brace_token.span.open().start().line;
        let last = block.brace_token.span.close().start().line;
        let body = self.source.text.lines().skip(first);
        let body = body.take(last.saturating_sub(first + 1)).map(str::trim);
        let length = body
            .filter(|line| !line.is_empty() && !line.starts_with("//"))
            .count();
        if length > FUNCTION && !attributes.iter().any(is_excused) {
            let message = format!("`{name}` has {length} lines, where {FUNCTION} is the most");
            self.found
                .push(Problem::at(&self.source.path, first, message));
        }
    }
}

/// `#[expect(clippy::too_many_lines, reason = "...")]`, with which clippy lets it pass too.
fn is_excused(attribute: &Attribute) -> bool {
    let Meta::List(list) = &attribute.meta else {
        return false;
    };
    let text = list.tokens.to_string();
    let lint = list.path.is_ident("expect") || list.path.is_ident("allow");
    lint && text.contains("too_many_lines") && text.contains("reason")
}

impl<'ast> Visit<'ast> for Functions<'_> {
    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        self.check(&function.sig.ident, &function.attrs, &function.block);
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        self.check(&function.sig.ident, &function.attrs, &function.block);
        visit::visit_impl_item_fn(self, function);
    }

    fn visit_trait_item_fn(&mut self, function: &'ast syn::TraitItemFn) {
        if let Some(block) = &function.default {
            self.check(&function.sig.ident, &function.attrs, block);
        }
        visit::visit_trait_item_fn(self, function);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, text: &str, expected: &[&str]) {
        let source = Source::parse(path, text).unwrap();
        let found = of_file(&source);
        let messages: Vec<&str> = found.iter().map(|found| found.message.as_str()).collect();
        assert_eq!(messages.len(), expected.len(), "{messages:?}");
        for (message, expected) in messages.iter().zip(expected) {
            assert!(message.contains(expected), "{message} for {expected}");
        }
    }

    fn function(lines: usize) -> String {
        format!(
            "fn long() {{\n{}\n// why\n}}\n",
            "    step();\n".repeat(lines)
        )
    }

    #[test]
    fn a_short_file_with_its_purpose_passes() {
        check("a/src/b.rs", "//! Owns b.\n\nfn b() {}\n", &[]);
    }

    #[test]
    fn what_is_missing_or_too_long_is_named() {
        check("a/src/b.rs", "fn b() {}\n", &["opens with"]);
        check("a/src/b.rs", "// Owns b.\nfn b() {}\n", &["opens with"]);
        check("a/src/b.rs", "/// Owns b.\nfn b() {}\n", &["opens with"]);
        check("a/src/b/tests.rs", "fn b() {}\n", &[]);
        check("a/src/b/mod.rs", "//! B.\n", &["lies in foo.rs"]);
        check(
            "a/src/b.rs",
            &format!("//! B.\n{}", "\n".repeat(600)),
            &["601 lines"],
        );
        check("a/src/b.rs", &format!("//! B.\n{}", function(60)), &[]);
        check(
            "a/src/b.rs",
            &format!("//! B.\n{}", function(61)),
            &["`long` has 61 lines"],
        );
        let within = format!(
            "//! B.\nimpl B {{\n{}}}\ntrait C {{\n{}}}\n",
            function(61),
            function(62)
        );
        check("a/src/b.rs", &within, &["has 61 lines", "has 62 lines"]);
    }

    #[test]
    fn data_and_what_clippy_excuses_may_be_longer() {
        let table = format!(
            "//! B.\nconst T: [u8; 700] = [\n{}];\n",
            "    1,\n".repeat(700)
        );
        check("a/src/b.rs", &table, &[]);
        let excused = "#[expect(clippy::too_many_lines, reason = \"a table\")]\n";
        check(
            "a/src/b.rs",
            &format!("//! B.\n{excused}{}", function(61)),
            &[],
        );
        let unexplained = "#[expect(clippy::too_many_lines)]\n";
        check(
            "a/src/b.rs",
            &format!("//! B.\n{unexplained}{}", function(61)),
            &["61 lines"],
        );
    }
}

//! What code must not do: let go of a task, queue without a bound, sleep in a test or ignore one,
//! leave work for later, or be called by a name that says nothing.

use proc_macro2::Span;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Attribute, Expr, Meta, Pat, Stmt};

use super::Problem;
use super::tree::{Source, Tree};

/// Places where a task is let go of on purpose: file, function, reason.
const LET_GO: [(&str, &str, &str); 0] = [];

/// Test files that may sleep, each with its reason.
const MAY_SLEEP: [(&str, &str); 2] = [
    (
        "agent/tests/postgres/databases.rs",
        "samples a number of sessions for as long as it may rise, which no server announces",
    ),
    (
        "collector/tests/serve/server.rs",
        "its `until` is how that suite waits on a state; the pause between two looks is in it",
    ),
];

/// Ends of type names that say nothing.
const EMPTY_NAMES: [&str; 6] = ["Manager", "Helper", "Helpers", "Util", "Utils", "Common"];

/// Everything that the repository's code must not do and does.
#[must_use]
pub fn problems(tree: &Tree) -> Vec<Problem> {
    tree.rust.iter().flat_map(of_file).collect()
}

/// Everything that one file must not do and does.
#[must_use]
pub fn of_file(source: &Source) -> Vec<Problem> {
    let mut rules = Rules {
        path: &source.path,
        in_test: source.is_test(),
        paused: false,
        function: String::new(),
        found: Vec::new(),
    };
    rules.visit_file(&source.syntax);
    rules.found
}

struct Rules<'a> {
    path: &'a str,
    in_test: bool,
    /// Whether time stands still, so that sleeping costs none.
    paused: bool,
    function: String,
    found: Vec<Problem>,
}

impl Rules<'_> {
    fn add(&mut self, span: Span, message: impl Into<String>) {
        let line = span.start().line;
        self.found.push(Problem::at(self.path, line, message));
    }

    /// Runs `visit` knowing whether what it visits is a test.
    fn within(&mut self, attributes: &[Attribute], visit: impl FnOnce(&mut Self)) {
        let outer = self.in_test;
        self.in_test |= attributes.iter().any(makes_a_test);
        visit(self);
        self.in_test = outer;
    }

    fn function<T>(&mut self, signature: &syn::Signature, visit: T, attributes: &[Attribute])
    where
        T: FnOnce(&mut Self),
    {
        let outer = std::mem::replace(&mut self.function, signature.ident.to_string());
        let paused = std::mem::replace(&mut self.paused, attributes.iter().any(stops_time));
        self.within(attributes, visit);
        self.paused = paused;
        self.function = outer;
    }

    fn dropped(&mut self, expression: &Expr) {
        let Some(name) = spawns(expression) else {
            return;
        };
        let known = LET_GO
            .iter()
            .any(|(file, function, _)| *file == self.path && *function == self.function);
        if !known {
            let message = format!(
                "the handle of `{name}` is dropped, so nobody ends the task; keep it in a JoinSet \
                 or TaskTracker of its owner"
            );
            self.add(expression.span(), message);
        }
    }

    fn name(&mut self, ident: &syn::Ident) {
        let name = ident.to_string();
        if EMPTY_NAMES.iter().any(|empty| name.ends_with(empty)) {
            self.add(
                ident.span(),
                format!("`{name}`: name it after what it is or does"),
            );
        }
    }
}

/// `#[test]`, `#[tokio::test]`, `#[cfg(test)]`.
fn makes_a_test(attribute: &Attribute) -> bool {
    let path = attribute.path();
    let last = path
        .segments
        .last()
        .map(|segment| segment.ident.to_string());
    match last.as_deref() {
        Some("test") => true,
        Some("cfg") => attribute
            .parse_args::<syn::Path>()
            .is_ok_and(|only| only.is_ident("test")),
        _ => false,
    }
}

/// `#[tokio::test(start_paused = true)]`.
fn stops_time(attribute: &Attribute) -> bool {
    let Meta::List(list) = &attribute.meta else {
        return false;
    };
    makes_a_test(attribute) && list.tokens.to_string().contains("start_paused = true")
}

/// The name under which an expression starts a task or thread of its own, if that is all it does.
fn spawns(expression: &Expr) -> Option<String> {
    let Expr::Call(call) = expression else {
        return None;
    };
    let name = path_of(&call.func)?;
    let (owner, function) = match name.as_slice() {
        [.., owner, function] => (owner.as_str(), function.as_str()),
        _ => return None,
    };
    let starts = matches!(function, "spawn" | "spawn_blocking" | "spawn_local");
    let detached = matches!(owner, "tokio" | "task" | "thread");
    (starts && detached).then(|| format!("{owner}::{function}"))
}

fn path_of(expression: &Expr) -> Option<Vec<String>> {
    let Expr::Path(path) = expression else {
        return None;
    };
    let segments = path.path.segments.iter();
    Some(segments.map(|segment| segment.ident.to_string()).collect())
}

impl<'ast> Visit<'ast> for Rules<'_> {
    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        self.within(&module.attrs, |rules| visit::visit_item_mod(rules, module));
    }

    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        let inner = |rules: &mut Self| visit::visit_item_fn(rules, function);
        self.function(&function.sig, inner, &function.attrs);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        let inner = |rules: &mut Self| visit::visit_impl_item_fn(rules, function);
        self.function(&function.sig, inner, &function.attrs);
    }

    fn visit_stmt(&mut self, statement: &'ast Stmt) {
        match statement {
            Stmt::Expr(expression, Some(_)) => self.dropped(expression),
            Stmt::Local(local) => {
                let kept = match &local.pat {
                    Pat::Wild(_) => false,
                    Pat::Ident(name) => !name.ident.to_string().starts_with('_'),
                    _ => true,
                };
                if let Some(value) = &local.init
                    && !kept
                {
                    self.dropped(&value.expr);
                }
            }
            _ => {}
        }
        visit::visit_stmt(self, statement);
    }

    fn visit_expr_call(&mut self, call: &'ast syn::ExprCall) {
        let name = path_of(&call.func).unwrap_or_default();
        let last = name.last().map(String::as_str);
        let before = name.len().checked_sub(2).map(|at| name[at].as_str());
        match (before, last) {
            (_, Some("drop" | "forget")) => call.args.iter().for_each(|only| self.dropped(only)),
            (Some("mpsc"), Some("channel")) if call.args.is_empty() => {
                self.add(call.span(), "a queue without a bound; use `sync_channel`");
            }
            (_, Some("sleep")) if self.in_test && !self.paused => {
                let allowed = MAY_SLEEP.iter().any(|(file, _)| *file == self.path);
                if !allowed {
                    let message = "a test waits for a state, not for a time";
                    self.add(call.span(), message);
                }
            }
            _ => {}
        }
        visit::visit_expr_call(self, call);
    }

    fn visit_ident(&mut self, ident: &'ast syn::Ident) {
        let name = ident.to_string();
        let unbounded = ["unbounded_channel", "UnboundedSender", "UnboundedReceiver"];
        if unbounded.contains(&name.as_str()) {
            self.add(ident.span(), format!("`{name}`: a queue without a bound"));
        }
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        if attribute.path().is_ident("ignore") {
            self.add(
                attribute.span(),
                "an ignored test; make it pass or remove it",
            );
        }
        visit::visit_attribute(self, attribute);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        let name = call.path.segments.last().map(|name| name.ident.to_string());
        if let Some(name @ ("todo" | "unimplemented" | "dbg")) = name.as_deref() {
            self.add(
                call.path.span(),
                format!("`{name}!` is for work in progress"),
            );
        }
        visit::visit_macro(self, call);
    }

    fn visit_item_struct(&mut self, item: &'ast syn::ItemStruct) {
        self.name(&item.ident);
        visit::visit_item_struct(self, item);
    }

    fn visit_item_enum(&mut self, item: &'ast syn::ItemEnum) {
        self.name(&item.ident);
        visit::visit_item_enum(self, item);
    }

    fn visit_item_trait(&mut self, item: &'ast syn::ItemTrait) {
        self.name(&item.ident);
        visit::visit_item_trait(self, item);
    }
}

#[cfg(test)]
mod tests;

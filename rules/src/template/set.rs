//! Templates of several files that know each other by the names that they define.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::parser::{self, Parsed};
use super::tree::Nodes;
use super::{Function, Template, TemplateError, builtin};

/// The text that a template was read from.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) name: String,
    pub(super) text: String,
}

/// A template under a name.
#[derive(Debug)]
pub(super) struct Defined {
    pub(super) nodes: Nodes,
    pub(super) source: Arc<Source>,
}

/// Templates by name.
pub(super) type Definitions = BTreeMap<String, Arc<Defined>>;

/// What several files define. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Set {
    defined: Definitions,
}

impl Set {
    /// Adds what a file defines. Of two definitions of one name the later counts, unless it is nothing
    /// but blanks; what stands outside of definitions is dropped.
    pub fn add<E: ?Sized>(
        &mut self,
        name: &str,
        text: &str,
        functions: &[Function<E>],
    ) -> Result<(), TemplateError> {
        let template = self.parse(name, text, functions, &[])?;
        self.defined = template.defined;
        Ok(())
    }

    /// Parses a text that may use what the set defines, and define names anew for itself.
    pub fn parse<E: ?Sized>(
        &self,
        name: &str,
        text: &str,
        functions: &[Function<E>],
        variables: &[&str],
    ) -> Result<Template, TemplateError> {
        let known = |function: &str| {
            builtin::is_known(function) || functions.iter().any(|one| one.name == function)
        };
        let Parsed { root, defined } = parser::parse(text, &known, variables)
            .map_err(|wrong| TemplateError::parse(name, text, &wrong))?;
        let source = Arc::new(Source {
            name: name.to_owned(),
            text: text.to_owned(),
        });
        let mut all = self.defined.clone();
        for (name, nodes) in defined {
            if parser::is_blank(&nodes) && all.contains_key(&name) {
                continue;
            }
            let source = Arc::clone(&source);
            all.insert(name, Arc::new(Defined { nodes, source }));
        }
        Ok(Template {
            source,
            root: Arc::new(root),
            defined: all,
        })
    }

    /// Whether a name is defined.
    #[must_use]
    pub fn defines(&self, name: &str) -> bool {
        self.defined.contains_key(name)
    }
}

#[cfg(test)]
mod tests;

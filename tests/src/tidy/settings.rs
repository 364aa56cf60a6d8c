//! The settings that configuration files may hold, as their types declare them: every type that is
//! read with serde, by name and module, with the comments of its fields.
//!
//! Public types whose name begins with `Raw` are the first of the two stages of configuration, as the
//! file has it; each of their fields must say what it means. Private ones are a module's own business:
//! a format that others defined, say.

use syn::punctuated::Punctuated;
use syn::{Attribute, Expr, ExprLit, Fields, Item, Lit, Meta, Token};

use super::Problem;
use super::tree::{Source, Tree};

/// A type that is read from a file.
#[derive(Clone, Debug)]
pub struct Shape {
    /// The folder of its crate.
    pub folder: String,
    /// Its file.
    pub file: String,
    /// Its module, as the folders and the file below `src` name it.
    pub module: Vec<String>,
    /// Its name.
    pub name: String,
    /// Its comment.
    pub docs: String,
    /// What it is.
    pub kind: Kind,
    /// Whether it is public.
    pub public: bool,
}

impl Shape {
    /// Whether it is a section of a configuration file.
    #[must_use]
    pub fn is_section(&self) -> bool {
        self.public && self.name.starts_with("Raw")
    }
}

/// What a type is in a file.
#[derive(Clone, Debug)]
pub enum Kind {
    /// A table with these keys.
    Table(Vec<Field>),
    /// One of these; with a tag, tables that say by that key which they are.
    Choice {
        /// The key that says which.
        tag: Option<String>,
        /// What there is to choose from.
        options: Vec<Field>,
    },
    /// What its content is.
    Same,
}

/// A key of a table, or an option of a choice.
#[derive(Clone, Debug)]
pub struct Field {
    /// As the file spells it.
    pub key: String,
    /// Its comment.
    pub docs: String,
    /// What it holds; nothing for an option that is only a word.
    pub of: Option<Type>,
    /// Whether its keys stand among those of the table itself.
    pub flat: bool,
    /// Where it is declared.
    pub line: usize,
}

/// A type as a field names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Type {
    /// The path: `spool`, `RawSettings`.
    pub path: Vec<String>,
    /// What stands in angle brackets.
    pub arguments: Vec<Type>,
}

/// Every type of the product that is read with serde.
#[must_use]
pub fn shapes(tree: &Tree) -> Vec<Shape> {
    let product = tree.rust.iter();
    let product = product.filter(|source| !source.is_test() && !source.path.starts_with("tests/"));
    product.flat_map(of_file).collect()
}

/// Every field of the first stage of configuration that does not say what it means.
#[must_use]
pub fn problems(shapes: &[Shape]) -> Vec<Problem> {
    let mut found = Vec::new();
    for shape in shapes.iter().filter(|shape| shape.is_section()) {
        let fields = match &shape.kind {
            Kind::Table(fields) => fields,
            Kind::Choice { options, .. } => options,
            Kind::Same => continue,
        };
        for field in fields.iter().filter(|field| field.docs.is_empty()) {
            let message = format!(
                "`{}` of `{}` has no comment: give meaning, unit and default",
                field.key, shape.name
            );
            found.push(Problem::at(&shape.file, field.line, message));
        }
    }
    found
}

/// Every type of one file that is read with serde.
#[must_use]
pub fn of_file(source: &Source) -> Vec<Shape> {
    let mut found = Vec::new();
    for item in &source.syntax.items {
        let (name, seen, attributes, kind) = match item {
            Item::Struct(item) => (&item.ident, &item.vis, &item.attrs, table(item)),
            Item::Enum(item) => (&item.ident, &item.vis, &item.attrs, choice(item)),
            _ => continue,
        };
        if !is_deserialized(attributes) {
            continue;
        }
        let (folder, below) = source.path.split_once('/').unwrap_or(("", &source.path));
        let module = below.trim_start_matches("src/").trim_end_matches(".rs");
        found.push(Shape {
            folder: folder.to_owned(),
            file: source.path.clone(),
            module: module.split('/').map(str::to_owned).collect(),
            name: name.to_string(),
            docs: docs(attributes),
            kind,
            public: matches!(seen, syn::Visibility::Public(_)),
        });
    }
    found
}

fn table(item: &syn::ItemStruct) -> Kind {
    let Fields::Named(fields) = &item.fields else {
        return Kind::Same;
    };
    let case = serde_value(&item.attrs, "rename_all");
    let fields = fields.named.iter().filter_map(|field| {
        let name = field.ident.as_ref()?;
        let skipped =
            serde_has(&field.attrs, "skip") || serde_has(&field.attrs, "skip_deserializing");
        (!skipped).then(|| Field {
            key: serde_value(&field.attrs, "rename")
                .unwrap_or_else(|| in_case(&name.to_string(), case.as_deref())),
            docs: docs(&field.attrs),
            of: type_of(&field.ty),
            flat: serde_has(&field.attrs, "flatten"),
            line: name.span().start().line,
        })
    });
    Kind::Table(fields.collect())
}

fn choice(item: &syn::ItemEnum) -> Kind {
    let case = serde_value(&item.attrs, "rename_all");
    let options = item.variants.iter().map(|variant| Field {
        key: serde_value(&variant.attrs, "rename")
            .unwrap_or_else(|| in_case(&variant.ident.to_string(), case.as_deref())),
        docs: docs(&variant.attrs),
        of: match &variant.fields {
            Fields::Unnamed(fields) => fields.unnamed.first().and_then(|field| type_of(&field.ty)),
            Fields::Named(_) | Fields::Unit => None,
        },
        flat: false,
        line: variant.ident.span().start().line,
    });
    Kind::Choice {
        tag: serde_value(&item.attrs, "tag"),
        options: options.collect(),
    }
}

fn type_of(from: &syn::Type) -> Option<Type> {
    let syn::Type::Path(path) = from else {
        return None;
    };
    let segments = &path.path.segments;
    let arguments = match &segments.last()?.arguments {
        syn::PathArguments::AngleBracketed(arguments) => arguments
            .args
            .iter()
            .filter_map(|argument| match argument {
                syn::GenericArgument::Type(inner) => type_of(inner),
                _ => None,
            })
            .collect(),
        _ => Vec::new(),
    };
    Some(Type {
        path: segments
            .iter()
            .map(|segment| segment.ident.to_string())
            .collect(),
        arguments,
    })
}

fn is_deserialized(attributes: &[Attribute]) -> bool {
    let derives = attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("derive"));
    let names = derives.filter_map(|attribute| {
        attribute
            .parse_args_with(Punctuated::<syn::Path, Token![,]>::parse_terminated)
            .ok()
    });
    names.flatten().any(|path| {
        path.segments
            .last()
            .is_some_and(|last| last.ident == "Deserialize")
    })
}

/// The comment above an item, in paragraphs.
fn docs(attributes: &[Attribute]) -> String {
    let mut text = String::new();
    for attribute in attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("doc"))
    {
        if let Meta::NameValue(pair) = &attribute.meta
            && let Expr::Lit(ExprLit {
                lit: Lit::Str(line),
                ..
            }) = &pair.value
        {
            let line = line.value();
            match (line.trim(), text.is_empty(), text.ends_with('\n')) {
                ("", _, _) => text.push_str("\n\n"),
                (line, true, _) | (line, _, true) => text.push_str(line),
                (line, _, _) => {
                    text.push(' ');
                    text.push_str(line);
                }
            }
        }
    }
    // Links to items of the program mean nothing outside it.
    text.trim().replace("[`", "`").replace("`]", "`")
}

/// The entries of `#[serde(...)]`.
fn serde_entries(attributes: &[Attribute]) -> Vec<Meta> {
    let own = attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("serde"));
    let lists = own.filter_map(|attribute| {
        attribute
            .parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated)
            .ok()
    });
    lists.flatten().collect()
}

fn serde_has(attributes: &[Attribute], name: &str) -> bool {
    serde_entries(attributes)
        .iter()
        .any(|entry| entry.path().is_ident(name))
}

fn serde_value(attributes: &[Attribute], name: &str) -> Option<String> {
    serde_entries(attributes)
        .iter()
        .find_map(|entry| match entry {
            Meta::NameValue(pair) if pair.path.is_ident(name) => match &pair.value {
                Expr::Lit(ExprLit {
                    lit: Lit::Str(value),
                    ..
                }) => Some(value.value()),
                _ => None,
            },
            _ => None,
        })
}

/// A name of Rust as serde spells it under `rename_all`.
fn in_case(name: &str, case: Option<&str>) -> String {
    let separated = |separator: char| {
        let mut spelled = String::new();
        for (at, letter) in name.chars().enumerate() {
            if letter.is_uppercase() && at > 0 {
                spelled.push(separator);
            }
            spelled.extend(letter.to_lowercase());
        }
        spelled
    };
    match case {
        Some("lowercase") => name.to_lowercase(),
        Some("UPPERCASE") => name.to_uppercase(),
        Some("snake_case") => separated('_'),
        Some("kebab-case") => separated('-').replace('_', "-"),
        _ => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"//! Settings.
/// The section `[spool]`.
///
/// Second paragraph, of [`Spool`].
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawSettings {
    /// How large. A size.
    /// Default: `1GiB`.
    pub most: Option<Size>,
    #[serde(rename = "path", default)]
    pub folder: PathBuf,
    /// Not read.
    #[serde(skip)]
    pub hidden: u8,
    /// More.
    #[serde(flatten)]
    pub pace: super::pace::RawPace,
}
#[derive(Clone, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum RawProbe { /** Asks. */ HttpGet(RawHttp), Tcp }
#[derive(Clone)]
pub struct RawNothing { field: u8 }
#[derive(Deserialize)]
struct RawForeign { field: u8 }
#[derive(Deserialize)]
struct Hidden(String);
"#;

    #[test]
    fn reads_what_files_may_hold() {
        let source = Source::parse("agent/src/spool/settings.rs", FILE).unwrap();
        let shapes = of_file(&source);
        let names: Vec<&str> = shapes.iter().map(|shape| shape.name.as_str()).collect();
        assert_eq!(names, ["RawSettings", "RawProbe", "RawForeign", "Hidden"]);
        let first = &shapes[0];
        assert_eq!(first.module, ["spool", "settings"]);
        assert_eq!(
            first.docs,
            "The section `[spool]`.\n\nSecond paragraph, of `Spool`."
        );
        let Kind::Table(fields) = &first.kind else {
            panic!("{first:?}")
        };
        let keys: Vec<&str> = fields.iter().map(|field| field.key.as_str()).collect();
        assert_eq!(keys, ["most", "path", "pace"]);
        assert_eq!(fields[0].docs, "How large. A size. Default: `1GiB`.");
        assert_eq!(fields[0].of.as_ref().unwrap().arguments[0].path, ["Size"]);
        assert!(fields[2].flat);
        let Kind::Choice { tag, options } = &shapes[1].kind else {
            panic!("{:?}", shapes[1])
        };
        assert_eq!(tag.as_deref(), Some("kind"));
        assert_eq!(
            (options[0].key.as_str(), options[1].key.as_str()),
            ("http_get", "tcp")
        );
    }

    #[test]
    fn names_fields_that_do_not_say_what_they_mean() {
        let source = Source::parse("agent/src/spool/settings.rs", FILE).unwrap();
        let found: Vec<String> = problems(&of_file(&source))
            .iter()
            .map(Problem::to_string)
            .collect();
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].starts_with("agent/src/spool/settings.rs:12: `path` of `RawSettings`"));
        assert!(found[1].contains("`tcp` of `RawProbe`"));
    }
}

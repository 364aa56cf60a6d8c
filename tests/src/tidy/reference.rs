//! The reference of the configuration files, written from the comments of the settings' types.
//!
//! It begins at each type named `RawConfig` and follows the types of its fields, as a file's tables
//! follow one another. Settings that no file leads to are listed at the end, so that none is left
//! out by the way in which it is reached.

use std::collections::BTreeSet;

use super::settings::{Field, Kind, Shape, Type};

/// The generated file, from the top of the repository.
pub const FILE: &str = "docs/configuration.md";

/// What writes it.
pub const COMMAND: &str = "UPDATE_DOCS=1 cargo test -p tests --test tidy";

/// Programs by the folder of their crate.
const PROGRAMS: [(&str, &str); 2] = [
    ("agent", "The agent, `nightshift-agent`"),
    ("collector", "The collector, `nightshift`"),
];

/// The type at which a program's file begins.
const ROOT: &str = "RawConfig";

/// No table lies deeper; types that hold themselves end here.
const DEEPEST: usize = 8;

/// Writes the reference.
#[must_use]
pub fn write(shapes: &[Shape]) -> String {
    let mut reference = Reference {
        shapes,
        text: opening(),
        told: BTreeSet::new(),
    };
    for root in shapes.iter().filter(|shape| shape.name == ROOT) {
        let program = PROGRAMS.iter().find(|(folder, _)| *folder == root.folder);
        let program = program.map_or(root.folder.as_str(), |(_, program)| program);
        reference.line(&format!("\n## {program}\n"));
        reference.shape(root, &Place::default());
    }
    reference.rest();
    reference.text
}

fn opening() -> String {
    format!(
        "# Configuration\n\n<!-- Written from the comments of the settings by `{COMMAND}`. -->\n\n\
         Files are TOML. Every key is optional unless it says otherwise; a key that does not exist is \
         an error. A duration is one or more numbers with a unit: `250ms`, `10s`, `1h30m`, `7d`. A size \
         is a number with a unit: `512B`, `64KiB`, `100MB`, `1GiB`. Check a file with `check-config`.\n"
    )
}

struct Reference<'a> {
    shapes: &'a [Shape],
    text: String,
    told: BTreeSet<(&'a str, &'a str)>,
}

/// Where a table stands in a file.
#[derive(Clone, Debug, Default)]
struct Place {
    keys: Vec<String>,
    /// Whether it may stand there more than once.
    repeated: bool,
    /// What it must say of itself: `kind = "http"`.
    tag: Option<String>,
}

impl Place {
    fn below(&self, key: &str, repeated: bool) -> Self {
        let keys = self.keys.iter().cloned().chain([key.to_owned()]).collect();
        Self {
            keys,
            repeated,
            tag: None,
        }
    }

    fn heading(&self) -> Option<String> {
        if self.keys.is_empty() {
            return None;
        }
        let keys = self.keys.join(".");
        let table = if self.repeated {
            format!("`[[{keys}]]`")
        } else {
            format!("`[{keys}]`")
        };
        Some(match &self.tag {
            Some(tag) => format!("{table} with `{tag}`"),
            None => table,
        })
    }
}

impl<'a> Reference<'a> {
    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    /// A table and the tables within it.
    fn shape(&mut self, shape: &'a Shape, place: &Place) {
        self.told.insert((&shape.file, &shape.name));
        match &shape.kind {
            Kind::Table(fields) => {
                self.opening_of(shape, place);
                self.fields(shape, fields, place);
            }
            Kind::Choice {
                tag: Some(tag),
                options,
            } => {
                self.opening_of(shape, place);
                for option in options {
                    self.option(shape, tag, option, place);
                }
            }
            Kind::Choice { tag: None, .. } | Kind::Same => {}
        }
    }

    fn opening_of(&mut self, shape: &Shape, place: &Place) {
        if let Some(heading) = place.heading() {
            self.line(&format!("\n### {heading}\n"));
        }
        self.line(&shape.docs);
    }

    fn option(&mut self, from: &'a Shape, tag: &str, option: &Field, place: &Place) {
        let place = Place {
            tag: Some(format!("{tag} = \"{}\"", option.key)),
            ..place.clone()
        };
        match option.of.as_ref().and_then(|of| self.resolve(from, of)) {
            Some(shape) => self.shape(shape, &place),
            None => {
                let heading = place.heading().unwrap_or_default();
                self.line(&format!("\n### {heading}\n\n{}", option.docs));
            }
        }
    }

    /// The keys of a table, then the tables that stand below it.
    fn fields(&mut self, shape: &'a Shape, fields: &'a [Field], place: &Place) {
        let mut below = Vec::new();
        self.text.push('\n');
        self.keys(shape, fields, place, &mut below);
        for (shape, place) in below {
            if place.keys.len() < DEEPEST {
                self.shape(shape, &place);
            }
        }
    }

    fn keys(
        &mut self,
        shape: &'a Shape,
        fields: &'a [Field],
        place: &Place,
        below: &mut Vec<(&'a Shape, Place)>,
    ) {
        for field in fields {
            let Some(of) = &field.of else { continue };
            let (inner, repeated) = held(of);
            let resolved = self.resolve(shape, inner);
            match resolved.map(|shape| (shape, &shape.kind)) {
                Some((flat, Kind::Table(fields))) if field.flat => {
                    self.told.insert((&flat.file, &flat.name));
                    self.keys(flat, fields, place, below);
                }
                Some((table, Kind::Table(_) | Kind::Choice { tag: Some(_), .. })) => {
                    let place = place.below(&field.key, repeated);
                    let heading = place.heading().unwrap_or_default();
                    self.line(&format!(
                        "- **`{}`**, {heading} below: {}",
                        field.key, field.docs
                    ));
                    below.push((table, place));
                }
                Some((words, Kind::Choice { options, .. })) => {
                    self.told.insert((&words.file, &words.name));
                    self.line(&format!(
                        "- **`{}`**, one of the words below: {}",
                        field.key, field.docs
                    ));
                    for option in options {
                        self.line(&format!("  - `{}`: {}", option.key, option.docs));
                    }
                }
                _ => {
                    let kind = kind_of(of);
                    self.line(&format!("- **`{}`**, {kind}: {}", field.key, field.docs));
                }
            }
        }
    }

    /// Settings that no file leads to.
    fn rest(&mut self) {
        let shapes = self.shapes;
        let untold = |shape: &&Shape| shape.is_section() && matches!(shape.kind, Kind::Table(_));
        for shape in shapes.iter().filter(untold) {
            if self
                .told
                .contains(&(shape.file.as_str(), shape.name.as_str()))
            {
                continue;
            }
            let module = shape.module.join("::");
            self.line(&format!(
                "\n## Settings of {} in `{module}`\n",
                shape.folder
            ));
            self.shape(shape, &Place::default());
        }
    }

    /// The type that a field of `from` names: of the module it names, else of the nearest.
    fn resolve(&self, from: &Shape, of: &Type) -> Option<&'a Shape> {
        let (name, modules) = of.path.split_last()?;
        let named = |shape: &&Shape| {
            let mut own = shape.module.iter();
            let relative =
                |module: &&String| !matches!(module.as_str(), "crate" | "super" | "self");
            shape.name == *name
                && shape.folder == from.folder
                && modules
                    .iter()
                    .filter(relative)
                    .all(|module| own.any(|own| own == module))
        };
        let near = |shape: &&Shape| {
            let pairs = shape.module.iter().zip(&from.module);
            let shared = pairs.take_while(|(one, other)| one == other).count();
            (
                shape.file != from.file,
                usize::MAX - shared,
                shape.module.len(),
            )
        };
        self.shapes.iter().filter(named).min_by_key(near)
    }
}

/// What a field holds once or more often: looks through options, boxes and lists.
fn held(of: &Type) -> (&Type, bool) {
    match (of.path.last().map(String::as_str), of.arguments.as_slice()) {
        (Some("Option" | "Box"), [inner]) => held(inner),
        (Some("Vec"), [inner]) => (held(inner).0, true),
        _ => (of, false),
    }
}

/// A type in words.
fn kind_of(of: &Type) -> String {
    let arguments = of.arguments.as_slice();
    match (
        of.path.last().map(String::as_str).unwrap_or_default(),
        arguments,
    ) {
        ("Option" | "Box", [inner]) => kind_of(inner),
        ("Vec" | "BTreeSet", [inner]) => format!("list of {}", kind_of(inner)),
        ("BTreeMap" | "HashMap", [_, inner]) => format!("table of {}", kind_of(inner)),
        ("bool", _) => "`true` or `false`".to_owned(),
        ("PathBuf", _) => "path".to_owned(),
        ("Period", _) => "duration".to_owned(),
        ("Size", _) => "size".to_owned(),
        ("f64", _) => "number".to_owned(),
        ("u8" | "u16" | "u32" | "u64" | "usize" | "i64" | "i32", _) => "whole number".to_owned(),
        _ => "text".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::settings::of_file;
    use super::super::tree::Source;
    use super::*;

    #[test]
    fn follows_types_as_tables_follow_one_another() {
        let files = [
            (
                "agent/src/config.rs",
                "/// The file.\n#[derive(Deserialize)] struct RawConfig {\n\
                 /// Where. Default: `/x`.\n data: Option<PathBuf>,\n\
                 /// Instances.\n redis: Vec<redis::RawSettings>,\n\
                 /// Probes.\n probe: Vec<probe::RawSettings>,\n\
                 /// How.\n format: Format }\n\
                 /// F.\n#[derive(Deserialize)] #[serde(rename_all = \"lowercase\")] enum Format {\n\
                 /// For people.\n Text,\n/// For programs.\n Json }",
            ),
            (
                "agent/src/sources/redis/settings.rs",
                "/// A Redis.\n#[derive(Deserialize)] pub struct RawSettings {\n\
                 /// How often.\n interval: Period,\n/// TLS.\n tls: RawTls,\n\
                 /// Flat.\n#[serde(flatten)] login: RawLogin }",
            ),
            (
                "agent/src/sources/http/tls.rs",
                "/// How to speak TLS.\n#[derive(Deserialize)] pub struct RawTls {\n\
                 /// Whom to trust.\n ca: Vec<String> }",
            ),
            (
                "agent/src/sources/login.rs",
                "/// Who.\n#[derive(Deserialize)] pub struct RawLogin {\n/// A name.\n user: Hidden }",
            ),
            (
                "agent/src/sources/probe.rs",
                "/// A probe.\n#[derive(Deserialize)] #[serde(tag = \"kind\", rename_all = \"lowercase\")]\n\
                 pub enum RawSettings {\n/// Asks.\n Http(RawHttp) }\n\
                 /// Asks a URL.\n#[derive(Deserialize)] pub struct RawHttp {\n/// Which.\n url: String }",
            ),
            (
                "collector/src/limits.rs",
                "/// Limits.\n#[derive(Deserialize)] pub struct RawLimits {\n/// Most.\n most: Size }",
            ),
        ];
        let shapes: Vec<Shape> = files
            .iter()
            .flat_map(|(path, text)| of_file(&Source::parse(path, text).unwrap()))
            .collect();
        let text = write(&shapes);
        let expected = "\n## The agent, `nightshift-agent`\n\nThe file.\n\n\
            - **`data`**, path: Where. Default: `/x`.\n\
            - **`redis`**, `[[redis]]` below: Instances.\n\
            - **`probe`**, `[[probe]]` below: Probes.\n\
            - **`format`**, one of the words below: How.\n  - `text`: For people.\n  - `json`: For programs.\n\
            \n### `[[redis]]`\n\nA Redis.\n\n\
            - **`interval`**, duration: How often.\n\
            - **`tls`**, `[redis.tls]` below: TLS.\n\
            - **`user`**, text: A name.\n\
            \n### `[redis.tls]`\n\nHow to speak TLS.\n\n- **`ca`**, list of text: Whom to trust.\n\
            \n### `[[probe]]`\n\nA probe.\n\
            \n### `[[probe]]` with `kind = \"http\"`\n\nAsks a URL.\n\n- **`url`**, text: Which.\n\
            \n## Settings of collector in `limits`\n\nLimits.\n\n- **`most`**, size: Most.\n";
        assert_eq!(text.strip_prefix(&opening()).unwrap(), expected);
    }
}

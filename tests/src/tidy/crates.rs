//! Which crate may build on which, which licences others may have, and where they may come from.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

/// What each crate may depend on, as DESIGN and ARCHITECTURE.md draw it. A crate may also use what
/// those use.
const ARROWS: [(&str, &[&str]); 10] = [
    ("wire", &[]),
    ("store", &["wire"]),
    ("query", &["store"]),
    ("rules", &["query"]),
    ("notify", &["rules"]),
    ("incidents", &["rules"]),
    ("runbooks", &["wire"]),
    ("nightshift-agent", &["wire", "runbooks"]),
    (
        "nightshift",
        &["store", "query", "notify", "incidents", "runbooks"],
    ),
    ("tests", &["nightshift-agent", "nightshift"]),
];

/// Names under which things gather that belong nowhere.
const EMPTY_NAMES: [&str; 6] = ["common", "util", "utils", "helpers", "shared", "misc"];

#[derive(Debug, Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Debug, Deserialize)]
struct Package {
    name: String,
    source: Option<String>,
    license: Option<String>,
    dependencies: Vec<Dependency>,
}

#[derive(Debug, Deserialize)]
struct Dependency {
    name: String,
    /// `dev`, `build`, or nothing.
    kind: Option<String>,
}

/// Every arrow that points where it must not, and every crate with a name that says nothing.
pub fn arrows(root: &Path) -> Result<Vec<String>> {
    let metadata = metadata(root, &["--no-deps"])?;
    let crates: Vec<(&str, Vec<&str>)> = metadata
        .packages
        .iter()
        .map(|package| {
            // What only tests need may point anywhere: it does not ship.
            let shipped = package.dependencies.iter();
            let shipped = shipped.filter(|dependency| dependency.kind.as_deref() != Some("dev"));
            let names = shipped.map(|dependency| dependency.name.as_str());
            (package.name.as_str(), names.collect())
        })
        .collect();
    Ok(wrong_arrows(&crates))
}

fn wrong_arrows(crates: &[(&str, Vec<&str>)]) -> Vec<String> {
    let mut found = Vec::new();
    for (name, dependencies) in crates {
        if EMPTY_NAMES.contains(name) {
            found.push(format!(
                "no crate is named `{name}`: name it after what it owns"
            ));
            continue;
        }
        if !ARROWS.iter().any(|(known, _)| known == name) {
            let table = "the table in tests/src/tidy/crates.rs and in ARCHITECTURE.md";
            found.push(format!(
                "`{name}` is new: say in {table} what it may depend on"
            ));
            continue;
        }
        for dependency in dependencies {
            let own = crates.iter().any(|(name, _)| name == dependency);
            if own && !may_use(name, dependency) {
                found.push(format!("`{name}` must not depend on `{dependency}`"));
            }
        }
    }
    found
}

fn may_use(name: &str, dependency: &str) -> bool {
    let arrows = ARROWS.iter().find(|(known, _)| *known == name);
    let Some((_, direct)) = arrows else {
        return false;
    };
    direct.contains(&dependency) || direct.iter().any(|next| may_use(next, dependency))
}

/// Every crate of others whose licence `deny.toml` does not allow, or that does not come from the
/// one registry.
pub fn supply(root: &Path) -> Result<Vec<String>> {
    let rules = std::fs::read_to_string(root.join("deny.toml")).context("read deny.toml")?;
    let rules: toml::Table = rules.parse().context("parse deny.toml")?;
    let allowed = rules["licenses"]["allow"]
        .as_array()
        .context("licenses.allow is a list")?;
    let allowed: Vec<&str> = allowed.iter().filter_map(toml::Value::as_str).collect();
    // Only what is built here: what other systems need is not even downloaded.
    let platform = platform()?;
    let mut found = Vec::new();
    for package in metadata(root, &["--filter-platform", &platform])?.packages {
        let name = &package.name;
        match package.source.as_deref() {
            None => continue,
            Some(source) if source.starts_with("registry+") => {}
            Some(source) => found.push(format!("`{name}` comes from {source}")),
        }
        let license = package.license.unwrap_or_default();
        if !is_allowed(&license, &allowed) {
            found.push(format!("`{name}` has the licence {license:?}"));
        }
    }
    Ok(found)
}

/// The platform that this is, in the compiler's words.
fn platform() -> Result<String> {
    let output = Command::new("rustc")
        .arg("-vV")
        .output()
        .context("run rustc")?;
    let text = String::from_utf8(output.stdout).context("read what rustc says")?;
    let platform = text.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(platform.context("rustc names its host")?.to_owned())
}

fn metadata(root: &Path, flags: &[&str]) -> Result<Metadata> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--locked"])
        .args(flags)
        .current_dir(root)
        .output()
        .context("run cargo metadata")?;
    if !output.status.success() {
        bail!(
            "cargo metadata: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    serde_json::from_slice(&output.stdout).context("read cargo metadata")
}

/// Whether a licence expression (`MIT OR (Apache-2.0 AND ISC)`, or `MIT/Apache-2.0` as it was
/// written once) can be met by licences that are allowed.
fn is_allowed(expression: &str, allowed: &[&str]) -> bool {
    let spaced = expression
        .replace('(', " ( ")
        .replace(')', " ) ")
        .replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = words.as_slice();
    any_of(&mut rest, allowed) && rest.is_empty()
}

fn any_of(rest: &mut &[&str], allowed: &[&str]) -> bool {
    let mut met = all_of(rest, allowed);
    while let [word, after @ ..] = *rest
        && *word == "OR"
    {
        *rest = after;
        met |= all_of(rest, allowed);
    }
    met
}

fn all_of(rest: &mut &[&str], allowed: &[&str]) -> bool {
    let mut met = one(rest, allowed);
    while let [word, after @ ..] = *rest
        && *word == "AND"
    {
        *rest = after;
        met &= one(rest, allowed);
    }
    met
}

fn one(rest: &mut &[&str], allowed: &[&str]) -> bool {
    match *rest {
        ["(", after @ ..] => {
            *rest = after;
            let met = any_of(rest, allowed);
            let closed = rest.first() == Some(&")");
            *rest = rest.get(1..).unwrap_or_default();
            met && closed
        }
        [license, "WITH", exception, after @ ..] => {
            *rest = after;
            allowed.contains(&format!("{license} WITH {exception}").as_str())
        }
        [license, after @ ..] => {
            *rest = after;
            allowed.contains(license)
        }
        [] => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrows_point_one_way() {
        let check = |crates: &[(&str, Vec<&str>)], expected: &[&str]| {
            assert_eq!(wrong_arrows(crates), expected);
        };
        let wire = ("wire", vec!["serde"]);
        let agent = ("nightshift-agent", vec!["wire", "tokio"]);
        let collector = ("nightshift", vec!["wire", "store", "query"]);
        let store = ("store", vec!["wire"]);
        let query = ("query", vec!["store", "wire"]);
        let all = [wire.clone(), agent, collector.clone(), store, query];
        check(&all, &[]);
        let backwards = ("nightshift-agent", vec!["nightshift"]);
        let message = "`nightshift-agent` must not depend on `nightshift`";
        check(&[backwards, collector], &[message]);
        let upwards = [("wire", vec!["store"]), ("store", vec!["wire"])];
        check(&upwards, &["`wire` must not depend on `store`"]);
        let named = wrong_arrows(&[("utils", vec![]), ("alien", vec![])]);
        assert!(
            named[0].contains("`utils`") && named[1].contains("`alien` is new"),
            "{named:?}"
        );
    }

    #[test]
    fn licences_are_read_as_expressions() {
        let allowed = ["MIT", "Apache-2.0", "ISC", "Apache-2.0 WITH LLVM-exception"];
        for (expression, expected) in [
            ("MIT", true),
            ("GPL-3.0", false),
            ("GPL-3.0 OR MIT", true),
            ("MIT AND GPL-3.0", false),
            ("Apache-2.0 AND ISC", true),
            ("(MIT OR GPL-3.0) AND ISC", true),
            ("(MIT OR ISC) AND GPL-3.0", false),
            ("GPL-3.0 OR MIT AND ISC", true),
            ("Zlib/MIT", true),
            ("Apache-2.0 WITH LLVM-exception OR GPL-3.0", true),
            ("MIT WITH LLVM-exception", false),
            ("", false),
            ("(MIT", false),
            ("MIT ISC", false),
        ] {
            assert_eq!(is_allowed(expression, &allowed), expected, "{expression:?}");
        }
    }
}

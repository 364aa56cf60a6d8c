//! docs/benchmarks.md: a section for each benchmark, replaced by itself, so that one can be run alone.

const HEAD: &str =
    "# Benchmarks\n\nMade by `make bench`. Machines differ and are shared: read the ratios.\n";

/// The document with a section in the place of the one of the same title, or at the end.
#[must_use]
pub fn with_section(document: &str, title: &str, body: &str) -> String {
    let section = format!("## {title}\n\n{}\n", body.trim());
    let mut sections: Vec<String> = document
        .split("\n## ")
        .skip(1)
        .map(|text| format!("## {}\n", text.trim_end()))
        .collect();
    let heading = format!("## {title}\n");
    match sections
        .iter_mut()
        .find(|known| known.starts_with(&heading))
    {
        Some(known) => *known = section,
        None => sections.push(section),
    }
    format!("{HEAD}\n{}", sections.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_replaces_its_like_alone() {
        let one = with_section("# Old\n\nwords\n", "A", "1");
        assert_eq!(one, format!("{HEAD}\n## A\n\n1\n"));
        let two = with_section(&one, "B", "2\n\n| a |\n");
        assert_eq!(two, format!("{HEAD}\n## A\n\n1\n\n## B\n\n2\n\n| a |\n"));
        let again = with_section(&two, "A", "3\n");
        assert_eq!(again, format!("{HEAD}\n## A\n\n3\n\n## B\n\n2\n\n| a |\n"));
    }
}

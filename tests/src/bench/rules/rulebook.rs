//! The rule files: for each host, each cluster and the fleet the rules of the texts beside this, about
//! it.

use std::path::Path;

use anyhow::Result;

use super::fleet::{self, CLUSTERS, HOSTS};

const NODE: &str = include_str!("node.yml");
const POSTGRES: &str = include_str!("postgres.yml");
const CLUSTER: &str = include_str!("cluster.yml");
const FLEET: &str = include_str!("fleet.yml");

/// Writes a file a cluster, and one for the fleet. Says how many rules there are in all.
pub(super) fn write(folder: &Path) -> Result<usize> {
    let mut rules = 0;
    let mut put = |name: &str, groups: &str| {
        rules += groups.matches("\n    expr: ").count();
        std::fs::write(folder.join(name), format!("groups:\n{groups}"))
    };
    for number in 0..CLUSTERS {
        let cluster = fleet::cluster(number);
        let mut groups = CLUSTER.replace("CLUSTER", &cluster);
        for (host, _) in (0..HOSTS).map(fleet::host).filter(|(_, of)| *of == cluster) {
            groups.push_str(&NODE.replace("HOST", &host));
            groups.push_str(&POSTGRES.replace("HOST", &host));
        }
        put(&format!("{cluster}.yml"), &groups)?;
    }
    put("fleet.yml", FLEET)?;
    Ok(rules)
}

#[cfg(test)]
mod tests {
    use rules::file::RuleFile;

    use super::*;

    #[test]
    fn there_are_ten_thousand_rules() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(write(folder.path()).unwrap(), 10_000);
        let (mut groups, mut rules) = (0, 0);
        for file in std::fs::read_dir(folder.path()).unwrap() {
            let text = std::fs::read(file.unwrap().path()).unwrap();
            let file = RuleFile::parse(&text).unwrap();
            groups += file.groups.len();
            let sizes = file.groups.iter().map(|group| group.rules.len());
            rules += sizes.sum::<usize>();
        }
        assert_eq!((groups, rules), (421, 10_000));
    }
}

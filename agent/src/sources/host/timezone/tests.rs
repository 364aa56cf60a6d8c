use std::path::Path;
use std::process::Command;

use proptest::prelude::*;

use super::*;

fn zone_of_rule(rule: &str, now: i64) -> Option<(String, i32)> {
    let zone = Rule::parse(rule)?.zone_at(now);
    Some((zone.name, zone.offset))
}

#[test]
fn rules() {
    const CENTRAL_EUROPE: &str = "CET-1CEST,M3.5.0,M10.5.0/3";
    const SYDNEY: &str = "AEST-10AEDT,M10.1.0,M4.1.0/3";
    for (rule, now, expected) in [
        ("UTC0", 0, Some(("UTC", 0))),
        ("<+0530>-5:30", 0, Some(("+0530", 19_800))),
        // 2026-03-29 01:00 UTC and the second before; 2026-10-25 01:00 UTC likewise.
        (CENTRAL_EUROPE, 1_774_745_999, Some(("CET", 3600))),
        (CENTRAL_EUROPE, 1_774_746_000, Some(("CEST", 7200))),
        (CENTRAL_EUROPE, 1_792_889_999, Some(("CEST", 7200))),
        (CENTRAL_EUROPE, 1_792_890_000, Some(("CET", 3600))),
        (SYDNEY, 1_767_225_600, Some(("AEDT", 39_600))),
        (SYDNEY, 1_782_864_000, Some(("AEST", 36_000))),
        (
            "EST5EDT,J60,300/-1:30",
            1_782_864_000,
            Some(("EDT", -14_400)),
        ),
        ("", 0, None),
        ("X0", 0, None),
        ("CET-1CEST", 0, None),
        ("CET-1CEST,M13.1.0,M10.5.0", 0, None),
        ("CET-1CEST,M3.5.0,M10.5.0,", 0, None),
        ("CET-99999999999999999999", 0, None),
    ] {
        let found = zone_of_rule(rule, now);
        let found = found
            .as_ref()
            .map(|(name, offset)| (name.as_str(), *offset));
        assert_eq!(found, expected, "{rule} at {now}");
    }
}

/// The zones of this machine, at moments of all kinds, against what `date` makes of them.
#[test]
fn every_installed_zone_agrees_with_the_c_library() {
    let folder = Path::new("/usr/share/zoneinfo");
    // 1960, 1999, both halves of 2026, and 2040, which most files leave to their rule.
    let moments = [
        -315_619_200_i64,
        930_000_000,
        1_768_000_000,
        1_784_000_000,
        2_225_000_000,
    ];
    for name in [
        "Etc/UTC",
        "Europe/Berlin",
        "Europe/Dublin",
        "America/New_York",
        "America/Sao_Paulo",
        "America/Nuuk",
        "Asia/Kolkata",
        "Asia/Jerusalem",
        "Australia/Sydney",
        "Pacific/Chatham",
        "Africa/Casablanca",
    ] {
        let file = std::fs::read(folder.join(name)).unwrap();
        for moment in moments {
            let zone = zone_at(&file, moment).unwrap();
            let date = Command::new("date")
                .env("TZ", name)
                .args(["-d", &format!("@{moment}"), "+%Z %::z"])
                .output()
                .unwrap();
            let sign = if zone.offset < 0 { '-' } else { '+' };
            let size = zone.offset.abs();
            let expected = format!(
                "{} {sign}{:02}:{:02}:{:02}",
                zone.name,
                size / 3600,
                size / 60 % 60,
                size % 60
            );
            let said = String::from_utf8(date.stdout).unwrap();
            assert_eq!(said.trim(), expected, "{name} at {moment}");
        }
    }
}

proptest! {
    #[test]
    fn days_follow_each_other(day in -1_000_000_i64..1_000_000) {
        let year = year_of(day * 86_400);
        prop_assert!(days_to(year, 1, 1) <= day && day < days_to(year + 1, 1, 1));
    }

    #[test]
    fn no_file_breaks_it(
        mut file in proptest::collection::vec(any::<u8>(), 0..300),
        like_a_zone in any::<bool>(),
        now in any::<i32>(),
    ) {
        if like_a_zone && file.len() > 44 {
            file[..5].copy_from_slice(b"TZif2");
            for at in (20..44).filter(|at| at % 4 != 3) {
                file[at] = 0;
            }
        }
        zone_at(&file, i64::from(now));
    }

    #[test]
    fn no_rule_breaks_it(rule in "[A-Z<>0-9:,./MJ+-]{0,40}", now in any::<i32>()) {
        if let Some(rule) = Rule::parse(&rule) {
            rule.zone_at(i64::from(now));
        }
    }
}

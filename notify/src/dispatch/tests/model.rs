//! The machine against a plain model of Alertmanager's rules, over random histories. The machine is
//! taken down and restored from what it marked as changed at random points; the model is not.

use proptest::prelude::*;

use super::*;

const HOSTS: [&str; 2] = ["a", "b"];
const NAMES: [&str; 3] = ["A", "B", "C"];

#[derive(Clone, Debug)]
enum Step {
    Fires(usize),
    Ends(usize),
    Silence(usize),
    Inhibit(usize),
    Night,
    Acknowledge,
    Restart,
    Reload,
    Wait(i64),
}

fn step() -> impl Strategy<Value = Step> {
    let alert = 0..HOSTS.len() * NAMES.len();
    prop_oneof![
        4 => alert.clone().prop_map(Step::Fires),
        4 => alert.clone().prop_map(Step::Ends),
        1 => alert.clone().prop_map(Step::Silence),
        1 => alert.prop_map(Step::Inhibit),
        1 => Just(Step::Night),
        1 => Just(Step::Acknowledge),
        1 => Just(Step::Restart),
        1 => Just(Step::Reload),
        4 => (1..40 * MINUTE).prop_map(Step::Wait),
        4 => (1..2 * MINUTE).prop_map(Step::Wait),
    ]
}

fn labels_of(alert: usize) -> Labels {
    labels(NAMES[alert % 3], HOSTS[alert / 3])
}

fn ways() -> Vec<Arc<Way>> {
    let mut nightly = (*way("mail", &["alertname"], false)).clone();
    nightly.route.mute_intervals = vec!["night".to_owned()];
    nightly.route.repeat_interval = Duration::from_secs(1_800);
    nightly.route.group_wait = Duration::ZERO;
    vec![way("pager", &["host"], true), Arc::new(nightly)]
}

/// What is muted, and who took it on.
#[derive(Clone, Debug, Default)]
struct World {
    silenced: BTreeSet<usize>,
    inhibited: BTreeSet<usize>,
    is_night: bool,
    is_acknowledged: bool,
}

#[derive(Debug, Default)]
struct Model {
    /// Start and end.
    alerts: BTreeMap<usize, (i64, Option<i64>)>,
    groups: BTreeMap<(String, String), Plain>,
}

#[derive(Clone, Debug, Default)]
struct Plain {
    members: BTreeSet<usize>,
    next_ms: i64,
    was_looked_at: bool,
    told: Option<(BTreeSet<usize>, BTreeSet<usize>, i64)>,
    owed: BTreeSet<usize>,
}

type Line = (String, String, Vec<usize>, Vec<usize>);

impl Model {
    fn fires(&mut self, alert: usize, now_ms: i64) {
        let known = self.alerts.entry(alert).or_insert((now_ms, None));
        if known.1.is_some() {
            *known = (now_ms, None);
        }
        let began_ms = known.0;
        for way in ways() {
            let (id, _) = way.group(&labels_of(alert));
            let wait_ms = way.route.group_wait.as_millis() as i64;
            let group = self
                .groups
                .entry((id.key.to_string(), way.route.receiver.clone()));
            let group = group.or_insert_with(|| Plain {
                next_ms: now_ms + wait_ms,
                ..Plain::default()
            });
            group.members.insert(alert);
            if !group.was_looked_at && began_ms + wait_ms <= now_ms {
                group.next_ms = group.next_ms.min(now_ms);
            }
        }
    }

    fn ends(&mut self, alert: usize, now_ms: i64) {
        if let Some(known) = self.alerts.get_mut(&alert)
            && known.1.is_none()
        {
            known.1 = Some(now_ms);
        }
    }

    fn told(&mut self, world: &World, now_ms: i64) -> Vec<Line> {
        let mut lines = Vec::new();
        for way in ways() {
            let groups = self.groups.iter_mut();
            let own = groups.filter(|((_, receiver), _)| *receiver == way.route.receiver);
            for ((key, receiver), group) in own.filter(|(_, group)| group.next_ms <= now_ms) {
                let is_muted = |alert: &usize| {
                    let is_night = world.is_night && !way.route.mute_intervals.is_empty();
                    is_night || world.silenced.contains(alert) || world.inhibited.contains(alert)
                };
                let is_over = |alert: &usize| self.alerts[alert].1.is_some();
                let heard: BTreeSet<usize> = group
                    .members
                    .iter()
                    .copied()
                    .filter(|one| !is_muted(one))
                    .collect();
                let (over, firing): (BTreeSet<usize>, BTreeSet<usize>) =
                    heard.iter().copied().partition(is_over);
                let wants_ends = way.channels[0].send_resolved;
                if group.tells(&firing, &over, (&way, world), now_ms) {
                    group.owed.extend(&firing);
                    group.owed.retain(|one| !over.contains(one));
                    group.told = Some((firing.clone(), over.clone(), now_ms));
                    let over = if wants_ends {
                        over.clone()
                    } else {
                        BTreeSet::new()
                    };
                    if !firing.is_empty() || !over.is_empty() {
                        let line = (firing.into_iter().collect(), over.into_iter().collect());
                        lines.push((receiver.clone(), key.clone(), line.0, line.1));
                    }
                }
                let owed = std::mem::take(&mut group.owed);
                group.members.retain(|one| {
                    !is_over(one) || (wants_ends && owed.contains(one) && is_muted(one))
                });
                group.owed = owed;
                group.was_looked_at = true;
                group.next_ms = now_ms + way.route.group_interval.as_millis() as i64;
            }
        }
        self.groups.retain(|_, group| !group.members.is_empty());
        let groups: Vec<&Plain> = self.groups.values().collect();
        let is_told = |alert: &usize| groups.iter().any(|group| group.members.contains(alert));
        self.alerts
            .retain(|alert, (_, end)| end.is_none() || is_told(alert));
        lines.sort();
        lines
    }
}

impl Plain {
    fn tells(
        &self,
        firing: &BTreeSet<usize>,
        over: &BTreeSet<usize>,
        (way, world): (&Way, &World),
        now_ms: i64,
    ) -> bool {
        if firing.is_empty() && over.is_empty() {
            return false;
        }
        let Some((told_firing, told_over, at_ms)) = &self.told else {
            return !firing.is_empty();
        };
        let is_new = firing.iter().any(|one| !told_firing.contains(one));
        let has_ended = over.iter().any(|one| !told_over.contains(one));
        let is_owed = over.iter().any(|one| self.owed.contains(one));
        let is_old = now_ms - at_ms >= way.route.repeat_interval.as_millis() as i64;
        if firing.is_empty() {
            return !told_firing.is_empty() || is_owed;
        }
        let wants_ends = way.channels[0].send_resolved;
        is_new || (wants_ends && has_ended) || (is_old && !world.is_acknowledged)
    }
}

/// The machine, and what of it survives.
#[derive(Default)]
struct Machine {
    dispatch: Dispatch,
    alerts: BTreeMap<Fingerprint, Known>,
    groups: BTreeMap<GroupId, Group>,
}

impl Machine {
    fn keep(&mut self) {
        let changes = self.dispatch.take_changes();
        for fingerprint in changes.alerts {
            match self.dispatch.alert(fingerprint) {
                Some(known) => self.alerts.insert(fingerprint, known.clone()),
                None => self.alerts.remove(&fingerprint),
            };
        }
        for id in changes.groups {
            match self.dispatch.group(&id) {
                Some(group) => self.groups.insert(id, group.clone()),
                None => self.groups.remove(&id),
            };
        }
    }

    fn restart(&mut self, now_ms: i64) {
        let (alerts, groups) = (self.alerts.clone(), self.groups.clone());
        self.dispatch = Dispatch::restore(alerts.into_values(), groups);
        self.dispatch.reroute(Some(&|_| ways()), now_ms);
    }

    fn told(&mut self, world: &World, now_ms: i64) -> Vec<Line> {
        let number = |labels: &Labels| (0..6).find(|one| labels_of(*one) == *labels).unwrap();
        let view = View {
            is_inhibited: &|_, labels| world.inhibited.contains(&number(labels)),
            is_silenced: &|labels| world.silenced.contains(&number(labels)),
            is_within: &|_| world.is_night,
            is_acknowledged: &|_| world.is_acknowledged,
            external_url: "",
        };
        let told = self.dispatch.flush(&view, now_ms);
        let line = |telling: Telling| {
            let told = telling.notification;
            let numbers = |alerts: &mut dyn Iterator<Item = &Alert>| {
                let numbers: BTreeSet<usize> = alerts.map(|one| number(&one.labels)).collect();
                numbers.into_iter().collect::<Vec<_>>()
            };
            let (firing, over) = (numbers(&mut told.firing()), numbers(&mut told.resolved()));
            (told.receiver, told.group_key, firing, over)
        };
        let mut lines: Vec<Line> = told.into_iter().map(line).collect();
        lines.sort();
        lines
    }
}

fn toggle(set: &mut BTreeSet<usize>, alert: usize) {
    if !set.remove(&alert) {
        set.insert(alert);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn histories_are_told_as_the_model_tells_them(steps in prop::collection::vec(step(), 1..80)) {
        let (mut machine, mut model, mut world) = (Machine::default(), Model::default(), World::default());
        let (mut now_ms, mut event) = (1_000_000, 0);
        for step in steps {
            now_ms += 1;
            event += 1;
            match step {
                Step::Fires(alert) | Step::Ends(alert) => {
                    let known = model.alerts.get(&alert).copied();
                    let is_end = matches!(step, Step::Ends(_));
                    let fires = known.is_some_and(|(_, end)| end.is_none());
                    // Of own alerts the rules tell changes only.
                    if fires == is_end {
                        let times = match known {
                            Some((start, _)) if is_end => (start, Some(now_ms)),
                            _ => (now_ms, None),
                        };
                        let heard = own(NAMES[alert % 3], HOSTS[alert / 3], times, event);
                        machine.dispatch.hear(heard, Some(&|_| ways()), now_ms);
                        match is_end {
                            true => model.ends(alert, now_ms),
                            false => model.fires(alert, now_ms),
                        }
                    }
                }
                Step::Silence(alert) => toggle(&mut world.silenced, alert),
                Step::Inhibit(alert) => toggle(&mut world.inhibited, alert),
                Step::Night => world.is_night = !world.is_night,
                Step::Acknowledge => world.is_acknowledged = !world.is_acknowledged,
                Step::Restart => machine.restart(now_ms),
                Step::Reload => machine.dispatch.reroute(Some(&|_| ways()), now_ms),
                Step::Wait(ms) => now_ms += ms,
            }
            prop_assert_eq!(machine.told(&world, now_ms), model.told(&world, now_ms));
            machine.keep();
            prop_assert_eq!(machine.alerts.len(), model.alerts.len());
            prop_assert_eq!(machine.groups.len(), model.groups.len());
        }
    }
}

//! Expressions made up from a grammar and a seed, over the series that are there.
//!
//! What it makes is well typed, and avoids what two right answers may differ in: equal numbers where
//! only so many are picked, and comparisons of numbers that were computed on two ways.

use std::fmt::Write as _;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::samples::Series;

/// How deep expressions nest.
const DEPTH: usize = 3;

const RANGES: [&str; 6] = ["90s", "2m", "5m", "10m", "30m", "1h"];

const WINDOWS: [&str; 18] = [
    "rate",
    "increase",
    "irate",
    "delta",
    "idelta",
    "deriv",
    "changes",
    "resets",
    "avg_over_time",
    "min_over_time",
    "max_over_time",
    "sum_over_time",
    "count_over_time",
    "last_over_time",
    "stddev_over_time",
    "stdvar_over_time",
    "present_over_time",
    "absent_over_time",
];

/// Functions of one vector.
const MAPS: [&str; 15] = [
    "abs",
    "ceil",
    "floor",
    "exp",
    "ln",
    "log2",
    "log10",
    "sqrt",
    "sgn",
    "round",
    "atan",
    "cosh",
    "rad",
    "timestamp",
    "absent",
];

const AGGREGATES: [&str; 8] = [
    "sum", "avg", "min", "max", "count", "group", "stddev", "stdvar",
];

const ARITHMETIC: [&str; 6] = ["+", "-", "*", "/", "%", "^"];

const COMPARISONS: [&str; 6] = ["==", "!=", "<", "<=", ">", ">="];

const SETS: [&str; 3] = ["and", "or", "unless"];

const LABELS: [&str; 6] = ["job", "instance", "datname", "mode", "device", "nothing"];

/// Makes expressions.
#[derive(Debug)]
pub struct Grammar<'a> {
    series: &'a [Series],
    random: StdRng,
}

impl<'a> Grammar<'a> {
    #[must_use]
    pub fn new(series: &'a [Series], seed: u64) -> Self {
        Self {
            series,
            random: StdRng::seed_from_u64(seed),
        }
    }

    /// The next expression.
    pub fn expression(&mut self) -> String {
        match self.below(20) {
            0 => self.scalar(),
            1 => {
                let (k, of) = (self.below(4) + 1, self.gauge());
                let pick = self.of(&["topk", "bottomk"]);
                format!("{pick}({k}, {of})")
            }
            2 => {
                let of = self.vector(DEPTH);
                let sort = self.of(&["sort", "sort_desc"]);
                // What is equal may stand in any order; a sum of all has nothing beside it.
                format!("{sort}(sum({of}))")
            }
            _ => self.vector(DEPTH),
        }
    }

    fn vector(&mut self, depth: usize) -> String {
        if depth == 0 {
            return self.leaf();
        }
        match self.below(12) {
            0 => self.leaf(),
            1 | 2 => self.windowed(),
            3 | 4 => self.aggregate(depth),
            5 => {
                let map = self.of(&MAPS);
                let of = self.vector(depth - 1);
                format!("{map}({of})")
            }
            6 => self.with_scalar(depth),
            7 => self.matched(depth),
            8 => self.subquery(depth),
            9 => self.relabelled(depth),
            10 => self.histogram(),
            _ => {
                let of = self.vector(depth - 1);
                let sign = self.of(&["-", "+", ""]);
                format!("{sign}({of})")
            }
        }
    }

    fn leaf(&mut self) -> String {
        let selector = self.selector();
        let shift = self.shift();
        format!("{selector}{shift}")
    }

    /// Offset and `@`, mostly neither.
    fn shift(&mut self) -> String {
        let at = match self.below(12) {
            0 => " @ start()",
            1 => " @ end()",
            _ => "",
        };
        let offset = match self.below(8) {
            0 => " offset 5m",
            1 => " offset 17m",
            2 => " offset -3m",
            _ => "",
        };
        format!("{at}{offset}")
    }

    fn selector(&mut self) -> String {
        let place = self.below(self.series.len());
        let one = &self.series[place];
        let all = [("job", one.job), ("instance", one.instance)];
        let all: Vec<_> = all.into_iter().chain(one.labels.iter().copied()).collect();
        let mut matchers = Vec::new();
        for _ in 0..self.below(3) {
            let (name, value) = all[self.below(all.len())];
            let half: String = value
                .chars()
                .take(2)
                .filter(char::is_ascii_alphanumeric)
                .collect();
            matchers.push(match self.below(5) {
                0 => format!("{name}!=\"{value}\""),
                1 => format!("{name}=~\"{half}.*\""),
                2 => format!("{name}!~\".*{half}\""),
                3 => format!("{name}=~\"{half}.*|nothing|\""),
                _ => format!("{name}=\"{value}\""),
            });
        }
        if matchers.is_empty() {
            one.name()
        } else {
            format!("{}{{{}}}", one.name(), matchers.join(", "))
        }
    }

    fn gauge(&mut self) -> String {
        self.of(&[
            "pg_stat_activity_count",
            "container_memory_working_set_bytes",
            "pg_locks_count{job=\"postgres-exporter\"}",
            "rate(node_network_receive_bytes_total[5m])",
            "pg_stat_user_tables_n_dead_tup",
        ])
        .to_owned()
    }

    fn windowed(&mut self) -> String {
        let (selector, range, shift) = (self.selector(), self.of(&RANGES), self.shift());
        match self.below(12) {
            0 => format!("quantile_over_time(0.9, {selector}[{range}]{shift})"),
            1 => format!("predict_linear({selector}[{range}]{shift}, 3600)"),
            _ => {
                let window = self.of(&WINDOWS);
                format!("{window}({selector}[{range}]{shift})")
            }
        }
    }

    fn aggregate(&mut self, depth: usize) -> String {
        let of = self.vector(depth - 1);
        let grouping = self.grouping();
        match self.below(10) {
            0 => format!("quantile{grouping} (0.75, {of})"),
            1 => format!("count_values{grouping} (\"v\", floor(up))"),
            _ => {
                let op = self.of(&AGGREGATES);
                format!("{op}{grouping} ({of})")
            }
        }
    }

    fn grouping(&mut self) -> String {
        let word = self.of(&["", " by", " without"]);
        if word.is_empty() {
            return String::new();
        }
        let mut labels: Vec<&str> = (0..self.below(3)).map(|_| self.of(&LABELS)).collect();
        labels.dedup();
        format!("{word} ({})", labels.join(", "))
    }

    fn with_scalar(&mut self, depth: usize) -> String {
        let of = self.vector(depth - 1);
        let scalar = self.scalar();
        match self.below(3) {
            0 => {
                let (op, modifier) = (self.of(&COMPARISONS), self.of(&["", " bool"]));
                let threshold = self.threshold();
                format!("({of}) {op}{modifier} {threshold}")
            }
            1 => {
                let op = self.of(&ARITHMETIC);
                format!("({scalar}) {op} ({of})")
            }
            _ => {
                let op = self.of(&ARITHMETIC);
                format!("({of}) {op} ({scalar})")
            }
        }
    }

    /// Not a number that a series is likely to have.
    fn threshold(&mut self) -> f64 {
        self.random.random_range(-10.0..1e6_f64)
    }

    fn scalar(&mut self) -> String {
        match self.below(6) {
            0 => "time()".to_owned(),
            1 => format!("scalar({})", self.selector()),
            2 => "pi() * 2".to_owned(),
            3 => "1 > bool 0.5".to_owned(),
            _ => format!("{}", self.below(1_000) as f64 / 8.0),
        }
    }

    fn matched(&mut self, depth: usize) -> String {
        let labels = self.of(&["job, instance", "instance", "job"]);
        // One series a group on the right, so that most of them have an answer.
        let right = self.vector(depth - 1);
        let right = format!("max by ({labels}) ({right})");
        let left = self.vector(depth - 1);
        if self.below(3) == 0 {
            let op = self.of(&SETS);
            return format!("({left}) {op} on ({labels}) {right}");
        }
        let op = self.of(&ARITHMETIC);
        match self.below(3) {
            0 => format!("sum by ({labels}) ({left}) {op} {right}"),
            1 => format!("({left}) {op} on ({labels}) group_left () {right}"),
            _ => format!("{right} {op} on ({labels}) group_right () ({left})"),
        }
    }

    fn subquery(&mut self, depth: usize) -> String {
        let inner = self.vector(depth - 1);
        let (range, step) = (
            self.of(&["10m", "20m", "30m"]),
            self.of(&["1m", "90s", "2m"]),
        );
        let window = self.of(&[
            "max_over_time",
            "min_over_time",
            "avg_over_time",
            "count_over_time",
            "sum_over_time",
            "last_over_time",
            "changes",
            "delta",
        ]);
        let shift = self.of(&["", "", " offset 10m", " @ end()"]);
        format!("{window}(({inner})[{range}:{step}]{shift})")
    }

    fn relabelled(&mut self, depth: usize) -> String {
        let of = self.vector(depth - 1);
        if self.below(2) == 0 {
            return format!("label_join({of}, \"both\", \"/\", \"job\", \"instance\")");
        }
        format!("label_replace({of}, \"host\", \"$1\", \"instance\", \"([a-z0-9]+):.*\")")
    }

    fn histogram(&mut self) -> String {
        let range = self.of(&RANGES);
        let quantile = self.of(&["0", "0.5", "0.9", "0.99", "1", "-1", "2"]);
        let mut by = String::from("le");
        for label in ["method", "instance"] {
            if self.below(2) == 0 {
                // Writing to a text cannot fail.
                write!(by, ", {label}").unwrap_or_default();
            }
        }
        let rates = format!("rate(http_request_duration_seconds_bucket[{range}])");
        format!("histogram_quantile({quantile}, sum by ({by}) ({rates}))")
    }

    fn below(&mut self, bound: usize) -> usize {
        self.random.random_range(0..bound)
    }

    fn of(&mut self, choices: &[&'static str]) -> &'static str {
        choices[self.below(choices.len())]
    }
}

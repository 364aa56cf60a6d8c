//! Templates over a model of values of the caller's, with functions of the caller's.

use rules::template::{Content, Function, Kind, Object, Surroundings, Template, Value};

/// A list that has methods, as the alerts of a notification are.
#[derive(Debug)]
struct Alerts(Vec<&'static str>);

impl Object for Alerts {
    fn type_name(&self) -> &str {
        "template.Alerts"
    }

    fn content(&self) -> Content {
        let items = self.0.iter().map(|name| Value::text(name)).collect();
        Content::Value(Value::list("template.Alerts", items).expect("texts have no depth"))
    }

    fn method(&self, name: &str, arguments: &[Value]) -> Option<Result<Value, String>> {
        let kept = |keep: &dyn Fn(&str) -> bool| {
            let kept = self.0.iter().copied().filter(|name| keep(name)).collect();
            Ok(Value::Object(std::sync::Arc::new(Self(kept))))
        };
        Some(match (name, arguments) {
            ("Long", []) => kept(&|name| name.len() > 1),
            ("Without", [Value::Text(one)]) => kept(&|name| *name != **one),
            ("Without", _) => Err("it takes a name".to_owned()),
            _ => return None,
        })
    }
}

#[test]
fn objects_have_methods_and_callers_their_own_functions() {
    const FUNCTIONS: [Function<str>; 1] = [Function {
        name: "join",
        takes: &[Kind::Text],
        rest: Some(Kind::Text),
        body: |environment, texts| {
            let texts: Vec<String> = texts.iter().map(|text| format!("{text:?}")).collect();
            Ok(Value::from(format!("{environment}{}", texts.len())))
        },
    }];
    let check = |text: &str, expected: &str| {
        let alerts = Value::Object(std::sync::Arc::new(Alerts(vec!["a", "bb", "cc"])));
        let data = Value::map([("Alerts".to_owned(), alerts)].into()).expect("it is right");
        let surroundings = Surroundings {
            functions: &FUNCTIONS,
            environment: "env",
        };
        let rendered = Template::parse("t", text, &FUNCTIONS, &[])
            .and_then(|template| template.render(&data, &[], surroundings));
        let shown = rendered.unwrap_or_else(|wrong| wrong.to_string());
        assert_eq!(shown, expected, "{text}");
    };
    check(
        "{{ len .Alerts }} {{ .Alerts }} {{ index .Alerts 0 }}",
        "3 [a bb cc] a",
    );
    check(
        "{{ range .Alerts.Long }}{{ . }};{{ end }}{{ len .Alerts.Long }}",
        "bb;cc;2",
    );
    check("{{ (.Alerts.Without \"a\").Long.Without \"cc\" }}", "[bb]");
    check(
        "{{ with .Alerts.Without \"a\" }}{{ . | len }}{{ end }}{{ if (.Alerts.Without \"x\") }}y{{ end }}",
        "2y",
    );
    check("{{ join \"a\" \"b\" }}", "env2");
    check(
        "{{ .Alerts.No }}",
        "template: t:1: executing \"t\" at <.Alerts.No>: can't evaluate field No in type template.Alerts",
    );
    check(
        "{{ .Alerts.Without 1 }}",
        "template: t:1: executing \"t\" at <.Alerts.Without>: error calling Without: it takes a name",
    );
    let defined = "{{ define \"x\" }}<{{ len .Alerts }}>{{ end }}nothing of this";
    let template = Template::parse("t", defined, &FUNCTIONS, &[]).expect("it is right");
    let data =
        Value::map([("Alerts".to_owned(), Value::text("four"))].into()).expect("it is right");
    let surroundings = Surroundings {
        functions: &FUNCTIONS,
        environment: "env",
    };
    let rendered = template.render_defined("x", &data, surroundings);
    assert_eq!(rendered.expect("it is right"), "<4>");
}

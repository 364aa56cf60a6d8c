use super::*;
use crate::template::{Content, Kind, Object, Surroundings, Value, html};

#[derive(Debug)]
struct Named;

impl Object for Named {
    fn type_name(&self) -> &str {
        "named"
    }

    fn content(&self) -> Content {
        Content::Value(Value::Int(7))
    }

    fn method(&self, name: &str, _: &[Value]) -> Option<Result<Value, String>> {
        (name == "String").then(|| Ok(Value::text("seven")))
    }
}

const PLAIN: &[Function<()>] = &[
    Function {
        name: "safe",
        takes: &[Kind::Text],
        rest: None,
        body: |(), values| match &values[0] {
            Value::Text(text) => Ok(html(text)),
            other => Ok(other.clone()),
        },
    },
    Function {
        name: "named",
        takes: &[],
        rest: None,
        body: |(), _| Ok(Value::Object(std::sync::Arc::new(Named))),
    },
];

const SURROUNDINGS: Surroundings<'_, ()> = Surroundings {
    functions: PLAIN,
    environment: &(),
};

#[test]
fn files_share_what_they_define_and_later_ones_override() {
    let mut set = Set::default();
    for (name, text) in [
        (
            "one",
            r#"{{ define "a" }}one{{ end }}{{ define "b" }}[{{ template "a" . }}]{{ end }}"#,
        ),
        (
            "two",
            "dropped{{ define \"a\" }}two{{ end }}\n{{ define \"b\" }} \n {{ end }}",
        ),
    ] {
        set.add(name, text, PLAIN).unwrap();
    }
    assert!(set.defines("b") && !set.defines("c"));
    let check = |text: &str, expected: &str| {
        let template = set.parse("t", text, PLAIN, &[]).unwrap();
        let written = template.render(&Value::Nil, &[], SURROUNDINGS);
        assert_eq!(written.unwrap(), expected, "{text}");
    };
    check(r#"{{ template "b" . }}"#, "[two]");
    check(
        r#"{{ define "a" }}own{{ end }}{{ template "b" . }}"#,
        "[own]",
    );
    // What one text defines for itself is no matter of the next.
    check(
        r#"{{ template "b" . }} {{ named }} {{ printf "%v" named }}"#,
        "[two] seven seven",
    );
    let mut set = set.clone();
    assert!(set.add("bad", "{{ end }}", PLAIN).is_err());
    assert!(set.defines("b"));
}

#[test]
fn errors_name_the_text_that_they_are_in() {
    let mut set = Set::default();
    let text = "\n{{ define \"a\" }}\n  {{ len 1 }}{{ end }}{{ define \"b\" }}{{ template \"c\" }}{{ end }}";
    set.add("file.tmpl", text, PLAIN).unwrap();
    let check = |text: &str, expected: &str| {
        let template = set.parse("title", text, PLAIN, &[]).unwrap();
        let wrong = template.render(&Value::Nil, &[], SURROUNDINGS);
        let wrong = wrong.unwrap_err().to_string();
        assert!(wrong.starts_with(expected), "{wrong}");
    };
    check(r#"x{{ template "a" . }}"#, "template: file.tmpl:3: ");
    check(r#"{{ template "b" . }}"#, "template: file.tmpl:3: ");
    check("\n{{ template \"nothing\" . }}", "template: title:2: ");
}

#[test]
fn html_is_escaped_once() {
    let check = |text: &str, expected: &str| {
        let template = Template::parse("t", text, PLAIN, &[]).unwrap();
        let data = Value::texts([
            ("a", "<b>\"&'"),
            ("u", "https://h/?a=1&b"),
            ("j", "JavaScript:x"),
        ]);
        let written = template.render_html(&data, SURROUNDINGS).unwrap();
        assert_eq!(written, expected, "{text}");
    };
    check("<i>{{ .a }}</i>", "<i>&lt;b&gt;&#34;&amp;&#39;</i>");
    check("{{ .a | html }}", "&lt;b&gt;&#34;&amp;&#39;");
    check("{{ safe .a }}{{ named }}", "<b>\"&'seven");
    check(
        r#"{{ define "x" }}{{ . }}{{ end }}{{ template "x" .a }}"#,
        "&lt;b&gt;&#34;&amp;&#39;",
    );
    check(
        r#"<a href="{{ .u }}">"#,
        r#"<a href="https://h/?a=1&amp;b">"#,
    );
    check(r#"<a HREF='{{ .j }}'>"#, "<a HREF='#'>");
    check(
        r#"<a href="/x?{{ .j }}">{{ .j }}"#,
        r#"<a href="/x?JavaScript:x">JavaScript:x"#,
    );
}

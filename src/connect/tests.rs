//! Forms made from schemas, and what becomes of what is typed into them.

use http::Uri;
use http::request::Parts;

use super::ask::Visit;
use super::field::{Complaint, Field, Kind, Typed, object};
use super::form::Form;
use super::page::{self, Told};
use super::subject::{Cancel, Subject};
use super::*;
use crate::formula::Value;
use crate::http::body::{Collected, collect_within};

const SCHEMA: &str = r#"{
  "type": "object", "required": ["user", "key", "server"],
  "properties": {
    "user": {"type": "string", "title": "User", "description": "Who you are", "default": "ada"},
    "key": {"type": "string"}, "apiToken": {"type": "string"}, "note": {"type": "string", "format": "multiline"},
    "mail": {"type": "string", "format": "email"}, "size": {"type": ["null", "integer"]}, "rate": {"type": "number"},
    "on": {"type": "boolean", "default": true},
    "region": {"type": "string", "enum": ["eu", "us"]},
    "level": {"oneOf": [{"const": 1, "title": "Low"}, {"const": 2, "title": "High"}]},
    "board": {"type": "string", "referenceRecords": [{"id": "b1", "name": "Board"}]},
    "tags": {"type": "array", "items": {"type": "string"}}, "raw": {"type": "object"}, "seen": {"type": "string", "readOnly": true},
    "server": {"type": "object", "required": ["host"], "properties": {"host": {"type": "string"}, "a/b~c": {"type": "string"}}},
    "other": {"type": "object", "required": ["x"], "properties": {"x": {"type": "string"}}}
  }
}"#;

fn value(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn fields() -> Vec<Field> {
    Field::all(&value(SCHEMA))
}

fn typed(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, text)| ((*name).into(), (*text).into())).collect()
}

/// What the pairs give with everything that is required, as JSON, or the names of the fields that are wrong.
fn taken(pairs: &[(&str, &str)]) -> Result<serde_json::Value, Vec<String>> {
    let mut all = typed(&[("/user", "ada"), ("/key", "k"), ("/server/host", "h")]);
    all.retain(|(name, _)| !pairs.iter().any(|(other, _)| other == name));
    all.extend(typed(pairs));
    let taken = object(&fields(), &Typed(&all));
    taken
        .map(|value| serde_json::to_value(value).unwrap())
        .map_err(|complaints| complaints.into_iter().map(|complaint| complaint.field).collect())
}

async fn text(answer: Response<Body>) -> String {
    let Ok(Collected::Whole(text)) = collect_within(answer.into_body(), 1 << 20).await else {
        panic!("a page is whole")
    };
    String::from_utf8(text.to_vec()).unwrap()
}

async fn visit(query: &str) -> Visit {
    let uri: Uri = format!("/embed/integrations/crm/connect?{query}").parse().unwrap();
    let (head, ()): (Parts, ()) = Request::builder().uri(uri).body(()).unwrap().into_parts();
    let arrival = Arrival { peer: None, tls: false, misdirected: false, at: std::time::Instant::now() };
    Visit::read(&head, Body::empty(), arrival).await.unwrap()
}

#[test]
fn fields_stand_in_the_order_of_the_schema_and_what_is_only_read_is_no_field() {
    let names: Vec<_> = fields().into_iter().map(|field| field.name).collect();
    assert_eq!(names[..4], ["/user", "/key", "/apiToken", "/note"]);
    assert!(!names.contains(&"/seen".to_owned()));
    let labels: Vec<_> = fields().into_iter().map(|field| field.label).collect();
    assert_eq!(labels[..3], ["User", "Key", "Api token"]);
}

#[test]
fn secrets_are_known_by_what_the_schema_says_and_by_their_names() {
    let is_secret = |text: &str| Field::all(&value(text))[0].is_secret();
    for secret in [
        r#"{"properties": {"x": {"type": "string", "format": "password"}}}"#,
        r#"{"properties": {"x": {"isSensitive": true}}}"#,
        r#"{"properties": {"x": {"writeOnly": true}}}"#,
        r#"{"properties": {"api_key": {"type": "string"}}}"#,
        r#"{"properties": {"clientSecret": {"type": "string"}}}"#,
    ] {
        assert!(is_secret(secret), "{secret}");
    }
    assert!(!is_secret(r#"{"properties": {"username": {"type": "string"}}}"#));
}

#[test]
fn what_is_typed_becomes_what_the_schema_says() {
    let told = taken(&[
        ("/size", " 7 "),
        ("/rate", "0.5"),
        ("/on", "true"),
        ("/region", "us"),
        ("/level", "2"),
        ("/board", "b1"),
        ("/tags", "one\r\n\r\n two "),
        ("/raw", r#"{"a":[1]}"#),
        ("/note", "a\r\nb"),
        ("/mail", ""),
        ("/server/a~1b~0c", "slash"),
        ("/seen", "ignored"),
    ]);
    let expected = serde_json::json!({
        "user": "ada", "key": "k", "note": "a\nb", "size": 7, "rate": 0.5, "on": true, "region": "us", "level": 2, "board": "b1",
        "tags": ["one", "two"], "raw": {"a": [1]}, "server": {"host": "h", "a/b~c": "slash"},
    });
    assert_eq!(told.unwrap(), expected);
    assert_eq!(taken(&[]).unwrap()["on"], false);
}

#[test]
fn everything_that_is_wrong_is_told_at_once_and_with_its_field() {
    let told = taken(&[
        ("/user", "  "),
        ("/key", ""),
        ("/size", "1.5"),
        ("/rate", "NaN"),
        ("/region", "moon"),
        ("/raw", "{"),
        ("/server/host", ""),
    ]);
    let wrong = ["/user", "/key", "/size", "/rate", "/region", "/raw", "/server/host"];
    assert_eq!(told.unwrap_err(), wrong);
    // What lies in an object that is not needed is needed only with it.
    assert_eq!(taken(&[("/other/x", "y")]).unwrap()["other"]["x"], "y");
    assert!(matches!(fields().iter().find(|field| field.name == "/other").unwrap().kind, Kind::Group(_)));
}

#[test]
fn a_place_in_what_was_typed_leads_to_its_field() {
    let fields = fields();
    for (path, name) in
        [("/server/host", "/server/host"), ("/tags/1", "/tags"), ("/raw/a/0", "/raw"), ("/server", "/server")]
    {
        assert_eq!(Field::at(&fields, path).unwrap().name, name);
    }
    assert!(Field::at(&fields, "/users").is_none() && Field::at(&fields, "").is_none());
}

#[tokio::test]
async fn nobodys_text_becomes_markup_or_leaves_its_place() {
    const EVIL: &str = "\\\"'><script>alert(1)</script><!-- </title>";
    let schema = format!(
        r#"{{"properties": {{"{EVIL}": {{"title": "{EVIL}", "description": "{EVIL}", "default": "{EVIL}", "enum": ["{EVIL}"]}}}}}}"#
    );
    let fields = Field::all(&value(&schema));
    let integration = format!(
        r#"{{"key": "crm", "name": "{EVIL}", "authOptions": [
            {{"key": "{EVIL}", "title": "{EVIL}", "description": "{EVIL}", "ui": {{"helpUri": "https://x/{EVIL}"}}}}, {{"key": "b"}}]}}"#
    );
    let subject = Subject::of(&value(&integration), None);
    let told = EVIL.replace('\\', "");
    let query: String = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs([("token", &told), ("name", &told), ("way", &"0".to_owned())])
        .finish();
    let visit = visit(&query).await;
    let complaints = [
        Complaint { field: fields[0].name.clone(), what: told.clone() },
        Complaint { field: String::new(), what: told.clone() },
    ];
    let typed = typed(&[(&fields[0].name, &told)]);
    let form = Form { fields: &fields, typed: Some(Typed(&typed)), complaints: &complaints };
    let message = Told { message: Some(Value::from(told.as_str())), connection: None };
    let (way, option) = subject.chosen(&visit.wish).unwrap();
    for content in [subject.form(&visit, (way, option), &form, Cancel::Script), subject.ways(&visit)] {
        let page = text(page::page(&Config::default(), &subject.title(), &content, &message)).await;
        assert!(!page.contains("<script>alert") && !page.contains("<!--"), "{page}");
        assert_eq!(page.matches("</script>").count(), 2, "{page}");
        assert_eq!(page.matches("</title>").count(), 1, "{page}");
    }
    let page = text(page::sorry(&told)).await;
    assert!(!page.contains("<script"), "{page}");
}

#[tokio::test]
async fn a_help_link_leads_to_the_web_and_nowhere_else() {
    for (uri, is_shown) in [("https://help.example.com", true), ("javascript:alert(1)", false), ("/x", false)]
    {
        let integration =
            format!(r#"{{"key": "crm", "name": "CRM", "authOptions": [{{"ui": {{"helpUri": "{uri}"}}}}]}}"#);
        let subject = Subject::of(&value(&integration), None);
        let (visit, form) = (visit("").await, Form { fields: &[], typed: None, complaints: &[] });
        let content = subject.form(&visit, subject.chosen(&visit.wish).unwrap(), &form, Cancel::Script);
        let page = text(page::page(&Config::default(), "t", &content, &Told::default())).await;
        assert_eq!(page.contains(uri), is_shown, "{page}");
    }
}

#[tokio::test]
async fn the_policy_names_who_may_hold_a_page_and_where_a_form_may_lead() {
    let config = Config {
        public_url: None,
        origins: vec![HeaderValue::from_static("https://app.example.com")],
        redirects: vec![Redirect {
            url: "https://done.example.com/x".into(),
            origin: "https://done.example.com".into(),
        }],
    };
    let policy = |config: &Config| {
        let answer = page::page(config, "t", &page::Html::new(), &Told::default());
        answer.headers()["content-security-policy"].to_str().unwrap().to_owned()
    };
    let listed = policy(&config);
    assert!(
        listed.ends_with(
            "form-action 'self' https://done.example.com; frame-ancestors https://app.example.com"
        )
    );
    assert!(policy(&Config::default()).ends_with("frame-ancestors 'none'"));
    assert_ne!(listed, policy(&config), "a nonce is used once");
}

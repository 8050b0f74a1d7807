//! The samples whose customers consent, each against a third party of the test's that answers as the real one's pages say:
//! connected, called, refreshed. One file, though a long one: a table of third parties, and the one way through all of them.

use std::fs;
use std::path::Path;

use url::Url;
use url::form_urlencoded::parse;

use super::*;
use crate::support::provider::Pairs;
use crate::support::token;

const SECRET: &str = "planted-secret";

/// A third party as its pages describe it. Tokens have numbers, from 1.
#[derive(Clone, Copy)]
struct Vendor {
    /// Where tokens are given.
    tokens: &'static str,
    /// What the token request of this number is answered: a content type and a body.
    reply: fn(usize) -> (&'static str, String),
    /// The newest refresh token, when this many tokens were given.
    refresh: fn(usize) -> String,
    /// Whether the client stands in the form, else in Basic.
    in_form: bool,
    /// The number of the token that a call brings, if it brings all that is wanted.
    bears: fn(&Seen) -> Option<usize>,
    /// What a call with a token that has ended is answered, and what one is answered by default.
    ended: (&'static str, &'static str),
    fine: fn(&Seen) -> &'static str,
}

impl Vendor {
    /// Serves. Tokens of a number below the second part have ended.
    fn serve(self) -> (Origin, Arc<AtomicUsize>) {
        let (given, valid) = (AtomicUsize::new(0), Arc::new(AtomicUsize::new(1)));
        let oldest = Arc::clone(&valid);
        let origin = Origin::played(move |peer| {
            while let Some(seen) = peer.request() {
                let text = if seen.line().starts_with(&format!("POST {} ", self.tokens)) {
                    let before = given.fetch_add(1, Ordering::SeqCst);
                    self.check(&seen, before);
                    let (kind, body) = (self.reply)(before + 1);
                    format!(
                        "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n{body}",
                        body.len()
                    )
                } else if (self.bears)(&seen).is_some_and(|number| number >= oldest.load(Ordering::SeqCst)) {
                    answer("200 OK", (self.fine)(&seen))
                } else {
                    answer(self.ended.0, self.ended.1)
                };
                if !peer.try_say(text) {
                    return;
                }
            }
        });
        (origin, valid)
    }

    /// Holds a token request against what was given before.
    fn check(&self, seen: &Seen, before: usize) {
        let form: Pairs = parse(&seen.body).into_owned().collect();
        let field = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
        if before == 0 {
            assert_eq!((field("grant_type"), field("code")), ("authorization_code", "code-1"), "{form:?}");
            assert!(!field("code_verifier").is_empty() && !field("redirect_uri").is_empty(), "{form:?}");
        } else {
            let newest = (self.refresh)(before);
            assert_eq!((field("grant_type"), field("refresh_token")), ("refresh_token", newest.as_str()));
        }
        let basic = format!("Basic {}", STANDARD.encode(format!("client-1:{SECRET}")));
        let wanted = if self.in_form { ("client-1", SECRET, vec![]) } else { ("", "", vec![basic.as_str()]) };
        assert_eq!((field("client_id"), field("client_secret"), seen.values("authorization")), wanted);
    }
}

/// The number of a bearer token that begins like this.
fn bearer(seen: &Seen, prefix: &str) -> Option<usize> {
    let [header] = seen.values("authorization")[..] else { return None };
    header.strip_prefix("Bearer ")?.strip_prefix(prefix)?.parse().ok()
}

/// A sample as it is committed, but for who has the addresses, and for the app.
struct Sample {
    gate: Gate,
    cookie: String,
}

impl Sample {
    fn new(name: &str, addresses: &[&str], third_party: &Origin) -> Self {
        let (folder, config) = (Folder::new(), Path::new(env!("CARGO_MANIFEST_DIR")).join("config"));
        let here = format!("http://{}", third_party.address);
        let moved = |text: String| {
            addresses.iter().fold(text, |text, address| text.replace(&format!("https://{address}"), &here))
        };
        for file in ["spec.yml", "auth/get-oauth-config.map.yml", "auth/make-api-client.map.yml"] {
            if let Ok(text) = fs::read_to_string(config.join("connectors").join(name).join(file)) {
                folder.write_below(&format!("connectors/{name}/{file}"), &moved(text));
            }
        }
        // What says who may use it and where it leads is the test's.
        let ours = ["workspaces:", "apps:", "  - {id:", "hosts:", "enabled:"];
        let integration = fs::read_to_string(config.join(format!("integrations/{name}.yaml"))).unwrap();
        let kept = integration.lines().filter(|line| !ours.iter().any(|our| line.starts_with(our)));
        let integration = format!(
            "{}\nhosts: ['{}']\negress: {{allowPrivate: true, allowPlain: true}}\n\
             apps: [{{id: own, clientId: client-1, clientSecret: {{value: {SECRET}}}}}]\n",
            kept.collect::<Vec<_>>().join("\n"),
            third_party.address,
        );
        folder.write_below(&format!("integrations/{name}.yaml"), &integration);
        let settings = "listeners: {connect: {address: '127.0.0.1:0'}, outbound: {address: '127.0.0.1:0', trustCaller: true}}
publicUrl: https://auth.example.com
connect: {redirectUris: ['https://app.example.com/done']}
store: {redb: {path: store.redb}}
encryption: {keys: [{id: k1, key: {value: MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=}}]}
";
        let gate = Gate::start_beside(folder, settings, outside(Names::default()));
        Self { gate: gate.unwrap_or_else(|error| panic!("{error:?}")), cookie: String::new() }
    }

    fn ask(&self, listener: &str, line: &str, headers: &str, body: &str) -> Answer {
        let mut peer = Peer::to(self.gate.address(listener));
        peer.say(format!(
            "{line} HTTP/1.1\r\nHost: auth.example.com\r\n{headers}Content-Length: {}\r\n\r\n{body}",
            body.len()
        ));
        peer.answer()
    }

    /// Where a browser is sent that wants to connect.
    fn begin(&mut self, name: &str) -> Url {
        let wish = json!({
            "token": token(&json!({})), "integrationKey": name, "redirectUri": "https://app.example.com/done",
        });
        let form = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("payload", &wish.to_string())
            .finish();
        let form_type = "Content-Type: application/x-www-form-urlencoded\r\n";
        let sent = self.ask("connect", "POST /connect", form_type, &form);
        assert_eq!(sent.status, 303, "{}", sent.text());
        let cookie = sent.values("set-cookie")[0];
        self.cookie = format!("Cookie: {}\r\n", cookie.split(';').next().unwrap());
        Url::parse(sent.values("location")[0]).unwrap()
    }

    /// What the app is told when the browser comes back with this query.
    fn come_back(&self, query: &str) -> Url {
        let back = self.ask("connect", &format!("GET /oauth-callback?{query}"), &self.cookie, "");
        let [place] = back.values("location")[..] else { panic!("{}", back.text()) };
        Url::parse(place).unwrap()
    }

    /// Consents; gives what the provider was asked.
    #[track_caller]
    fn connect(&mut self, name: &str) -> Pairs {
        let place = self.begin(name);
        let asked: Pairs = place.query_pairs().into_owned().collect();
        assert_eq!(
            (asked["client_id"].as_str(), asked["code_challenge_method"].as_str()),
            ("client-1", "S256")
        );
        let done = self.come_back(&format!("code=code-1&state={}", asked["state"]));
        assert!(done.query().unwrap().starts_with("connectionId="), "{done}");
        asked
    }

    fn call(&self, name: &str, path: &str) -> Answer {
        let whose = "X-Sidegate-Workspace: acme\r\nX-Sidegate-Customer: anna\r\n";
        self.ask("outbound", &format!("GET /connections/{name}/proxy{path}"), whose, "")
    }
}

/// Connects, calls, and calls again when the token has ended; gives what was asked of the provider's page.
#[track_caller]
fn lives(name: &str, addresses: &[&str], path: &str, vendor: Vendor) -> (Pairs, Origin) {
    let (third_party, valid) = vendor.serve();
    let mut sample = Sample::new(name, addresses, &third_party);
    let asked = sample.connect(name);
    assert_eq!(sample.call(name, path).status, 200);
    for number in [2, 3] {
        valid.store(number, Ordering::SeqCst);
        let called = sample.call(name, path);
        assert_eq!((called.status, called.text().as_str()), (200, OK), "after refresh {number}");
    }
    let exchanges = third_party.seen().iter().filter(|one| one.line().contains(vendor.tokens)).count();
    assert_eq!(exchanges, 3, "one for the code, one for each refresh");
    (asked, third_party)
}

const JSON: &str = "application/json";
const ENDED: (&str, &str) = ("401 Unauthorized", "{}");

/// `t1`, `r1` and so on; a refresh token works once.
fn rotating(number: usize) -> (&'static str, String) {
    let reply = json!({"access_token": format!("t{number}"), "refresh_token": format!("r{number}"), "expires_in": 1800});
    (JSON, reply.to_string())
}

const ROTATING: Vendor = Vendor {
    tokens: "/token",
    reply: rotating,
    refresh: |given| format!("r{given}"),
    in_form: false,
    bears: |seen| bearer(seen, "t"),
    ended: ENDED,
    fine: |_| OK,
};

#[test]
fn hubspot_reads_its_client_from_the_form() {
    let vendor = Vendor { tokens: "/oauth/v3/token", in_form: true, ..ROTATING };
    let (asked, _) =
        lives("hubspot", &["app.hubspot.com", "api.hubapi.com"], "/crm/v3/objects/contacts", vendor);
    assert_eq!(asked["scope"], "crm.objects.contacts.read", "the integration's own");
}

/// What Slack says of a user's token: nested in the first answer, at the top of one to a refresh.
fn slack(number: usize, bot: Value) -> (&'static str, String) {
    let mut user = json!({
        "id": "U1", "scope": "chat:write", "token_type": "user", "expires_in": 43200,
        "access_token": format!("xoxp-{number}"), "refresh_token": format!("xoxe-{number}"),
    });
    let mut reply = if number == 1 { bot } else { user.take() };
    reply["ok"] = json!(true);
    if number == 1 {
        reply["authed_user"] = user;
    }
    (JSON, reply.to_string())
}

#[test]
fn slack_speaks_as_the_user_and_says_that_a_token_has_ended_with_a_200() {
    let vendor = Vendor {
        tokens: "/api/oauth.v2.access",
        reply: |number| slack(number, json!({"app_id": "A1", "team": {"id": "T1"}})),
        refresh: |given| format!("xoxe-{given}"),
        bears: |seen| bearer(seen, "xoxp-"),
        ended: ("200 OK", r#"{"ok":false,"error":"token_expired"}"#),
        fine: |seen| if seen.line().contains("auth.test") { r#"{"ok":true,"user_id":"U1"}"# } else { OK },
        ..ROTATING
    };
    let with_bot = |number| {
        let token = json!({
            "token_type": "bot", "scope": "users:read", "bot_user_id": "B1", "expires_in": 43200,
            "access_token": "xoxb-bot", "refresh_token": "xoxe-bot",
        });
        slack(number, token)
    };
    // An app without a bot is the sample; what one with a bot is given is nobody's but the user's too.
    for vendor in [vendor, Vendor { reply: with_bot, ..vendor }] {
        let (asked, _) = lives("slack", &["slack.com"], "/conversations.list", vendor);
        assert_eq!((asked.get("scope"), asked["user_scope"].as_str()), (None, "channels:read,chat:write"));
    }
}

/// Salesforce says where its API lies; here it is the port of the test's own server.
fn salesforce(number: usize) -> (&'static str, String) {
    (
        JSON,
        format!(
            r#"{{"access_token":"t{number}","refresh_token":"r1","instance_url":"http://INSTANCE","token_type":"Bearer"}}"#
        ),
    )
}

#[test]
fn salesforce_is_called_where_the_token_response_says_and_nowhere_else() {
    for is_elsewhere in [false, true] {
        let (trap, given) = (Origin::new(), Arc::new(AtomicUsize::new(0)));
        let elsewhere = is_elsewhere.then(|| trap.address.to_string());
        let third_party = Origin::played({
            let given = Arc::clone(&given);
            move |peer| {
                while let Some(seen) = peer.request() {
                    let text = if seen.line().starts_with("POST /services/oauth2/token ") {
                        let number = given.fetch_add(1, Ordering::SeqCst) + 1;
                        let here = seen.values("host")[0].to_owned();
                        answer(
                            "200 OK",
                            &salesforce(number).1.replace("INSTANCE", elsewhere.as_ref().unwrap_or(&here)),
                        )
                    } else if bearer(&seen, "t") == Some(given.load(Ordering::SeqCst)) {
                        answer("200 OK", OK)
                    } else {
                        answer("401 Unauthorized", r#"[{"errorCode":"INVALID_SESSION_ID"}]"#)
                    };
                    if !peer.try_say(text) {
                        return;
                    }
                }
            }
        });
        let mut sample = Sample::new("salesforce", &["login.salesforce.com"], &third_party);
        let state = sample
            .begin("salesforce")
            .query_pairs()
            .into_owned()
            .find(|(name, _)| name == "state")
            .unwrap()
            .1;
        let done = sample.come_back(&format!("code=code-1&state={state}"));
        if is_elsewhere {
            assert!(done.query().unwrap().starts_with("error="), "{done}");
            trap.is_untouched();
            continue;
        }
        assert!(done.query().unwrap().starts_with("connectionId="), "{done}");
        assert_eq!(sample.call("salesforce", "/services/data").status, 200);
        given.fetch_add(1, Ordering::SeqCst);
        // The token has ended; the refresh brings one and no other refresh token.
        assert_eq!(sample.call("salesforce", "/services/data").status, 200);
        assert_eq!(sample.call("salesforce", "/services/data").status, 200);
    }
}

#[test]
fn github_answers_in_forms() {
    let reply = |number| {
        let form = format!(
            "access_token=ghu_{number}&expires_in=28800&refresh_token=ghr_{number}&refresh_token_expires_in=15897600&scope=&token_type=bearer"
        );
        ("application/x-www-form-urlencoded; charset=utf-8", form)
    };
    let vendor = Vendor {
        tokens: "/login/oauth/access_token",
        reply,
        refresh: |given| format!("ghr_{given}"),
        in_form: true,
        bears: |seen| {
            let is_right = seen.values("accept") == ["application/vnd.github+json"]
                && seen.values("x-github-api-version") == ["2022-11-28"];
            bearer(seen, "ghu_").filter(|_| is_right)
        },
        fine: |seen| if seen.line().starts_with("GET /user ") { r#"{"login":"anna"}"# } else { OK },
        ..ROTATING
    };
    let (_, third_party) = lives("github", &["github.com", "api.github.com"], "/repos", vendor);
    assert_eq!(third_party.seen()[1].values("user-agent"), ["Sidegate"], "the test names itself");
}

#[test]
fn google_is_asked_for_offline_access_and_its_refresh_token_stays() {
    let reply = |number| {
        let mut reply =
            json!({"access_token": format!("ya29.{number}"), "expires_in": 3599, "token_type": "Bearer"});
        if number == 1 {
            reply["refresh_token"] = json!("1//r");
        }
        (JSON, reply.to_string())
    };
    let vendor = Vendor {
        tokens: "/token",
        reply,
        refresh: |_| "1//r".into(),
        in_form: true,
        bears: |seen| bearer(seen, "ya29."),
        ..ROTATING
    };
    let addresses = ["accounts.google.com", "oauth2.googleapis.com", "www.googleapis.com"];
    let (asked, _) = lives("google", &addresses, "/drive/v3/files", vendor);
    assert_eq!((asked["access_type"].as_str(), asked["prompt"].as_str()), ("offline", "consent"));
}

#[test]
fn xero_is_told_with_each_call_which_organization_it_is_about() {
    let vendor = Vendor {
        tokens: "/connect/token",
        bears: |seen| {
            let is_listing = seen.line().starts_with("GET /connections ");
            bearer(seen, "t").filter(|_| is_listing || seen.values("xero-tenant-id") == ["tenant-1"])
        },
        fine: |seen| match seen.line().starts_with("GET /connections ") {
            true => r#"[{"id":"1","tenantId":"tenant-1","tenantType":"ORGANISATION"}]"#,
            false => OK,
        },
        ..ROTATING
    };
    let addresses = ["login.xero.com", "identity.xero.com", "api.xero.com"];
    let (_, third_party) = lives("xero", &addresses, "/api.xro/2.0/Invoices", vendor);
    let listings = third_party.seen().iter().filter(|one| one.line().contains("/connections ")).count();
    assert_eq!(listings, 1, "a refresh asks for no organizations");
}

#[test]
fn trello_gets_signed_requests() {
    let third_party = Origin::played(|peer| {
        while let Some(seen) = peer.request() {
            let signed = seen.values("authorization").first().is_some_and(|header| {
                header.starts_with("OAuth ")
                    && header.contains("oauth_consumer_key=\"client-1\"")
                    && header.contains("oauth_signature_method=\"HMAC-SHA1\"")
            });
            let has_token = seen.head.contains("oauth_token=\"token-1\"");
            let text = match seen.line().split(' ').nth(1).unwrap() {
                "/1/OAuthGetRequestToken" if signed => answer(
                    "200 OK",
                    "oauth_token=temporary&oauth_token_secret=s&oauth_callback_confirmed=true",
                ),
                "/1/OAuthGetAccessToken" if signed && seen.head.contains("oauth_verifier=\"v1\"") => {
                    answer("200 OK", "oauth_token=token-1&oauth_token_secret=s1")
                }
                _ if signed && has_token => answer("200 OK", OK),
                _ => answer("401 Unauthorized", "invalid token"),
            };
            if !peer.try_say(text) {
                return;
            }
        }
    });
    let mut sample = Sample::new("trello", &["trello.com", "api.trello.com"], &third_party);
    let place = sample.begin("trello");
    let asked: Pairs = place.query_pairs().into_owned().collect();
    for (name, value) in [("oauth_token", "temporary"), ("scope", "read,write"), ("expiration", "never")] {
        assert_eq!(asked[name], value, "{name}");
    }
    let begun = third_party.seen()[0].head.clone();
    let callback = begun.split("oauth_callback=\"").nth(1).unwrap().split('"').next().unwrap();
    let callback = percent_encoding::percent_decode_str(callback).decode_utf8().unwrap();
    let callback = Url::parse(&callback).unwrap();
    let done =
        sample.come_back(&format!("{}&oauth_token=temporary&oauth_verifier=v1", callback.query().unwrap()));
    assert!(done.query().unwrap().starts_with("connectionId="), "{done}");
    assert_eq!(sample.call("trello", "/1/members/me/boards").status, 200);
}

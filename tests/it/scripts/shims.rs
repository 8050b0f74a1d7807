//! What well-meant scripts may do: the export styles, what they find, and the requests they make.
//! The parent's side of a request is a list of answers here; the egress guard is another test's.

use std::sync::Mutex;

use sidegate::formula::Value;
use sidegate::script::{
    BoxFuture, Config, ErrorKind, HostCalls, HostClient, HostError, HostRequest, HostResponse, Limits,
    NoHostCalls, Outcome, Script, ScriptError, Scripts,
};
use sidegate::telemetry::metrics::ScriptMetrics;
use tokio::runtime::{Handle, Runtime};
use zeroize::Zeroizing;

/// Answers each request by its path, and remembers what it saw.
#[derive(Default)]
struct ThirdParty {
    seen: Mutex<Vec<String>>,
}

impl ThirdParty {
    fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }

    fn answer(&self, request: &HostRequest) -> Result<HostResponse, HostError> {
        let headers: Vec<_> =
            request.headers.iter().map(|(name, value)| format!("{name}: {}", value.as_str())).collect();
        let body = request.body.as_ref().map(|body| String::from_utf8_lossy(body).into_owned());
        let who = if request.client == HostClient::Connection { "connection " } else { "" };
        self.seen.lock().unwrap().push(format!(
            "{who}{} {} [{}] {}",
            request.method,
            request.url,
            headers.join(", "),
            body.unwrap_or_default()
        ));
        let path = request.url.split(['?', '#']).next().unwrap_or_default();
        let (status, body): (u16, &[u8]) = match path.rsplit('/').next().unwrap_or_default() {
            "refused" => {
                return Err(HostError {
                    message: "evil.example is not allowed".into(),
                    key: Some("not_allowed".into()),
                    status: None,
                });
            }
            "401" => (401, br#"{"error": "expired"}"#),
            "500" => (500, b"broken"),
            "bytes" => (200, &[0xff, 0x00, 0x41]),
            "text" => (200, b"plain"),
            _ => (200, br#"{"ok": true}"#),
        };
        let headers = vec![
            ("content-type".into(), "application/json".into()),
            ("x-twice".into(), "1".into()),
            ("x-twice".into(), "2".into()),
        ];
        Ok(HostResponse { status, headers, body: Zeroizing::new(body.to_vec()) })
    }
}

impl HostCalls for ThirdParty {
    fn offers_api_client(&self) -> bool {
        true
    }

    fn call(&self, request: HostRequest) -> BoxFuture<'_, Result<HostResponse, HostError>> {
        Box::pin(async move { self.answer(&request) })
    }
}

fn run(text: &str, argument: &str, host: &dyn HostCalls) -> Result<Outcome, ScriptError> {
    Runtime::new().unwrap().block_on(async {
        let program = env!("CARGO_BIN_EXE_sidegate").into();
        let config = Config { program, workers: 1, limits: Limits::default() };
        let scripts = Scripts::new(config, Handle::current(), ScriptMetrics::default());
        let script = Script::new("test.js", text).unwrap();
        let argument: Value = serde_json::from_str(argument).unwrap();
        scripts.run(&script, "makeApiClient", &argument, host).await
    })
}

/// What `text` gives, as JSON.
fn given(text: &str, argument: &str, host: &dyn HostCalls) -> String {
    let outcome = run(text, argument, host).unwrap_or_else(|error| panic!("{text}\n{error}"));
    outcome.value.map_or_else(|| "undefined".into(), |value| serde_json::to_string(&*value).unwrap())
}

#[test]
fn every_documented_export_style_is_called_with_the_one_argument() {
    for text in [
        "export default async function makeApiClient({ credentials }) { return credentials.key }",
        "export default ({ credentials }) => credentials.key",
        "export async function makeApiClient({ credentials }) { return credentials.key }",
        "module.exports = async function ({ credentials }) { return credentials.key }",
        "exports.makeApiClient = function ({ credentials }) { return credentials.key }",
        "module.exports = { makeApiClient: ({ credentials }) => Promise.resolve(credentials.key) }",
        "exports.default = ({ credentials }) => credentials.key",
        "const key = await Promise.resolve('key'); export default ({ credentials }) => credentials[key]",
    ] {
        assert_eq!(given(text, r#"{"credentials": {"key": "k-1"}}"#, &NoHostCalls), r#""k-1""#, "{text}");
    }
}

#[test]
fn values_arrive_and_return_as_they_are() {
    let argument = r#"{"z":[1,2.5,null,true],"a":{"é":"\u2028 \u0000 \ud83d\ude00"},"__proto__":{"x":1}}"#;
    let expected = serde_json::to_string(&serde_json::from_str::<Value>(argument).unwrap()).unwrap();
    assert_eq!(
        given("export default (all) => JSON.parse(JSON.stringify(all))", argument, &NoHostCalls),
        expected
    );
    assert_eq!(given("export default () => {}", "{}", &NoHostCalls), "undefined");
    assert_eq!(given("export default () => null", "{}", &NoHostCalls), "null");
}

#[test]
fn what_a_script_logs_is_kept_within_bounds_and_without_what_it_was_given() {
    let text = "export default ({ credentials }) => { console.log('key', credentials.key, { a: 1 }); console.error(new Error('e'));
        console.log(btoa('user:' + credentials.key)); for (;;) { console.log('x'.repeat(1000)); if (Math.random() < 0.001) return } }";
    let outcome = run(text, r#"{"credentials": {"key": "planted-key-1"}}"#, &NoHostCalls).unwrap();
    assert!(outcome.log.starts_with("key [masked] {\"a\":1}\nError: e\ndXNlcj"), "{}", outcome.log);
    assert!(!outcome.log.contains("planted") && outcome.log.len() <= 16 << 10);
}

#[test]
fn an_error_names_its_place_its_key_and_status_and_no_secret() {
    let text = "import { ConnectionError } from '@integration-app/sdk/errors'\n\nfunction inner({ key }) {\n  throw new ConnectionError({ message: `no ${key}`, key: 'access_token_expired' })\n}\nexport default async ({ credentials }) => inner(credentials)";
    let error = run(text, r#"{"credentials": {"key": "planted-key-1"}}"#, &NoHostCalls).err().unwrap();
    assert_eq!(error.to_string(), "test.js:4:46: makeApiClient threw ConnectionError: no [masked]");
    assert!(
        matches!(&error.kind, ErrorKind::Thrown(thrown) if thrown.key.as_deref() == Some("access_token_expired"))
    );

    let text = "export default ({ apiClient }) => apiClient.get('/401')";
    let error = run(text, "{}", &ThirdParty::default()).err().unwrap();
    assert!(
        matches!(&error.kind, ErrorKind::Thrown(thrown) if thrown.status == Some(401) && thrown.key.is_some()),
        "{error}"
    );
    let error = run("export default () => { throw 'text' }", "{}", &NoHostCalls).err().unwrap();
    assert_eq!(error.to_string(), "test.js: makeApiClient threw Error: text");
}

#[test]
fn text_bytes_and_urls_can_be_worked_with() {
    for (expression, value) in [
        ("btoa('user:pass')", "dXNlcjpwYXNz"),
        ("atob('dXNlcjpwYXNz')", "user:pass"),
        ("Buffer.from('é€').toString('base64')", "w6nigqw="),
        ("Buffer.from('w6nigqw', 'base64').toString()", "é€"),
        ("Buffer.from([1, 171]).toString('hex')", "01ab"),
        ("Buffer.concat([Buffer.from('a'), Buffer.from('b')]).toString('base64url')", "YWI"),
        ("new TextDecoder().decode(new TextEncoder().encode('é'))", "é"),
        ("new URLSearchParams({ a: '1 2', b: '&' }).toString()", "a=1+2&b=%26"),
        ("new URLSearchParams('?a=1+2&b=%26').get('b')", "&"),
        ("new URL('../b?x=1#y', 'https://h.example:8443/a/c/').href", "https://h.example:8443/a/b?x=1#y"),
        (
            "(() => { const url = new URL('https://h/?a=1'); url.searchParams.set('a', 2); return `${url}` })()",
            "https://h/?a=2",
        ),
        ("new Promise((done) => setTimeout(done, 1, 'later'))", "later"),
        (
            "typeof process + typeof globalThis.native + typeof ask + typeof setInterval",
            "undefinedundefinedundefinedundefined",
        ),
    ] {
        let text = format!("export default () => {expression}");
        assert_eq!(given(&text, "{}", &NoHostCalls), serde_json::to_string(value).unwrap(), "{expression}");
    }
}

#[test]
fn fetch_asks_the_parent() {
    let third_party = ThirdParty::default();
    let text = "export default async () => {
        const get = await fetch('https://api.example/text')
        const post = await fetch(new URL('https://api.example/x'), { method: 'post', headers: { 'X-A': 1 }, body: JSON.stringify({ a: 1 }) })
        await fetch('https://api.example/x', { method: 'PUT', body: new URLSearchParams({ a: 'b c' }) })
        const bytes = await (await fetch('https://api.example/bytes')).arrayBuffer()
        const failed = await fetch('https://api.example/500')
        const refused = await fetch('https://evil.example/refused').catch((error) => [error.message, error.key])
        return [get.ok, await get.text(), await post.json(), post.headers.get('X-Twice'), [...new Uint8Array(bytes)],
            failed.ok, failed.status, refused]
    }";
    assert_eq!(
        given(text, "{}", &third_party),
        r#"[true,"plain",{"ok":true},"1, 2",[255,0,65],false,500,["evil.example is not allowed","not_allowed"]]"#
    );
    assert_eq!(
        third_party.seen()[..3],
        [
            "GET https://api.example/text [] ",
            "POST https://api.example/x [x-a: 1, content-type: text/plain;charset=UTF-8] {\"a\":1}",
            "PUT https://api.example/x [content-type: application/x-www-form-urlencoded] a=b+c",
        ]
    );
}

#[test]
fn axios_asks_the_parent_as_axios_does() {
    let third_party = ThirdParty::default();
    let text = "import axios, { AxiosError } from 'axios'
    export default async () => {
        const same = require('axios') === axios
        const get = await axios.get('https://api.example/x?a=1', { params: { b: [1, 2], c: { d: 'e' }, f: undefined } })
        const own = axios.create({ baseURL: 'https://api.example/v1/', headers: { 'X-Own': 'o' }, auth: { username: 'u', password: 'p' } })
        await own.post('/x', { a: 1 })
        await own.request({ url: 'x', method: 'DELETE' })
        await axios({ method: 'post', url: 'https://api.example/x', headers: { 'Content-Type': 'application/x-www-form-urlencoded' }, data: { a: 'b c' } })
        const failed = await axios.get('https://api.example/401').catch((error) => error)
        const taken = await axios.get('https://api.example/500', { validateStatus: () => true })
        const odd = await axios.get('https://api.example/x', { httpsAgent: {} }).catch((error) => error.message)
        return [same, get.status, get.data, get.headers['x-twice'], failed instanceof AxiosError, axios.isAxiosError(failed),
            failed.response.status, failed.response.data, taken.data, odd]
    }";
    assert_eq!(
        given(text, "{}", &third_party),
        r#"[true,200,{"ok":true},"1, 2",true,true,401,{"error":"expired"},"broken","axios has no httpsAgent in Sidegate"]"#
    );
    let accept = "accept: application/json, text/plain, */*";
    assert_eq!(
        third_party.seen()[..4],
        [
            format!("GET https://api.example/x?a=1&b%5B%5D=1&b%5B%5D=2&c%5Bd%5D=e [{accept}] "),
            format!(
                "POST https://api.example/v1/x [x-own: o, {accept}, authorization: Basic dTpw, content-type: application/json] {{\"a\":1}}"
            ),
            format!("DELETE https://api.example/v1/x [x-own: o, {accept}, authorization: Basic dTpw] "),
            format!(
                "POST https://api.example/x [content-type: application/x-www-form-urlencoded, {accept}] a=b+c"
            ),
        ]
    );
}

#[test]
fn the_api_client_of_the_connection_goes_through_the_connection() {
    let third_party = ThirdParty::default();
    let text = "export default async ({ apiClient, externalApiClient }) => {
        const body = await apiClient.get('/users/me', { a: 'b c', list: [1, 2] })
        const full = await externalApiClient.post('users', { name: 'x' }, { headers: { 'X-A': 'a' }, returnFullResponse: true })
        await apiClient.put('u', 'text')
        await apiClient.patch('u', {})
        await apiClient.delete('u')
        const failed = await apiClient.get('/401').catch((error) => [error.name, error.key, error.data, error.response.status])
        return [body, full.status, full.statusCode, full.data, failed]
    }";
    assert_eq!(
        given(text, "{}", &third_party),
        r#"[{"ok":true},200,200,{"ok":true},["ConnectionError","access_token_expired",{"status":401,"data":{"error":"expired"}},401]]"#
    );
    assert_eq!(
        third_party.seen(),
        [
            "connection GET /users/me?a=b+c&list=1&list=2 [accept: application/json] ",
            "connection POST users [x-a: a, accept: application/json, content-type: application/json] {\"name\":\"x\"}",
            "connection PUT u [accept: application/json] text",
            "connection PATCH u [accept: application/json, content-type: application/json] {}",
            "connection DELETE u [accept: application/json] ",
            "connection GET /401 [accept: application/json] ",
        ]
    );
    assert_eq!(given("export default (all) => Object.keys(all)", "{}", &NoHostCalls), "[]");
}

#[test]
fn a_rest_client_is_both_what_a_method_gives_and_what_it_calls_with() {
    let third_party = ThirdParty::default();
    let text = "import { RestApiClient, ConnectionError, ConnectionErrorKey } from '@integration-app/connector-sdk'
    export default async function ({ credentials }) {
        const client = new RestApiClient({
            baseUri: 'https://api.example/v1', query: { api_token: credentials.api_token },
            onError: (error) => { if (error.response.status === 401) throw new ConnectionError({ message: 'gone', key: ConnectionErrorKey.ACCESS_TOKEN_EXPIRED }) },
        })
        if (!credentials.call) return client
        const failed = await client.get('/401').catch((error) => [error.message, error.key])
        return [await client.get('users/me', { x: 1 }), failed]
    }";
    assert_eq!(
        given(text, r#"{"credentials": {"api_token": "t-1"}}"#, &third_party),
        r#"{"baseUri":"https://api.example/v1","query":{"api_token":"t-1"}}"#
    );
    assert_eq!(
        given(text, r#"{"credentials": {"api_token": "t-1", "call": true}}"#, &third_party),
        r#"[{"ok":true},["gone","access_token_expired"]]"#
    );
    assert_eq!(
        third_party.seen(),
        [
            "GET https://api.example/v1/401?api_token=t-1 [accept: application/json] ",
            "GET https://api.example/v1/users/me?api_token=t-1&x=1 [accept: application/json] ",
        ]
    );
    let odd = "export default () => new (require('@integration-app/connector-sdk').RestApiClient)({ dynamicOptions() {} })";
    let error = run(odd, "{}", &third_party).err().unwrap();
    assert!(
        error.to_string().ends_with("threw Error: the REST client has no dynamicOptions in Sidegate"),
        "{error}"
    );
}

#[test]
fn requests_go_side_by_side_and_their_number_is_limited() {
    let third_party = ThirdParty::default();
    let many = |count: u32| {
        format!(
            "export default async () => (await Promise.all(Array.from({{ length: {count} }}, (_, i) => fetch(`https://api.example/${{i}}`)))).length"
        )
    };
    assert_eq!(given(&many(20), "{}", &third_party), "20");
    let error = run(&many(21), "{}", &third_party).err().unwrap();
    assert_eq!(error.to_string(), "test.js: makeApiClient ran into the limit scripts.requests (20)");
}

#[test]
fn an_answer_that_is_too_long_is_an_error_in_the_script() {
    struct Long;
    impl HostCalls for Long {
        fn offers_api_client(&self) -> bool {
            false
        }
        fn call(&self, _: HostRequest) -> BoxFuture<'_, Result<HostResponse, HostError>> {
            let body = Zeroizing::new(vec![b'x'; (4 << 20) + 1]);
            Box::pin(async { Ok(HostResponse { status: 200, headers: Vec::new(), body }) })
        }
    }
    let error = run("export default () => fetch('https://api.example/')", "{}", &Long).err().unwrap();
    let said = "threw Error: the answer is longer than scripts.response (4194304 bytes)";
    assert!(error.to_string().ends_with(said), "{error}");
}

#[test]
fn long_bodies_pass_in_both_directions() {
    struct Echo;
    impl HostCalls for Echo {
        fn offers_api_client(&self) -> bool {
            false
        }
        fn call(&self, request: HostRequest) -> BoxFuture<'_, Result<HostResponse, HostError>> {
            let body = request.body.unwrap_or_default();
            Box::pin(async { Ok(HostResponse { status: 200, headers: Vec::new(), body }) })
        }
    }
    let text = "export default async () => {
        const sent = 'é'.repeat(1 << 19)
        const bytes = new Uint8Array(1 << 19).fill(255)
        const echo = (body) => fetch('https://api.example/', { method: 'POST', body })
        const [text, raw] = await Promise.all([echo(sent), echo(bytes)])
        return [(await text.text()) === sent, (await raw.arrayBuffer()).byteLength]
    }";
    assert_eq!(given(text, "{}", &Echo), "[true,524288]");
}

//! What a script finds when it runs: the shims of `base.js` and `http.js` over the functions here, and the built-in modules.
//! Never reaches beyond the process; what a script asks for is noted, and told by the engine.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use rquickjs::loader::{ImportAttributes, Loader, Resolver};
use rquickjs::module::Declared;
use rquickjs::{Ctx, Error, Exception, Function, Module, Object, Result, TypedArray, Value};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::super::limits::{Limit, Limits};
use super::super::message::{Answer, Answered, Ask, Asked, Bytes, Failure};
use super::codec;

/// The modules that are built in, each by what it exports beside its default.
const MODULES: &[(&str, &[&str])] = &[
    ("axios", &["AxiosError", "isAxiosError"]),
    ("@integration-app/connector-sdk", SDK),
    ("@integration-app/sdk/errors", ERRORS),
];
const SDK: &[&str] = &[
    "RestApiClient",
    "IntegrationAppError",
    "ConnectionError",
    "BadRequestError",
    "NotFoundError",
    "AccessDeniedError",
    "InternalError",
    "ConnectionErrorKey",
];
const ERRORS: &[&str] = SDK.split_at(1).1;

/// What has happened in a run so far.
pub(super) struct State {
    limits: Limits,
    /// Asked and not yet told.
    pub(super) asks: RefCell<Vec<Ask>>,
    /// How many are asked and not yet answered.
    pub(super) open: Cell<u32>,
    last_id: Cell<u32>,
    requests: Cell<u32>,
    pub(super) log: RefCell<Zeroizing<String>>,
    pub(super) is_pure: Cell<bool>,
    pub(super) outcome: RefCell<Option<std::result::Result<Option<Zeroizing<String>>, Failure>>>,
    /// A module that was wanted and is not there.
    pub(super) missing: RefCell<Option<String>>,
    /// A limit that was reached by asking.
    pub(super) reached: Cell<Option<Limit>>,
}

/// The head of a request as `http.js` writes it.
#[derive(Deserialize)]
struct Head {
    client: String,
    method: String,
    url: String,
    headers: Vec<(String, Zeroizing<String>)>,
}

#[derive(Deserialize)]
struct Sleep {
    milliseconds: f64,
}

/// An error as `base.js` describes it.
#[derive(Deserialize)]
struct Described {
    name: String,
    message: String,
    #[serde(default)]
    stack: String,
    key: Option<String>,
    status: Option<u16>,
}

impl State {
    pub(super) fn new(limits: &Limits) -> Rc<Self> {
        Rc::new(Self {
            limits: limits.clone(),
            asks: RefCell::default(),
            open: Cell::new(0),
            last_id: Cell::new(0),
            requests: Cell::new(0),
            log: RefCell::default(),
            is_pure: Cell::new(true),
            outcome: RefCell::default(),
            missing: RefCell::default(),
            reached: Cell::new(None),
        })
    }

    /// Notes what is asked for; its id.
    fn ask(&self, ctx: &Ctx<'_>, kind: &str, head: &str, body: Option<Vec<u8>>) -> Result<u32> {
        let what = if kind == "sleep" {
            let Sleep { milliseconds } = read(ctx, head)?;
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "base.js keeps it within"
            )]
            let milliseconds = milliseconds as u64;
            Asked::Sleep { milliseconds }
        } else {
            self.count_request(ctx)?;
            let Head { client, method, url, headers } = read(ctx, head)?;
            let body = body.map(|bytes| Bytes(Zeroizing::new(bytes)));
            Asked::Http { through_connection: client == "connection", method, url, headers, body }
        };
        self.is_pure.set(false);
        self.open.set(self.open.get() + 1);
        let id = self.last_id.get() + 1;
        self.last_id.set(id);
        self.asks.borrow_mut().push(Ask { id, what });
        Ok(id)
    }

    fn count_request(&self, ctx: &Ctx<'_>) -> Result<()> {
        let count = self.requests.get() + 1;
        if count > self.limits.requests {
            self.reached.set(Some(Limit::Requests));
            return Err(Exception::throw_range(ctx, "this script makes too many requests"));
        }
        self.requests.set(count);
        Ok(())
    }

    /// Keeps what still fits.
    fn say(&self, line: &str) {
        let mut log = self.log.borrow_mut();
        let room = usize::try_from(self.limits.log).unwrap_or(usize::MAX).saturating_sub(log.len());
        if room > line.len() {
            log.push_str(line);
            log.push('\n');
        }
    }

    fn done(&self, text: Option<String>) {
        let text = text.map(Zeroizing::new);
        let is_too_long = text.as_ref().is_some_and(|text| text.len() as u64 > self.limits.result);
        self.end(if is_too_long { Err(Failure::Limit(Limit::Result)) } else { Ok(text) });
    }

    fn failed(&self, file: &str, described: &str) {
        let failure = match serde_json::from_str::<Described>(described) {
            Ok(error) => failure(file, error),
            Err(error) => Failure::Thrown {
                name: "Error".into(),
                message: format!("an error that cannot be described: {error}"),
                place: None,
                key: None,
                status: None,
            },
        };
        self.end(Err(failure));
    }

    /// The first end counts.
    pub(super) fn end(&self, outcome: std::result::Result<Option<Zeroizing<String>>, Failure>) {
        self.outcome.borrow_mut().get_or_insert(outcome);
    }
}

/// A realm with all that a script may use.
pub(super) struct Realm<'js> {
    ctx: Ctx<'js>,
    bridge: Object<'js>,
    clients: Object<'js>,
}

impl<'js> Realm<'js> {
    pub(super) fn new(ctx: &Ctx<'js>, file: &str, state: &Rc<State>) -> Result<Self> {
        let native = native(ctx, file, state)?;
        let base: Function<'js> = ctx.eval(include_str!("base.js"))?;
        let bridge: Object<'js> = base.call((native.clone(),))?;
        let http: Function<'js> = ctx.eval(include_str!("http.js"))?;
        let clients = http.call((native, bridge.get::<_, Function<'js>>("ask")?))?;
        Ok(Self { ctx: ctx.clone(), bridge, clients })
    }

    /// Calls what `module` exports as `method` once it is evaluated. Without an argument, only looks for it.
    pub(super) fn start(
        &self,
        module: Module<'js, Declared>,
        method: &str,
        argument: Option<&str>,
        offers_api_client: bool,
    ) -> Result<()> {
        let (module, evaluated) = module.eval()?;
        let clients = offers_api_client.then(|| self.clients.clone());
        let start: Function<'js> = self.bridge.get("start")?;
        start.call((evaluated, module.namespace()?, method, Undefinable(argument), Undefinable(clients)))
    }

    /// Hands an answer to whoever asked.
    pub(super) fn settle(&self, answer: Answer) -> Result<()> {
        let settle: Function<'js> = self.bridge.get("settle")?;
        let nothing = || Value::new_undefined(self.ctx.clone());
        match answer.outcome {
            Err(problem) => settle.call((answer.id, json(&problem)?)),
            Ok(Answered::Slept) => settle.call((answer.id, nothing(), "{}")),
            Ok(Answered::Http { status, headers, body }) => {
                let head = json(&serde_json::json!({"status": status, "headers": headers}))?;
                let body = match std::str::from_utf8(&body.0) {
                    Ok(text) => rquickjs::String::from_str(self.ctx.clone(), text)?.into_value(),
                    Err(_) => TypedArray::<u8>::new_copy(self.ctx.clone(), &*body.0)?.into_value(),
                };
                settle.call((answer.id, nothing(), head, body))
            }
        }
    }
}

/// An argument that is `undefined` where there is none; rquickjs would write null.
struct Undefinable<T>(Option<T>);

impl<'js, T: rquickjs::IntoJs<'js>> rquickjs::IntoJs<'js> for Undefinable<T> {
    fn into_js(self, ctx: &Ctx<'js>) -> Result<Value<'js>> {
        self.0.map_or_else(|| Ok(Value::new_undefined(ctx.clone())), |value| value.into_js(ctx))
    }
}

/// The functions that the shims stand on.
fn native<'js>(ctx: &Ctx<'js>, file: &str, state: &Rc<State>) -> Result<Object<'js>> {
    let native = Object::new(ctx.clone())?;
    let asks = Rc::clone(state);
    native.set(
        "ask",
        Function::new(
            ctx.clone(),
            move |ctx: Ctx<'js>, kind: String, head: String, body: Option<String>, is_text: bool| {
                let bytes = match body {
                    Some(text) if is_text => Some(text.into_bytes()),
                    Some(binary) => Some(thrown(&ctx, codec::bytes(&binary, "latin1"))?),
                    None => None,
                };
                asks.ask(&ctx, &kind, &head, bytes)
            },
        )?,
    )?;
    let log = Rc::clone(state);
    native.set("say", Function::new(ctx.clone(), move |line: String| log.say(&line))?)?;
    let touched = Rc::clone(state);
    native.set("touch", Function::new(ctx.clone(), move || touched.is_pure.set(false))?)?;
    let done = Rc::clone(state);
    native.set("done", Function::new(ctx.clone(), move |text: Option<String>| done.done(text))?)?;
    let (failed, name) = (Rc::clone(state), file.to_owned());
    native.set(
        "failed",
        Function::new(ctx.clone(), move |described: String| failed.failed(&name, &described))?,
    )?;
    let unexported = Rc::clone(state);
    native.set("unexported", Function::new(ctx.clone(), move || unexported.end(Err(Failure::NoExport)))?)?;
    let missing = Rc::clone(state);
    native.set(
        "missing",
        Function::new(ctx.clone(), move |ctx: Ctx<'js>, name: String| -> Result<()> {
            let error = Exception::throw_message(&ctx, &format!("there is no module {name:?} here"));
            missing.missing.replace(Some(name));
            Err(error)
        })?,
    )?;
    native.set(
        "bytes",
        Function::new(ctx.clone(), |ctx: Ctx<'js>, text: String, encoding: String| {
            TypedArray::<u8>::new(ctx.clone(), thrown(&ctx, codec::bytes(&text, &encoding))?)
        })?,
    )?;
    native.set(
        "text",
        Function::new(ctx.clone(), |ctx: Ctx<'js>, binary: String, encoding: String| {
            thrown(&ctx, codec::text(&binary, &encoding))
        })?,
    )?;
    native.set(
        "url",
        Function::new(ctx.clone(), |ctx: Ctx<'js>, text: String, base: Option<String>| {
            thrown(&ctx, codec::url(&text, base.as_deref()))
        })?,
    )?;
    Ok(native)
}

fn thrown<T>(ctx: &Ctx<'_>, result: std::result::Result<T, String>) -> Result<T> {
    result.map_err(|problem| Exception::throw_type(ctx, &problem))
}

fn read<T: serde::de::DeserializeOwned>(ctx: &Ctx<'_>, text: &str) -> Result<T> {
    serde_json::from_str(text)
        .map_err(|error| Exception::throw_type(ctx, &format!("this cannot be sent: {error}")))
}

fn json(value: &impl serde::Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|_| Error::Unknown)
}

fn failure(file: &str, error: Described) -> Failure {
    let Described { name, message, stack, key, status } = error;
    match (name.as_str(), message.as_str()) {
        ("InternalError", "out of memory") => Failure::Limit(Limit::Memory),
        ("RangeError", "Maximum call stack size exceeded") | (_, "stack overflow") => {
            Failure::Limit(Limit::Stack)
        }
        _ => Failure::Thrown { place: place(&stack, file), name, message, key, status },
    }
}

/// The innermost place in `file` that a stack names: `    at f (a.js:3:5)`.
pub(super) fn place(stack: &str, file: &str) -> Option<(u32, u32)> {
    stack.lines().find_map(|frame| {
        let (_, behind) = frame.split_once(file)?;
        let mut numbers = behind.strip_prefix(':')?.trim_end_matches(')').split(':');
        Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
    })
}

/// Finds the built-in modules, and notes the others.
pub(super) struct Modules(pub(super) Rc<State>);

impl Resolver for Modules {
    fn resolve<'js>(
        &mut self,
        _: &Ctx<'js>,
        base: &str,
        name: &str,
        _: Option<ImportAttributes<'js>>,
    ) -> Result<String> {
        if MODULES.iter().any(|(known, _)| *known == name) {
            return Ok(name.to_owned());
        }
        self.0.missing.replace(Some(name.to_owned()));
        Err(Error::new_resolving(base, name))
    }
}

impl Loader for Modules {
    fn load<'js>(
        &mut self,
        ctx: &Ctx<'js>,
        name: &str,
        _: Option<ImportAttributes<'js>>,
    ) -> Result<Module<'js, Declared>> {
        let Some((_, exports)) = MODULES.iter().find(|(known, _)| *known == name) else {
            return Err(Error::new_loading(name));
        };
        let exports = exports.join(", ");
        let text = format!(
            "const found = require('{name}'); export default found; export const {{ {exports} }} = found"
        );
        Module::declare(ctx.clone(), name, text)
    }
}

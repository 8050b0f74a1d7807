//! Scripts that mean no good, in real worker processes: each ends within its limits, says which one, and harms nobody.
//! What well-meant scripts may do is told by the unit tests of the worker.

mod connectors;
mod shims;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use sidegate::formula::Value;
use sidegate::script::{
    BoxFuture, Config, ErrorKind, HostCalls, HostError, HostRequest, HostResponse, Limit, Limits,
    NoHostCalls, Outcome, Script, ScriptError, Scripts, check,
};
use sidegate::telemetry::metrics::ScriptMetrics;
use tokio::runtime::{Handle, Runtime};

use crate::support::Folder;

/// Trap 37: builtins of QuickJS that nothing interrupts, each for longer than anybody waits.
const UNINTERRUPTED: &[&str] = &[
    "Array.prototype.join.call({length: 2**53 - 1}, '')",
    "Array.prototype.toString.call(Object.assign(new Array(2**32 - 1), {}))",
    "Array.prototype.reverse.call({length: 2**53 - 1})",
    "new Array(2**32 - 1).sort()",
    "Array.prototype.concat.call([], {length: 2**53 - 2, [Symbol.isConcatSpreadable]: true})",
    "Array.prototype.copyWithin.call({length: 2**53 - 1}, 0, 1)",
    "Array.prototype.unshift.call({length: 2**53 - 2}, 1)",
    "Array.prototype.splice.call({length: 2**53 - 2}, 0, 1)",
    "Array.prototype.slice.call({length: 2**32 - 1})",
    "Array.prototype.flat.call({length: 2**53 - 1})",
    "String.raw({raw: {length: 2**53 - 1}}, '')",
    "(() => { for (;;) (1n << 1_000_000n).toString() })()",
];

/// Endless by themselves.
const ENDLESS: &[&str] = &[
    "(() => { for (;;) {} })()",
    "(() => { for (;;) try { for (;;) {} } finally { continue } })()",
    "/^(a+)+$/.test('a'.repeat(60) + '!')",
    "(async () => { for (;;) await null })()",
    "(() => { const again = () => Promise.resolve().then(again); return again() })()",
];

/// Each wants more memory than there is.
const BOMBS: &[&str] = &[
    "(() => { const all = []; for (;;) all.push([all.length]) })()",
    "'x'.repeat(2**29)",
    "(() => { const all = []; for (;;) all.push('x'.repeat(1 << 20)) })()",
    "(() => { const all = []; for (;;) all.push('x'.repeat(all.length)) })()",
    "(() => { const all = []; for (;;) all.push(new Uint8Array(1 << 20)) })()",
    "(() => { const map = new Map(); for (let i = 0; ; i++) map.set(i, { i }) })()",
    "(() => { globalThis.kept = []; for (;;) kept.push(() => kept) })()",
    "(async () => { const all = []; for (;;) { all.push(new Promise(() => {})); if (all.length % 1000 == 0) await null } })()",
    "new Array(1e7).fill().map((_, i) => ({ i }))",
];

/// Each wants at once what the engine gives to nobody.
const REFUSED: &[&str] = &[
    "(() => { let text = 'x'; for (;;) text += text })()",
    "new ArrayBuffer(2**31)",
    "(1n << 400_000_000n)",
    "new (Object.getPrototypeOf(async () => {}).constructor)('for (;;) await null')()",
    "new (() => {}).constructor('for (;;);')()",
    "eval('1')",
];

/// Each wants more stack than there is.
const DEEP: &[&str] = &[
    "(function again() { return again() + 1 })()",
    "JSON.parse('['.repeat(200_000))",
    "(() => { let deep = []; for (let i = 0; i < 200_000; i++) deep = [deep]; return deep })()",
    "new RegExp('(?:'.repeat(200_000) + ')'.repeat(200_000))",
];

fn script(expression: &str) -> Script {
    Script::new("connectors/test/auth/test.js", &format!("export default () => {expression}")).unwrap()
}

fn program() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_sidegate"))
}

fn scripts(workers: usize, limits: Limits) -> Scripts {
    Scripts::new(Config { program: program(), workers, limits }, Handle::current(), ScriptMetrics::default())
}

async fn run(scripts: &Scripts, script: &Script) -> Result<Outcome, ScriptError> {
    scripts.run(script, "test", &Value::empty_object(), &NoHostCalls).await
}

async fn error<'a>(
    scripts: &Scripts,
    expression: Option<&&'a str>,
) -> Option<(&'a str, Option<ScriptError>)> {
    let expression = *expression?;
    Some((expression, run(scripts, &script(expression)).await.err()))
}

/// Runs each of `expressions`, and a good one beside each.
fn each(expressions: &[&str], limits: Limits, is_right: impl Fn(&ErrorKind) -> bool) {
    Runtime::new().unwrap().block_on(async {
        let scripts = scripts(3, limits);
        let mut wrong = Vec::new();
        for pair in expressions.chunks(2) {
            // Its value differs each time, so none is remembered.
            let good = script("({ at: Date.now() })");
            let (first, second, good) = tokio::join!(
                error(&scripts, pair.first()),
                error(&scripts, pair.get(1)),
                run(&scripts, &good)
            );
            assert!(good.unwrap().value.is_some());
            for (expression, error) in first.into_iter().chain(second) {
                let said = error.as_ref().map(ToString::to_string);
                if !error.is_some_and(|error| is_right(&error.kind)) {
                    wrong.push(format!("{expression}: {said:?}"));
                }
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    });
}

fn is(limit: Limit) -> impl Fn(&ErrorKind) -> bool {
    move |kind| matches!(kind, ErrorKind::Limit(exceeded) if exceeded.limit == limit)
}

#[test]
fn what_the_engine_cannot_interrupt_is_ended_by_the_clock_on_the_wall() {
    let limits =
        Limits { wall_clock: Duration::from_secs(2), cpu_time: Duration::from_secs(60), ..Limits::default() };
    each(UNINTERRUPTED, limits, |kind| is(Limit::WallClock)(kind) || is(Limit::Memory)(kind));
}

#[test]
fn what_the_engine_cannot_interrupt_is_ended_by_the_kernel() {
    let limits = Limits { cpu_time: Duration::from_millis(100), ..Limits::default() };
    each(&UNINTERRUPTED[..1], limits, is(Limit::CpuTime));
}

#[test]
fn endless_loops_end_with_their_processor_time() {
    each(ENDLESS, Limits { cpu_time: Duration::from_millis(200), ..Limits::default() }, is(Limit::CpuTime));
}

#[test]
fn memory_bombs_end_at_the_limit() {
    each(
        BOMBS,
        Limits { memory: 16 << 20, cpu_time: Duration::from_secs(60), ..Limits::default() },
        is(Limit::Memory),
    );
}

#[test]
fn what_is_larger_than_anything_may_be_is_refused_at_once() {
    each(REFUSED, Limits::default(), |kind| matches!(kind, ErrorKind::Thrown(_)));
}

#[test]
fn deep_recursion_ends_at_the_stack() {
    each(DEEP, Limits { cpu_time: Duration::from_secs(60), ..Limits::default() }, is(Limit::Stack));
}

#[test]
fn a_result_that_is_too_large_is_not_taken() {
    each(&["'x'.repeat(1 << 21)", "new Array(1 << 20).fill(0)"], Limits::default(), is(Limit::Result));
}

#[test]
fn a_promise_that_nothing_will_settle_is_told_at_once() {
    let never = ["new Promise(() => {})", "(async () => { await new Promise(() => {}) })()"];
    each(&never, Limits::default(), |kind| matches!(kind, ErrorKind::Unsettled));
}

#[test]
fn waiting_ends_with_the_time_for_it() {
    let waits = [
        "new Promise((done) => setTimeout(done, 1e9))",
        "new Promise(function again() { setTimeout(again, 5) })",
    ];
    each(&waits, Limits { wall_clock: Duration::from_secs(2), ..Limits::default() }, is(Limit::WallClock));
}

#[test]
fn what_cannot_be_written_as_json_is_an_error() {
    let odd = ["1n", "(() => { const own = {}; own.own = own; return own })()"];
    each(
        &odd,
        Limits::default(),
        |kind| matches!(kind, ErrorKind::Thrown(thrown) if thrown.name == "TypeError"),
    );
    each(&["'\\ud800'"], Limits::default(), |kind| matches!(kind, ErrorKind::Unreadable(_)));
}

#[test]
fn an_import_at_run_time_is_refused_and_ends_no_process() {
    let imports = ["import('x')", "import('./x.js')", "require('fs')", "import('/etc/passwd')"];
    each(&imports, Limits::default(), |kind| matches!(kind, ErrorKind::Import(_)));
}

#[test]
fn a_source_and_an_argument_that_are_too_large_reach_no_worker() {
    Runtime::new().unwrap().block_on(async {
        let scripts = scripts(1, Limits { source: 100, argument: 100, ..Limits::default() });
        let long = script(&format!("'{}'", "x".repeat(100)));
        assert!(is(Limit::Source)(&run(&scripts, &long).await.err().unwrap().kind));
        let argument = Value::from_iter([("x", Value::from("x".repeat(100)))]);
        let error = scripts.run(&script("1"), "test", &argument, &NoHostCalls).await.err().unwrap();
        assert!(is(Limit::Argument)(&error.kind));
        assert_eq!(
            error.to_string(),
            "test/auth/test.js: test ran into the limit scripts.argument (100 bytes)"
        );
    });
}

/// Kills the worker that asks.
struct Killer<'a>(&'a Path);

impl HostCalls for Killer<'_> {
    fn offers_api_client(&self) -> bool {
        false
    }

    fn call(&self, _: HostRequest) -> BoxFuture<'_, Result<HostResponse, HostError>> {
        kill_worker(self.0);
        Box::pin(std::future::pending())
    }
}

fn kill_worker(program: &Path) -> u32 {
    let worker = workers(program)[0];
    assert!(Command::new("sh").args(["-c", &format!("kill -KILL {worker}")]).status().unwrap().success());
    worker
}

#[test]
fn a_worker_that_is_killed_fails_its_call_and_no_other() {
    Runtime::new().unwrap().block_on(async {
        let folder = Folder::new();
        let program = folder.path().join("worker-that-is-killed");
        symlink(env!("CARGO_BIN_EXE_sidegate"), &program).unwrap();
        let config = Config { program: program.clone(), workers: 1, ..Config::default() };
        let scripts = Scripts::new(config, Handle::current(), ScriptMetrics::default());
        let asks = script("fetch('https://api.test/')");
        let error = scripts.run(&asks, "test", &Value::empty_object(), &Killer(&program)).await;
        let kind = error.err().unwrap().kind;
        assert!(matches!(&kind, ErrorKind::Crashed(how) if how == "ended by signal 9"), "{kind}");
        assert_eq!(run(&scripts, &script("7")).await.unwrap().value.unwrap().text(), "7");

        // One that dies between two calls fails neither.
        let worker = kill_worker(&program);
        while !has_ended(worker) {
            tokio::task::yield_now().await;
        }
        assert_eq!(run(&scripts, &script("8")).await.unwrap().value.unwrap().text(), "8");
    });
}

#[test]
fn a_worker_has_no_environment_and_nothing_open_but_its_pipes() {
    Runtime::new().unwrap().block_on(async {
        let folder = Folder::new();
        let program = folder.path().join("worker-that-is-looked-at");
        symlink(env!("CARGO_BIN_EXE_sidegate"), &program).unwrap();
        let config = Config { program: program.clone(), workers: 1, ..Config::default() };
        let scripts = Scripts::new(config, Handle::current(), ScriptMetrics::default());
        let _listening = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        run(&scripts, &script("1")).await.unwrap();
        let worker = format!("/proc/{}", workers(&program)[0]);
        assert_eq!(fs::read(format!("{worker}/environ")).unwrap(), b"");
        let open: Vec<_> = fs::read_dir(format!("{worker}/fd"))
            .unwrap()
            .map(|entry| fs::read_link(entry.unwrap().path()).unwrap().display().to_string())
            .filter(|target| !target.starts_with("pipe:") && target != "/dev/null")
            .collect();
        assert!(open.is_empty(), "{open:?}");
        let limits = fs::read_to_string(format!("{worker}/limits")).unwrap();
        let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
        assert_eq!(line.split_whitespace().nth(3), Some("3"), "{line}");
    });
}

#[test]
fn no_state_passes_from_one_run_to_the_next() {
    Runtime::new().unwrap().block_on(async {
        let scripts = scripts(1, Limits::default());
        let counts = script(
            "(globalThis.count = (globalThis.count ?? 0) + 1, Math.random(), Array.prototype.x = 1, count)",
        );
        for _ in 0..3 {
            assert_eq!(run(&scripts, &counts).await.unwrap().value.unwrap().text(), "1");
        }
        assert_eq!(run(&scripts, &script("typeof [].x")).await.unwrap().value.unwrap().text(), "undefined");
    });
}

#[test]
fn results_are_remembered_where_they_depend_on_the_input_alone() {
    Runtime::new().unwrap().block_on(async {
        let metrics = ScriptMetrics::default();
        let scripts = Scripts::new(
            Config { program: program(), ..Config::default() },
            Handle::current(),
            metrics.clone(),
        );
        for expression in ["1", "({ at: new Date(0).getTime() })", "undefined", "Math.max(1, 2)"] {
            let first = run(&scripts, &script(expression)).await.unwrap();
            let second = run(&scripts, &script(expression)).await.unwrap();
            assert!(!first.is_remembered && second.is_remembered, "{expression}");
            assert_eq!(first.value, second.value);
        }
        for expression in
            ["Date.now()", "new Date()", "Date()", "Math.random()", "new Promise((d) => setTimeout(d, 1))"]
        {
            run(&scripts, &script(expression)).await.unwrap();
            assert!(!run(&scripts, &script(expression)).await.unwrap().is_remembered, "{expression}");
        }
        let other = Value::from_iter([("x", Value::Null)]);
        assert!(!scripts.run(&script("1"), "test", &other, &NoHostCalls).await.unwrap().is_remembered);
        assert!(!scripts.run(&script("1"), "disconnect", &other, &NoHostCalls).await.unwrap().is_remembered);
        assert_eq!((metrics.counted("ok"), metrics.counted("remembered")), (16, 4));
    });
}

#[test]
fn a_check_names_the_place_and_the_cure_and_calls_nothing() {
    let complaint = |text: &str| {
        let script = Script::new("connectors/x/auth/test.js", text).unwrap();
        let found = check(&Config { program: program(), ..Config::default() }, [(&script, "test")]);
        found.first().map(ToString::to_string)
    };
    assert_eq!(complaint("export default () => { throw new Error('called') }"), None);
    assert_eq!(complaint("exports.test = () => { throw new Error('called') }"), None);
    for (text, said) in [
        (
            "const a = 1\nexport default (a: string) => a",
            "connectors/x/auth/test.js:2:18: test is not JavaScript: ",
        ),
        (
            "import axios from 'axios'\nimport x from 'lodash'",
            "connectors/x/auth/test.js:2:15: test imports \"lodash\", which is not there; built in are axios",
        ),
        ("const x = require('fs')", "connectors/x/auth/test.js:1:19: test imports \"fs\""),
        (
            "import make from './make-api-client'",
            "connectors/x/auth/test.js:1:18: test imports \"./make-api-client\"",
        ),
        ("const x = 1", "connectors/x/auth/test.js: test is not exported; write `export default"),
        ("exports.tset = () => true", "connectors/x/auth/test.js: test is not exported"),
        ("\nnope()", "connectors/x/auth/test.js:2:1: test threw ReferenceError: nope is not defined"),
        (
            "await fetch('https://example.com')",
            "connectors/x/auth/test.js: test makes requests while it is loaded",
        ),
        ("for (;;);", "connectors/x/auth/test.js: test ran into the limit scripts.cpuTime (1s)"),
        (
            "[].join.call({length: 2**53 - 1})",
            "connectors/x/auth/test.js: test ended its worker process (while it was loaded)",
        ),
    ] {
        let found = complaint(text).unwrap_or_default();
        assert!(found.starts_with(said), "{text}\n  {found}");
    }
}

/// Whether there is nothing left of a process but its exit status.
fn has_ended(process: u32) -> bool {
    fs::read_to_string(format!("/proc/{process}/stat")).map_or(true, |stat| stat.contains(") Z "))
}

/// The processes that were started as `program`.
fn workers(program: &Path) -> Vec<u32> {
    let is_worker = |pid: &u32| {
        fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| {
            line.split(|byte| *byte == 0).next() == Some(program.as_os_str().as_encoded_bytes())
        })
    };
    let processes =
        fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    processes.filter(is_worker).collect()
}

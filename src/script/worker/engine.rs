//! One run of a script in a fresh QuickJS runtime: loaded, called, driven until its promise settles, and thrown away.
//! Never keeps anything for the next run.

use std::cell::Cell;
use std::io;
use std::rc::Rc;

use rquickjs::{Context, Ctx, Module, Runtime};

use super::super::limits::{Limit, Limits};
use super::super::message::{Done, Failure, Job, Turn};
use super::realm::{Modules, Realm, State, place};
use super::{Port, cpu_time};

/// How near to its limit the memory is when an error has no room left to be described.
const NEAR: i64 = 256 << 10;

/// Runs a job to its end.
///
/// # Errors
/// If the port breaks.
pub(super) fn run(job: &Job, limits: &Limits, port: &mut dyn Port) -> io::Result<Done> {
    let state = State::new(limits);
    let ended = in_a_runtime(job, limits, &state, port)?;
    // The runtime is gone: if that had ended the process, nobody would have been told that the job went well.
    let outcome = match ended {
        Some(failure) => Err(failure),
        None => state.outcome.take().unwrap_or(Err(Failure::Unsettled)),
    };
    let outcome = outcome.map_err(|failure| named(failure, job, &state));
    let log = std::mem::take(&mut *state.log.borrow_mut());
    Ok(Done { outcome, log, is_pure: state.is_pure.get() })
}

/// Why the job has no outcome of its own, if it has none.
fn in_a_runtime(
    job: &Job,
    limits: &Limits,
    state: &Rc<State>,
    port: &mut dyn Port,
) -> io::Result<Option<Failure>> {
    let end = cpu_time() + limits.cpu_time;
    let is_over = Rc::new(Cell::new(false));
    let Ok((runtime, context)) = realm(limits, state) else { return Ok(Some(Failure::Limit(Limit::Memory))) };
    let over = Rc::clone(&is_over);
    runtime.set_interrupt_handler(Some(Box::new(move || {
        over.set(over.get() || cpu_time() > end);
        over.get()
    })));
    let driven = context.with(|ctx| {
        let started = start(&ctx, job, state);
        started.and_then(|realm| drive(&realm, &ctx, state, port, &is_over)).unwrap_or_else(|_| {
            state.end(Err(caught(&ctx, &job.file)));
            Ok(())
        })
    });
    driven?;
    if is_over.get() {
        return Ok(Some(Failure::Limit(Limit::CpuTime)));
    }
    let is_full = || {
        let limit = i64::try_from(limits.memory).unwrap_or(i64::MAX);
        runtime.memory_usage().malloc_size > limit - NEAR
    };
    let nothing_said = state.outcome.borrow().is_none();
    Ok((nothing_said && is_full()).then_some(Failure::Limit(Limit::Memory)))
}

fn realm(limits: &Limits, state: &Rc<State>) -> rquickjs::Result<(Runtime, Context)> {
    let runtime = Runtime::new()?;
    runtime.set_memory_limit(usize::try_from(limits.memory).unwrap_or(usize::MAX));
    runtime.set_max_stack_size(usize::try_from(limits.stack).unwrap_or(usize::MAX));
    runtime.set_loader(Modules(Rc::clone(state)), Modules(Rc::clone(state)));
    let context = Context::full(&runtime)?;
    Ok((runtime, context))
}

fn start<'js>(ctx: &Ctx<'js>, job: &Job, state: &Rc<State>) -> rquickjs::Result<Realm<'js>> {
    let realm = Realm::new(ctx, &job.file, state)?;
    match Module::declare(ctx.clone(), job.file.as_str(), job.source.as_str()) {
        Ok(module) => {
            let argument = job.argument.as_ref().map(|text| text.as_str());
            realm.start(module, &job.method, argument, job.offers_api_client)?;
        }
        Err(_) => state.end(Err(syntax(ctx, &job.file))),
    }
    Ok(realm)
}

/// Runs what is ready, tells what is asked, and takes one answer, until there is an outcome or nothing to wait for.
fn drive<'js>(
    realm: &Realm<'js>,
    ctx: &Ctx<'js>,
    state: &State,
    port: &mut dyn Port,
    is_over: &Cell<bool>,
) -> rquickjs::Result<io::Result<()>> {
    loop {
        while !is_over.get() && state.outcome.borrow().is_none() && ctx.execute_pending_job() {}
        if is_over.get() || state.outcome.borrow().is_some() || state.open.get() == 0 {
            return Ok(Ok(()));
        }
        let asks = state.asks.take();
        match port.ask(&Turn::Asks(asks)) {
            Ok(answer) => {
                state.open.set(state.open.get() - 1);
                realm.settle(answer)?;
            }
            Err(broken) => return Ok(Err(broken)),
        }
    }
}

/// The pending exception, as a failure. Without one, there was no memory left for it.
fn caught(ctx: &Ctx<'_>, file: &str) -> Failure {
    let thrown = ctx.catch();
    let Some(error) = thrown.as_exception() else { return Failure::Limit(Limit::Memory) };
    let name = error.as_object().get::<_, String>("name").unwrap_or_else(|_| "Error".into());
    let message = error.message().unwrap_or_default();
    if message == "out of memory" {
        return Failure::Limit(Limit::Memory);
    }
    let place = place(&error.stack().unwrap_or_default(), file);
    Failure::Thrown { name, message, place, key: None, status: None }
}

fn syntax(ctx: &Ctx<'_>, file: &str) -> Failure {
    match caught(ctx, file) {
        Failure::Thrown { name, message, place, .. } if name == "SyntaxError" => {
            Failure::Syntax { message, place }
        }
        other => other,
    }
}

/// What a failure came from, where that says more than what was thrown.
fn named(failure: Failure, job: &Job, state: &State) -> Failure {
    if !matches!(failure, Failure::Thrown { .. }) {
        return failure;
    }
    if let Some(limit) = state.reached.get() {
        return Failure::Limit(limit);
    }
    match state.missing.take() {
        Some(name) => Failure::Import { place: import_of(&name, &job.source), name },
        None => failure,
    }
}

/// Where `source` names the module `name`.
fn import_of(name: &str, source: &str) -> Option<(u32, u32)> {
    let quoted = ['\'', '"', '`'].map(|quote| format!("{quote}{name}{quote}"));
    source.lines().zip(1..).find_map(|(line, number)| {
        let start = quoted.iter().find_map(|text| line.find(text.as_str()))?;
        Some((number, u32::try_from(line[..start].chars().count() + 1).ok()?))
    })
}

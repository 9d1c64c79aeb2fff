//! Many lives, on all cores.

use std::{
    fmt::Write as _,
    ops::Range,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use crate::{
    life::{Verdict, play},
    plan::Plan,
};

/// How often the progress is told.
const PROGRESS: Duration = Duration::from_secs(5);

/// Plays the lives of these seeds, the small ones first, until one breaks something: the seed of that one.
pub(crate) fn first_broken(seeds: Range<u64>) -> Option<u64> {
    let next = AtomicU64::new(seeds.start);
    let broken = Mutex::new(None::<u64>);
    let started = Instant::now();
    let told = Mutex::new(started);
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    let found = *broken.lock().unwrap();
                    if seed >= seeds.end || found.is_some_and(|broken| broken < seed) {
                        return;
                    }
                    if !play(Plan::draw(seed)).violations.is_empty() {
                        let mut broken = broken.lock().unwrap();
                        *broken = Some(broken.map_or(seed, |first| first.min(seed)));
                    }
                    let mut told = told.lock().unwrap();
                    if told.elapsed() >= PROGRESS {
                        *told = Instant::now();
                        progress(seed - seeds.start, started);
                    }
                }
            });
        }
    });
    let played = next.into_inner().min(seeds.end) - seeds.start;
    progress(played, started);
    broken.into_inner().unwrap()
}

fn progress(lives: u64, started: Instant) {
    let seconds = started.elapsed().as_secs_f64();
    #[allow(clippy::cast_precision_loss, reason = "a rate for people")]
    let rate = lives as f64 / seconds;
    eprintln!("{lives} lives in {seconds:.0} s, {rate:.0} lives per second");
}

/// The smallest plan found that still breaks the same invariant.
pub(crate) fn shrunk(mut plan: Plan) -> (Plan, Verdict) {
    let mut verdict = play(plan.clone());
    let which = kind(&verdict);
    while let Some((smaller, its)) = plan.smaller().into_iter().find_map(|smaller| {
        let verdict = play(smaller.clone());
        (kind(&verdict) == which).then_some((smaller, verdict))
    }) {
        (plan, verdict) = (smaller, its);
    }
    (plan, verdict)
}

/// The number of the invariant that was broken first.
pub(crate) fn kind(verdict: &Verdict) -> Option<String> {
    verdict.violations.first().map(|violation| violation.chars().take(2).collect())
}

/// A broken life as a person reads it.
pub(crate) fn told(seed: u64) -> String {
    let (plan, verdict) = shrunk(Plan::draw(seed));
    let mut told = format!("SEED={seed}, without what makes no difference:\n\n{plan:#?}\n\n{}\n", verdict.story);
    for violation in verdict.violations {
        let _ = write!(told, "\nbroken: {violation}");
    }
    told
}

//! The fuzz targets on mutated seeds, for a fixed count: what libFuzzer runs for hours stays right from day to day.
//! `tests/fuzz/run TARGET SECONDS` runs them with coverage.

use std::fs;
use std::panic::catch_unwind;
use std::path::Path;

use crate::dice::Dice;

#[path = "../fuzz/src/lib.rs"]
#[allow(unreachable_pub)] // it is a library of its own too
pub(crate) mod shared;

use shared::targets::ALL;

const SEED: u64 = 0x5eed_0000_0000_0002;
/// For each target; a seed takes microseconds, but for those that write files.
const MUTATIONS: u32 = 5_000;

#[test]
fn t15_t16_t18_h5_no_mutation_of_a_seed_breaks_a_promise() {
    for (name, target) in ALL {
        let seeds = seeds(name);
        // Those that go through files or sockets are slower.
        let count = if matches!(*name, "config" | "answer") { MUTATIONS / 10 } else { MUTATIONS };
        for number in 0..count {
            let mut bytes = seeds[number as usize % seeds.len()].clone();
            // The seeds themselves come first.
            if number as usize >= seeds.len() {
                mutate(&mut Dice::new(SEED, number), &mut bytes, &seeds);
            }
            let outcome = catch_unwind(|| target(&bytes));
            assert!(outcome.is_ok(), "{name} on {}", bytes.escape_ascii());
        }
    }
}

#[test]
fn every_target_has_its_seeds_and_its_driver() {
    for (name, _) in ALL {
        assert!(!seeds(name).is_empty(), "{name}");
        let driver = fs::read_to_string(format!("tests/fuzz/targets/{name}.rs")).unwrap();
        assert!(driver.contains(&format!("targets::{name}(bytes)")), "{name}");
    }
    assert_eq!(fs::read_dir("tests/fuzz/targets").unwrap().count(), ALL.len());
}

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new("tests/fuzz/seeds").join(target);
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().map(|file| fs::read(file).unwrap()).collect()
}

/// What libFuzzer does, without its eyes: bits, bytes, copies, cuts, and parts of other seeds.
fn mutate(dice: &mut Dice, bytes: &mut Vec<u8>, seeds: &[Vec<u8>]) {
    for _ in 0..=dice.below(4) {
        let at = dice.below(bytes.len() + 1);
        let end = (at + dice.below(20)).min(bytes.len());
        match dice.below(6) {
            0 if at < bytes.len() => bytes[at] ^= 1 << dice.below(8),
            1 => bytes.insert(at, dice.byte()),
            2 => drop(bytes.drain(at..end)),
            3 => {
                let copied = bytes[at..end].to_vec();
                bytes.splice(at..at, copied);
            }
            4 => {
                let odd = dice.of(&[
                    "\0", "\"", "{", "}", "[", "%2e", "/../", ": ", "\r\n", "\n", "-1", "1e999", "\\u0000",
                    "${A}", "$",
                ]);
                bytes.splice(at..at, odd.bytes());
            }
            _ => {
                let other = &seeds[dice.below(seeds.len())];
                let from = dice.below(other.len() + 1);
                let to = (from + dice.below(40)).min(other.len());
                bytes.splice(at..end, other[from..to].iter().copied());
            }
        }
    }
}

//! Tests of products by warpgroups without a GPU: where copies put elements, and where products look for them.

use super::banks::conflicts;
use super::layout::Swizzle;
use super::wgmma::{GroupTile, ROW, ROWS, STEPS};
use super::{Along, Atom, Chip, GroupMatmul, GroupSchedule, Plain, Problem};
use crate::text::Scalar;

const HOPPER: Chip = Chip { sm: 90, exact: true, ptx: 84 };

fn problem(elem: Scalar, atom: Atom, along: [Along; 2], sizes: [u64; 4]) -> Problem {
    let lanes = 16 / elem.bytes().clamp(2, 4);
    Problem {
        chip: HOPPER,
        sizes,
        elems: [elem; 2],
        along,
        pieces: [16; 2],
        codes: false,
        lanes,
        atom: Some(atom),
        maps: true,
    }
}

fn problems() -> Vec<Problem> {
    let kinds = [
        (Scalar::F16, Atom::F16),
        (Scalar::BF16, Atom::Bf16),
        (Scalar::F32, Atom::Tf32),
        (Scalar::I8, Atom::S8),
        (Scalar::I8, Atom::U8),
    ];
    let both = [Along::K, Along::Outer];
    let along: Vec<[Along; 2]> = both.into_iter().flat_map(|a| both.map(|b| [a, b])).collect();
    kinds
        .into_iter()
        .flat_map(|(elem, atom)| {
            along.clone().into_iter().map(move |along| problem(elem, atom, along, [1, 4096, 4096, 4096]))
        })
        .collect()
}

fn schedules() -> Vec<GroupSchedule> {
    problems().iter().flat_map(Problem::group_space).collect()
}

/// Where tensor copies put an element of a tile, in bytes: rows of 128 bytes, permuted within each eight.
pub(super) fn copied(tile: &GroupTile, outer: u32, k: u32) -> u32 {
    let bytes = tile.atom.bytes();
    let swizzle = Swizzle::new(3, 4, 3);
    match tile.along {
        Along::K => {
            let width = ROW / bytes;
            k / width * tile.box_bytes() + swizzle.apply(&mut Plain, outer * ROW + k % width * bytes)
        }
        Along::Outer => {
            let width = ROW / bytes;
            outer / width * tile.box_bytes() + swizzle.apply(&mut Plain, k * ROW + outer % width * bytes)
        }
    }
}

/// Where a product with the tile's descriptor reads, by the PTX ISA's canonical layouts for the 128-byte swizzle. The start is
/// in units of 16 bytes.
pub(super) fn read(tile: &GroupTile, start: u32, outer: u32, k: u32) -> u32 {
    let bytes = tile.atom.bytes();
    let field = |at: u32| (tile.descriptor() >> at & 0x3fff) as u32 * 16;
    let (leading, stride) = (field(16), field(32));
    let plain = match tile.along {
        Along::K => outer / 8 * stride + outer % 8 * ROW + k * bytes,
        Along::Outer => {
            let width = ROW / bytes;
            k / 8 * stride + k % 8 * ROW + outer / width * leading + outer % width * bytes
        }
    };
    Swizzle::new(3, 4, 3).apply(&mut Plain, start * 16 + plain)
}

#[test]
fn products_read_what_copies_wrote() {
    let mut n_checked = 0;
    for schedule in schedules() {
        for (tile, rows) in schedule.tiles().into_iter().zip([ROWS, schedule.n]) {
            assert_eq!(tile.descriptor() >> 62, 1, "the 128-byte swizzle");
            for first in (0..tile.outer).step_by(rows as usize) {
                for step in 0..STEPS {
                    let start = tile.rows_from(first) + tile.step(step);
                    for (outer, k) in (0..rows).flat_map(|outer| (0..tile.atom.k()).map(move |k| (outer, k))) {
                        let there = copied(&tile, first + outer, step * tile.atom.k() + k);
                        assert_eq!(read(&tile, start, outer, k), there, "{tile:?} {first} {step} {outer} {k}");
                        n_checked += 1;
                    }
                }
            }
        }
    }
    assert!(n_checked > 100_000);
}

#[test]
fn copies_of_a_stage_fill_it() {
    for schedule in schedules() {
        for (tile, [k, outer]) in schedule.tiles().into_iter().zip(schedule.boxes()) {
            let [width, n_boxes] = tile.boxes();
            assert_eq!([k, outer], [tile.k, width]);
            assert_eq!(k * width * tile.atom.bytes(), tile.box_bytes());
            assert_eq!(n_boxes * width, tile.outer);
            assert!(width <= 256 && tile.box_bytes().is_multiple_of(1024), "{tile:?}");
        }
    }
}

/// Sums of a warp: pairs are put down, and runs taken up, without bank conflicts; each has its own place.
#[test]
fn slabs_have_no_conflicts_and_lose_nothing() {
    for schedule in schedules() {
        let matmul = GroupMatmul { schedule };
        let tile = matmul.sum_tile();
        let mut seen = vec![];
        for pair in 0..schedule.n / 4 {
            let places: Vec<[u32; 2]> = (0..32).map(|lane| matmul.pair_place(&mut Plain, lane, pair)).collect();
            let addresses: Vec<u32> =
                places.iter().map(|[row, column]| tile.address(&mut Plain, *row, *column)).collect();
            assert_eq!(conflicts(&addresses, 8), 0, "{}: pair {pair}", schedule.name());
            seen.extend(addresses);
        }
        seen.sort_unstable();
        assert!(seen.iter().copied().eq((0..16 * schedule.n / 2).map(|n| n * 8)), "{}", schedule.name());
        let per_row = schedule.n / schedule.lanes;
        let run = |lane: u32| tile.address(&mut Plain, lane / per_row, lane % per_row * schedule.lanes);
        let addresses: Vec<u32> = (0..32).map(run).collect();
        assert_eq!(conflicts(&addresses, 16), 0, "{}", schedule.name());
    }
}

#[test]
fn schedules_stay_in_their_budgets() {
    let all = schedules();
    assert!(all.len() > 100);
    for schedule in all {
        assert!(schedule.shared() <= 227 * 1024, "{}", schedule.name());
        assert!(schedule.m * schedule.n <= 128 * 128 * schedule.consumers, "{}: sums of a thread", schedule.name());
        assert_eq!(schedule.m % (schedule.consumers * ROWS), 0);
        if let Some([producer, consumer]) = schedule.registers() {
            assert!(128 * (producer + schedule.consumers * consumer) <= 65536 && consumer % 8 == 0 && producer >= 24);
        }
    }
}

#[test]
fn only_what_the_chip_and_the_copies_can_do_is_in_the_space() {
    let good = problem(Scalar::F16, Atom::F16, [Along::Outer, Along::Outer], [1, 512, 512, 512]);
    assert!(!good.group_space().is_empty());
    let chips = [
        Chip { exact: false, ..HOPPER },
        Chip { sm: 100, exact: true, ptx: 87 },
        Chip { sm: 80, exact: false, ptx: 78 },
    ];
    for chip in chips {
        assert!(Problem { chip, ..good }.group_space().is_empty(), "{chip:?}");
    }
    assert!(Problem { maps: false, ..good }.group_space().is_empty());
    assert!(Problem { atom: None, ..good }.group_space().is_empty());
    let bytes = problem(Scalar::I8, Atom::S8, [Along::K, Along::Outer], [1, 512, 512, 512]);
    assert!(bytes.group_space().is_empty(), "bytes cannot be turned");
}

/// Many tiles get large ones, few small ones.
#[test]
fn the_cost_model_fills_the_chip() {
    let best = |sizes| {
        let problem = problem(Scalar::BF16, Atom::Bf16, [Along::K; 2], sizes);
        problem.group_space().into_iter().min_by(|a, b| a.cost(&problem).total_cmp(&b.cost(&problem))).unwrap()
    };
    let large = best([1, 8192, 8192, 4096]);
    assert_eq!(large.m * large.n, 128 * 256, "{}", large.name());
    let small = best([1, 256, 512, 4096]);
    assert!(small.m * small.n <= 64 * 64, "{}", small.name());
}

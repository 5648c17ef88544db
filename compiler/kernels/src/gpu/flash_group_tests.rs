//! Tests of attention by warpgroups without a GPU: where copies put elements and where products look for them, and budgets.

use super::group_tests::{copied, read};
use super::wgmma::ROWS;
use super::{Along, Atom, Chip, FlashProblem, GroupFlash};

const HOPPER: Chip = Chip { sm: 90, exact: true, ptx: 84 };

fn problem(depths: [u32; 2], along: [Along; 3]) -> FlashProblem {
    FlashProblem { chip: HOPPER, atom: Atom::Bf16, sizes: [32, 2048, 2048], depths, along, lanes: 8, reads: 0 }
}

fn depths() -> [[u32; 2]; 11] {
    let even = [32, 40, 64, 72, 80, 96, 128, 192, 256].map(|depth| [depth, depth]);
    let [a, b, c, d, e, f, g, h, i] = even;
    [a, b, c, d, e, f, g, h, i, [192, 128], [20, 256]]
}

fn schedules() -> Vec<GroupFlash> {
    let both = [Along::K, Along::Outer];
    let along = |n: usize| [both[n & 1], both[n >> 1 & 1], both[n >> 2 & 1]];
    depths().into_iter().flat_map(|depths| (0..8).flat_map(move |n| problem(depths, along(n)).group_space())).collect()
}

#[test]
fn products_read_what_copies_wrote() {
    let mut n_checked = 0;
    for flash in schedules() {
        for tile in flash.tiles() {
            for step in 0..tile.steps() {
                for (outer, k) in (0..tile.outer).flat_map(|outer| (0..16).map(move |k| (outer, k))) {
                    let there = copied(&tile, outer, step * 16 + k);
                    assert!(there < tile.bytes(), "{tile:?} {outer} {step} {k}");
                    assert_eq!(read(&tile, tile.step(step), outer, k), there, "{tile:?} {outer} {step} {k}");
                    n_checked += 1;
                }
            }
        }
    }
    assert!(n_checked > 1_000_000);
}

#[test]
fn copies_fill_tiles_and_stay_in_them() {
    for flash in schedules() {
        for (tile, shape) in flash.tiles().into_iter().zip(flash.boxes()) {
            assert_eq!(shape.iter().product::<u32>() * 2, tile.box_bytes(), "{tile:?}");
            assert!(tile.box_bytes().is_multiple_of(1024) && shape.iter().all(|size| *size <= 256), "{tile:?}");
            let [k, outer] = tile.box_start(tile.n_boxes() - 1);
            let covered = [k + shape[0], outer + shape[1]];
            assert!(k < tile.k && outer < tile.outer && covered[0] >= tile.k && covered[1] >= tile.outer, "{tile:?}");
        }
    }
}

#[test]
fn schedules_stay_in_their_budgets() {
    let all = schedules();
    assert!(all.len() > 100);
    for flash in all {
        let name = flash.name();
        assert!(flash.shared() <= 227 * 1024, "{name}");
        assert!(flash.ring_bytes().is_multiple_of(8) && flash.left_bytes().is_multiple_of(1024), "{name}");
        // Rows of a slab must not leave the rows of the left operand, and runs of lanes must be whole.
        assert!(ROWS * flash.slab_columns() * 4 <= flash.left_bytes(), "{name}");
        assert!(flash.slab_columns().is_power_of_two() && flash.slab_columns() >= 32, "{name}");
        if let Some([producer, consumer]) = flash.registers() {
            assert!(128 * (producer + flash.consumers * consumer) <= 65536 && producer >= 24, "{name}");
            assert!(consumer % 8 == 0 && producer % 8 == 0, "{name}");
            assert!(consumer <= 240 && flash.needs(0) <= consumer, "{name}");
        }
    }
}

#[test]
fn only_what_the_chip_can_do_is_in_the_space() {
    let good = problem([128, 128], [Along::K, Along::K, Along::Outer]);
    assert!(!good.group_space().is_empty());
    for chip in [Chip { exact: false, ..HOPPER }, Chip { sm: 100, exact: true, ptx: 87 }, Chip { sm: 80, ..HOPPER }] {
        assert!(FlashProblem { chip, ..good }.group_space().is_empty(), "{chip:?}");
    }
    assert!(FlashProblem { depths: [257, 64], ..good }.group_space().is_empty());
    assert!(FlashProblem { atom: Atom::Tf32, ..good }.group_space().is_empty());
}

/// Many rows get several consumers, whose exponentials hide behind products; few rows of few matrices are spread.
#[test]
fn the_cost_model_fills_the_chip() {
    let along = [Along::K, Along::K, Along::Outer];
    let best = |depth, sizes| {
        let problem = FlashProblem { sizes, ..problem([depth; 2], along) };
        problem.choose_group().unwrap()
    };
    assert_eq!(best(128, [32, 4096, 4096]).consumers, 2);
    assert_eq!(best(64, [64, 4096, 4096]).consumers, 3);
    assert_eq!(best(64, [8, 64, 2048]).consumers, 1);
}

/// What a score reads from memory takes registers, which a smaller tile leaves.
#[test]
fn tensors_that_scores_read_shrink_tiles() {
    let plain = problem([64, 64], [Along::K, Along::K, Along::Outer]);
    let widest = |problem: FlashProblem| {
        let three = problem.group_space().into_iter().filter(|flash| flash.consumers == 3);
        three.map(|flash| flash.columns).max()
    };
    assert_eq!([widest(plain), widest(FlashProblem { reads: 1, ..plain })], [Some(128), Some(96)]);
    assert_eq!(FlashProblem { reads: 100, ..plain }.choose_group(), None);
}

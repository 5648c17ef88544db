//! Tests of tiles without a GPU: what an address formula gives, for all lanes.

use super::banks::{conflicts, wavefronts};
use super::layout::{Layout, Swizzle};
use super::matmul::Core;
use super::stage::Deal;
use super::tensor_core::{Side, TensorCore};
use super::*;
use crate::text::Scalar;

const CHIPS: [(u32, u32); 6] = [(75, 78), (80, 78), (86, 78), (89, 84), (90, 84), (100, 87)];

fn chips() -> impl Iterator<Item = Chip> {
    CHIPS.into_iter().map(|(sm, ptx)| Chip { sm, exact: sm == 90, ptx })
}

fn problem(chip: Chip, elem: Scalar, atom: Option<Atom>, along: [Along; 2], pieces: [u32; 2]) -> Problem {
    Problem {
        chip,
        sizes: [1, 1024, 1024, 1024],
        elems: [elem; 2],
        along,
        pieces,
        codes: false,
        lanes: 16 / elem.bytes().clamp(2, 4),
        atom,
        maps: true,
    }
}

/// Every type and direction, with pieces of 16 bytes.
fn problems() -> Vec<Problem> {
    let kinds = [
        (Scalar::F16, Some(Atom::F16)),
        (Scalar::BF16, Some(Atom::Bf16)),
        (Scalar::F32, Some(Atom::Tf32)),
        (Scalar::F32, None),
        (Scalar::F64, None),
        (Scalar::I32, None),
        (Scalar::I8, Some(Atom::S8)),
    ];
    let both = [Along::K, Along::Outer];
    let mut all = vec![];
    for chip in chips() {
        for (elem, atom) in kinds {
            for a in both {
                all.extend(both.map(|b| problem(chip, elem, atom, [a, b], [16, 16])));
            }
        }
    }
    all
}

#[test]
fn wavefronts_count_words_in_a_bank() {
    let lanes = |f: fn(u32) -> u32| (0..32).map(f).collect::<Vec<_>>();
    assert_eq!(wavefronts(&lanes(|l| 4 * l), 4), 1);
    assert_eq!(wavefronts(&lanes(|_| 64), 4), 1, "one word for all");
    assert_eq!(wavefronts(&lanes(|l| 128 * l), 4), 32, "all in one bank");
    assert_eq!(wavefronts(&lanes(|l| 16 * l), 16), 4);
    assert_eq!(conflicts(&lanes(|l| 16 * l), 16), 0);
    assert_eq!(conflicts(&lanes(|l| 32 * l), 16), 4, "every second group of banks");
}

#[test]
fn layouts_and_swizzles_are_permutations() {
    let layout = Layout::row_major(&[4, 8, 32]);
    assert_eq!(layout.offset(&[1, 2, 3]), 256 + 64 + 3);
    let swizzle = Swizzle::new(3, 4, 3);
    let mut seen: Vec<u32> =
        (0..layout.size()).map(|n| swizzle.apply(&mut Plain, layout.offset(&layout.coordinates(n)))).collect();
    seen.sort_unstable();
    assert!(seen.iter().copied().eq(0..1024));
}

#[test]
fn a_tile_without_its_swizzle_has_conflicts() {
    let tile = SharedTile { elem: Scalar::F16, along: Along::K, outer: 128, k: 64, simt: false };
    let rows = |f: &dyn Fn(u32) -> u32| (0..32).map(f).collect::<Vec<u32>>();
    let plain = rows(&|lane| lane % 16 * tile.row_bytes() + lane / 16 * 16);
    assert_eq!(conflicts(&plain, 16), 28, "eight rows in the same banks");
    let mixed = rows(&|lane| tile.address(&mut Plain, lane % 16, lane / 16 * 8));
    assert_eq!(conflicts(&mixed, 16), 0);
}

/// Reads of tiles and both ways through the tile of sums are free of conflicts for every schedule there is, and so are
/// writes of 16-byte pieces that keep their direction.
#[test]
fn schedules_have_no_bank_conflicts() {
    let mut n_checked = 0;
    for problem in problems() {
        for schedule in problem.space() {
            let matmul = Matmul { chip: problem.chip, schedule };
            let lanes = problem.elems.map(|elem| 16 / elem.bytes());
            for (what, extra) in matmul.conflicts(problem.along, lanes) {
                let turned = (what == "writing A" && schedule.along[0] != problem.along[0])
                    || (what == "writing B" && schedule.along[1] != problem.along[1]);
                let wide = schedule.math.sum() == Scalar::F64;
                assert!(turned || wide, "{}: {what}: {extra} wavefronts too many", schedule.name());
            }
            n_checked += 1;
        }
    }
    assert!(n_checked > 500, "{n_checked}");
}

/// Transposing four rows at a time is free of conflicts where the FMA units' tiles ask for it.
#[test]
fn transposed_writes_of_singles_have_no_conflicts() {
    let problem = problem(chips().next().unwrap(), Scalar::F32, None, [Along::K; 2], [16, 16]);
    let whole = problem.space().into_iter().find(|s| s.tile.m == 128 && s.tile.n == 128).unwrap();
    let matmul = Matmul { chip: problem.chip, schedule: whole };
    assert_eq!(matmul.conflicts([Along::K; 2], [4, 4]), []);
}

fn tensor_cores() -> Vec<TensorCore> {
    let all = problems()
        .into_iter()
        .flat_map(|p| p.space().into_iter().map(move |schedule| Matmul { chip: p.chip, schedule }));
    all.filter_map(|matmul| match matmul.core() {
        Core::Tensor(core) => Some(core),
        Core::Simt(_) => None,
    })
    .collect()
}

/// `ldmatrix` done on numbers: each lane gets a word of each of four matrices, whose rows are at the lanes' addresses.
/// A word is given as the addresses of its first and second 16 bits.
fn ldmatrix(addresses: &[u32], transposed: bool) -> Vec<[[u32; 2]; 4]> {
    (0..32usize)
        .map(|lane| {
            [0, 1, 2, 3].map(|matrix| {
                let half = |which: usize| {
                    let (row, column) =
                        if transposed { (lane % 4 * 2 + which, lane / 4) } else { (lane / 4, lane % 4 * 2 + which) };
                    addresses[matrix * 8 + row] + 2 * column as u32
                };
                [half(0), half(1)]
            })
        })
        .collect()
}

/// What `ldmatrix` gives is what the matrix instruction's fragments are defined to be.
#[test]
fn fragments_hold_what_the_instruction_expects() {
    for core in tensor_cores() {
        let bytes = core.atom.bytes();
        for (side, tile) in [(Side::A, core.a), (Side::B, core.b)] {
            for (warp, fragment, step) in [(0, 0, 0), (0, core.fragments(side) - 1, core.steps() - 1)] {
                let address = |lane| core.address(&mut Plain, side, (lane, warp), fragment, step);
                let words = ldmatrix(&(0..32).map(address).collect::<Vec<_>>(), tile.along == Along::Outer);
                for (lane, words) in words.iter().enumerate() {
                    let lane = lane as u32;
                    for (register, word) in words.iter().enumerate() {
                        let register = register as u32;
                        // Registers of A: rows first, then k. Of two columns' B: k first, then columns.
                        let (far_outer, far_k) =
                            if side == Side::A { (register % 2, register / 2) } else { (register / 2, register % 2) };
                        let outer = fragment * 16 + lane / 4 + 8 * far_outer;
                        let k_byte = step * 32 + lane % 4 * 4 + 16 * far_k;
                        for (half, at) in word.iter().enumerate() {
                            let k_byte = k_byte + 2 * half as u32;
                            let expected = tile.address(&mut Plain, outer, k_byte / bytes) + k_byte % bytes;
                            assert_eq!(*at, expected, "{side:?} lane {lane} register {register} of {core:?}");
                        }
                    }
                }
            }
        }
    }
}

/// Later fragments are found from the first by flipping and adding known bits.
#[test]
fn fragments_are_at_known_distances() {
    for core in tensor_cores() {
        for side in [Side::A, Side::B] {
            let warps = if side == Side::A { core.tile.warps_m } else { core.tile.warps_n };
            for lane in 0..32 {
                for warp in 0..warps {
                    let first = core.address(&mut Plain, side, (lane, warp), 0, 0);
                    for fragment in 0..core.fragments(side) {
                        for step in 0..core.steps() {
                            let (flip, add) = core.offset(side, fragment, step);
                            let there = core.address(&mut Plain, side, (lane, warp), fragment, step);
                            assert_eq!((first ^ flip) + add, there, "{side:?} {fragment} {step} of {core:?}");
                        }
                    }
                }
            }
        }
    }
}

/// What FMA units read is what their sums are made of.
#[test]
fn threads_read_the_rows_and_columns_of_their_sums() {
    for problem in problems() {
        for schedule in problem.space() {
            let Core::Simt(core) = (Matmul { chip: problem.chip, schedule }).core() else { continue };
            let (width, bytes, [rows, columns]) = (core.group(), core.a.elem.bytes(), core.groups());
            for thread in 0..schedule.threads() {
                let [wm, wn, ty, tx] = core.position(&mut Plain, thread);
                let sides = [
                    (&core.a, wm * schedule.tile.m / schedule.tile.warps_m, ty, rows, 4),
                    (&core.b, wn * schedule.tile.n / schedule.tile.warps_n, tx, columns, 8),
                ];
                for (tile, warp, lane, groups, lanes) in sides {
                    let base = warp * bytes + lane * 16;
                    for (k, group) in (0..schedule.tile.k).flat_map(|k| (0..groups).map(move |group| (k, group))) {
                        let (flip, add) = core.offset(tile, k, group, lanes * width);
                        let outer = warp + lane * width + group * lanes * width;
                        assert_eq!((base ^ flip) + add, tile.address(&mut Plain, outer, k), "{}", schedule.name());
                    }
                }
            }
        }
    }
}

/// Every element of a tile is brought by one thread, to its own place.
#[test]
fn deals_cover_tiles_once() {
    for problem in problems() {
        for schedule in problem.space() {
            for (tile, along) in schedule.tiles().iter().zip(problem.along) {
                let lanes = 16 / tile.elem.bytes();
                let Some(deal) = Deal::new(tile, along, lanes, schedule.threads()) else { continue };
                let mut places: Vec<u32> = deal.all(tile, schedule.threads());
                places.sort_unstable();
                assert!(places.iter().copied().eq((0..tile.outer * tile.k).map(|n| n * tile.elem.bytes())));
            }
        }
    }
}

/// Every sum of a block is in one place of one thread.
#[test]
fn sums_cover_blocks_once() {
    for problem in problems() {
        for schedule in problem.space() {
            let core = Matmul { chip: problem.chip, schedule }.core();
            let per_warp = schedule.tile.m / schedule.tile.warps_m;
            let mut places = vec![];
            for thread in 0..schedule.threads() {
                for run in 0..core.n_runs() {
                    let (row, column) = core.run_place(&mut Plain, thread, run);
                    let row = row.warp * per_warp + row.constant + row.lane;
                    places.extend((0..core.run_lanes()).map(|lane| row * schedule.tile.n + column + lane));
                }
            }
            places.sort_unstable();
            assert!(places.iter().copied().eq(0..schedule.tile.m * schedule.tile.n), "{}", schedule.name());
        }
    }
}

#[test]
fn chips_have_what_their_targets_take() {
    let chip = |sm, exact, ptx| Chip { sm, exact, ptx };
    assert!(!chip(75, false, 78).has(Feature::CpAsync));
    assert!(chip(80, false, 78).has(Feature::CpAsync));
    assert!(!chip(80, false, 65).has(Feature::MmaBf16), "the PTX is too old");
    assert!(chip(90, true, 84).has(Feature::Wgmma));
    assert!(!chip(90, false, 84).has(Feature::Wgmma), "not an exact target");
    assert!(!chip(100, true, 87).has(Feature::Wgmma), "gone in the next architecture");
    assert!(Atom::F16.legal(chip(75, false, 78)) && !Atom::Bf16.legal(chip(75, false, 78)));
}

/// Types with a matrix instruction get it on every chip that has one, with 16-byte asynchronous copies where there are any.
#[test]
fn the_best_arithmetic_is_chosen() {
    for problem in problems() {
        let Some(schedule) = problem.choose() else {
            assert_eq!(problem.elems[0], Scalar::I8, "{problem:?}");
            continue;
        };
        let on_tensor_cores = problem.atom.is_some_and(|atom| atom.legal(problem.chip));
        assert_eq!(matches!(schedule.math, Math::Tensor(_)), on_tensor_cores, "{problem:?}");
        let turned = schedule.along != problem.along;
        let ring = matches!(schedule.pipeline, Pipeline::Ring(_));
        assert_eq!(ring, on_tensor_cores && problem.chip.sm >= 80 && !turned, "{problem:?}");
        assert!(schedule.shared() <= problem.chip.shared_per_block());
    }
}

/// Few tiles get small ones, many large ones.
#[test]
fn the_cost_model_fills_the_chip() {
    let chip = Chip { sm: 80, exact: false, ptx: 78 };
    let sized = |m, n, k| {
        let sizes = [1, m, n, k];
        let problem = Problem { sizes, ..problem(chip, Scalar::F16, Some(Atom::F16), [Along::K; 2], [16; 2]) };
        problem.choose().unwrap().tile
    };
    let large = sized(8192, 8192, 4096);
    assert!(large.m * large.n >= 128 * 128, "{large:?}");
    let small = sized(256, 512, 4096);
    assert!(small.m * small.n <= 64 * 64, "{small:?}");
}

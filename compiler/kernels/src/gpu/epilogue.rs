//! From sums in registers to what follows: through shared memory, so that each thread gets neighbors of a row.

use super::layout::Swizzle;
use super::matmul::{Core, Matmul, Place};
use super::stage::Deal;
use super::tensor_core::Side;
use super::{Along, Ints, Plain, banks};
use crate::text::{Access, IntCmp, Scalar, Ty, Val, Writer};

/// A tile of sums in shared memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SumTile {
    pub(crate) elem: Scalar,
    pub(crate) columns: u32,
}

impl SumTile {
    /// Fragments write 32 bytes of four rows at once, and rows are read in runs of 16 or 32 bytes a lane: the first wants
    /// rows mixed into the 32-byte column, the second the 128-byte column into the 16-byte one.
    fn swizzles(&self) -> [Swizzle; 2] {
        let log = (self.columns * self.elem.bytes()).ilog2();
        [Swizzle::new(2, 5, log - 5), Swizzle::new(1, 4, 3)]
    }

    pub(crate) fn address<I: Ints>(&self, i: &mut I, row: I::Num, column: I::Num) -> I::Num {
        let row = i.times(row, self.columns * self.elem.bytes());
        let column = i.times(column, self.elem.bytes());
        let mut at = i.add(row, column);
        // The order does not matter: neither changes the bits that the other reads.
        for swizzle in self.swizzles() {
            at = swizzle.apply(i, at);
        }
        at
    }

    /// Neighboring sums of a row of the tile at `shared`, as a scalar or vector.
    pub(crate) fn read(&self, w: &mut Writer, shared: Val, [row, column]: [Val; 2], lanes: u32) -> Val {
        let group = 16 / self.elem.bytes();
        let mut items = vec![];
        for part in 0..lanes.div_ceil(group) {
            let far = w.num(part * group);
            let column = w.addi(column, far);
            let address = self.address(w, row, column);
            let pointer = w.shared_at(shared, address);
            let n = lanes.min(group);
            if n == 1 {
                return w.load(pointer, self.elem.into(), self.elem.bytes());
            }
            let all = w.load(pointer, Ty::vector(self.elem, n), Access::aligned(n * self.elem.bytes()));
            if lanes <= group {
                return all;
            }
            items.extend((0..n).map(|lane| w.extract(all, lane)));
        }
        w.vector_of(&items)
    }
}

impl Matmul {
    fn sum_tile(&self) -> SumTile {
        SumTile { elem: self.schedule.math.sum(), columns: self.schedule.tile.n }
    }

    /// Rows of a warp in one slab.
    fn slab_rows(&self) -> u32 {
        self.schedule.tile.m / self.schedule.tile.warps_m / self.schedule.slabs
    }

    /// Hands every sum of the block to `finish`, in runs of neighboring columns.
    pub(crate) fn finish_all(
        &self,
        w: &mut Writer,
        core: &Core,
        sums: &[Val],
        place: &Place,
        finish: &mut dyn FnMut(&mut Writer, Val, Val, Val),
    ) {
        let thread = w.thread();
        let shared = w.shared();
        for slab in 0..self.schedule.slabs {
            if slab > 0 {
                w.barrier();
            }
            self.write_slab(w, core, sums, slab, thread, shared);
            w.barrier();
            self.read_slab(w, slab, thread, shared, place, finish);
        }
    }

    fn write_slab(&self, w: &mut Writer, core: &Core, sums: &[Val], slab: u32, thread: Val, shared: Val) {
        let tile = self.sum_tile();
        let rows = self.slab_rows();
        let per_warp = self.schedule.tile.m / self.schedule.tile.warps_m;
        for (vals, row, column) in core.runs(w, thread, sums) {
            // The row inside the warp is the run's own, known here up to the lane's part, which is below a slab's rows.
            let local = row.constant % per_warp;
            if local / rows != slab {
                continue;
            }
            // Warps stand `per_warp` rows apart in the block, and `rows` apart in the slab.
            let warp = w.times(row.warp, rows);
            let at = w.num(local % rows);
            let at = w.addi(at, row.lane);
            let at = w.addi(warp, at);
            let address = tile.address(w, at, column);
            let pointer = w.shared_at(shared, address);
            let value = w.vector_of(&vals);
            w.store(value, pointer, value.ty.bytes());
        }
    }

    #[allow(clippy::too_many_arguments, reason = "one place in a nest of loops")]
    fn read_slab(
        &self,
        w: &mut Writer,
        slab: u32,
        thread: Val,
        shared: Val,
        place: &Place,
        finish: &mut dyn FnMut(&mut Writer, Val, Val, Val),
    ) {
        let schedule = &self.schedule;
        let (lanes, rows, per_warp) = (schedule.lanes, self.slab_rows(), schedule.tile.m / schedule.tile.warps_m);
        let per_row = schedule.tile.n / lanes;
        let total = schedule.tile.warps_m * rows * per_row;
        let (zero, end, step) = (w.num(0), w.num(total), w.num(schedule.threads()));
        w.for_loop_rolled(zero, end, step, &[], |w, first, _| {
            let at = w.addi(first, thread);
            let (slab_row, column) = (w.over(at, per_row), w.rest(at, per_row));
            let column = w.times(column, lanes);
            let (warp, local) = (w.over(slab_row, rows), w.rest(slab_row, rows));
            let warp = w.times(warp, per_warp);
            let far = w.num(slab * rows);
            let local = w.addi(local, far);
            let row = w.addi(warp, local);
            let (row, absolute) = (w.addi(place.row, row), w.addi(place.column, column));
            let (row_ok, column_ok) = (w.cmpi(IntCmp::Slt, row, place.m), w.cmpi(IntCmp::Slt, absolute, place.n));
            let inside = w.andi(row_ok, column_ok);
            w.if_then(inside, |w| {
                let sums = self.sum_tile().read(w, shared, [slab_row, column], lanes);
                let (row, column) = (w.extsi(row, Scalar::I64), w.extsi(absolute, Scalar::I64));
                finish(w, row, column, sums);
            });
            vec![]
        });
    }

    /// Addresses of each access of a warp to the tile of sums: writes of a run, and reads; for the bank checker.
    pub(crate) fn sum_accesses(&self, core: &Core) -> Vec<(Vec<u32>, u32)> {
        let tile = self.sum_tile();
        let rows = self.slab_rows();
        let per_warp = self.schedule.tile.m / self.schedule.tile.warps_m;
        let n_runs = core.n_runs();
        let mut found: Vec<(Vec<u32>, u32)> = (0..n_runs)
            .map(|run| {
                let address = |thread: u32| {
                    let (row, column) = core.run_place(&mut Plain, thread, run);
                    let local = (row.constant % per_warp) % rows + row.lane + row.warp * rows;
                    tile.address(&mut Plain, local, column)
                };
                ((0..32).map(address).collect(), core.run_lanes() * tile.elem.bytes())
            })
            .collect();
        let lanes = self.schedule.lanes;
        let (per_row, group) = (self.schedule.tile.n / lanes, 16 / tile.elem.bytes());
        for part in 0..lanes.div_ceil(group) {
            let address = |lane: u32| tile.address(&mut Plain, lane / per_row, lane % per_row * lanes + part * group);
            found.push(((0..32).map(address).collect(), lanes.min(group) * tile.elem.bytes()));
        }
        found
    }
}

/// See [`Matmul::conflicts`].
pub(crate) fn conflicts(matmul: &Matmul, along: [Along; 2], lanes: [u32; 2]) -> Vec<(String, u32)> {
    let core = matmul.core();
    let mut accesses: Vec<(String, Vec<u32>, u32)> = vec![];
    for ((name, tile), (along, lanes)) in ["A", "B"].iter().zip(matmul.tiles()).zip(along.into_iter().zip(lanes)) {
        let Some(deal) = Deal::new(&tile, along, lanes, matmul.schedule.threads()) else { continue };
        let (elements, width) = if along == tile.along { (1, lanes) } else { (lanes, 1) };
        for piece in 0..deal.pieces {
            for element in 0..elements {
                let addresses = deal.addresses(&tile, piece, element);
                accesses.push((format!("writing {name}"), addresses, width * tile.elem.bytes()));
            }
        }
    }
    accesses.extend(core.reads());
    let sums = matmul.sum_accesses(&core).into_iter();
    accesses.extend(sums.map(|(addresses, bytes)| ("sums".to_string(), addresses, bytes)));
    let mut found: Vec<(String, u32)> = vec![];
    for (name, addresses, bytes) in accesses {
        let extra = banks::conflicts(&addresses, bytes);
        if extra > 0 && !found.contains(&(name.clone(), extra)) {
            found.push((name, extra));
        }
    }
    found
}

impl Core {
    /// Every access of a warp when it reads tiles: name, addresses, bytes of a lane.
    fn reads(&self) -> Vec<(String, Vec<u32>, u32)> {
        match self {
            Core::Tensor(core) => {
                let mut all = vec![];
                for (name, side) in [("A", Side::A), ("B", Side::B)] {
                    for fragment in 0..core.fragments(side) {
                        for step in 0..core.steps() {
                            let at = |lane| core.address(&mut Plain, side, (lane, 0), fragment, step);
                            all.push((format!("reading {name}"), (0..32).map(at).collect(), 16));
                        }
                    }
                }
                all
            }
            Core::Simt(core) => {
                let mut all = vec![];
                for k in 0..core.tile.k {
                    for (name, tile, divisor) in [("A", &core.a, 8), ("B", &core.b, 1)] {
                        let at = |lane: u32| tile.address(&mut Plain, lane / divisor % 8 * core.group(), k);
                        all.push((format!("reading {name}"), (0..32).map(at).collect(), 16));
                    }
                }
                all
            }
        }
    }
}

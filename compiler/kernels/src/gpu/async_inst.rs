//! Instructions of `sm_90` that work beside the threads: tensor copies, the barriers that they report to, and the hand-over of
//! registers between warpgroups.

use super::inst::SHARED;
use crate::text::{Scalar, Ty, Val, Writer};

/// Address space of the shared memory of a cluster, in which tensor copies name their destination.
const CLUSTER: Ty = Ty::Scalar(Scalar::Ptr(7));

impl Writer {
    /// The value of a register of all lanes, which is the same in each; what depends on it is then known to be uniform.
    pub(crate) fn uniform(&mut self, v: Val) -> Val {
        let (all, first, clamp) = (self.i32(-1), self.i32(0), self.i32(31));
        self.op(v.ty, format_args!("nvvm.shfl.sync idx {all}, {v}, {first}, {clamp} : {0} -> {0}", v.ty))
    }

    /// Whether the lane is the one of its warp that the hardware picks; all of them come here.
    pub(crate) fn elected(&mut self) -> Val {
        self.op(Ty::I1, "nvvm.elect.sync -> i1")
    }

    /// Waits for the lanes of the warp, and makes their writes to memory visible to each other.
    pub(crate) fn warp_barrier(&mut self) {
        let all = self.i32(-1);
        self.stmt(format_args!("nvvm.bar.warp.sync {all} : i32"));
    }

    /// Waits at barrier `id` (1 to 15) until so many threads of the block came there.
    pub(crate) fn named_barrier(&mut self, id: u32, threads: u32) {
        let id = self.num32(id);
        self.named_barrier_at(id, threads);
    }

    /// [`Writer::named_barrier`] whose number is computed; it is the same in all lanes of a warp.
    pub(crate) fn named_barrier_at(&mut self, id: Val, threads: u32) {
        let threads = self.num32(threads);
        self.stmt(format_args!("nvvm.barrier id = {id} number_of_threads = {threads}"));
    }

    /// Comes to barrier `id`, at which so many threads are awaited, and goes on.
    pub(crate) fn pass_barrier(&mut self, id: Val, threads: u32) {
        let threads = self.num32(threads);
        self.stmt(format_args!("nvvm.barrier.arrive id = {id} number_of_threads = {threads}"));
    }

    fn num32(&mut self, n: u32) -> Val {
        self.i32(n.cast_signed())
    }

    /// Makes a barrier in shared memory whose phases end after so many arrivals.
    pub(crate) fn init_barrier(&mut self, at: Val, arrivals: u32) {
        let arrivals = self.num32(arrivals);
        self.stmt(format_args!("nvvm.mbarrier.init {at}, {arrivals} : {SHARED}, i32"));
    }

    /// Makes new barriers visible to asynchronous operations; a barrier of the block must follow.
    pub(crate) fn fence_new_barriers(&mut self) {
        self.stmt("nvvm.fence.mbarrier.init");
    }

    /// Arrives at a barrier.
    pub(crate) fn arrive(&mut self, at: Val) {
        self.op(Ty::I64, format_args!("nvvm.mbarrier.arrive {at} : {SHARED} -> i64"));
    }

    /// Arrives at a barrier whose phase then also waits for so many bytes of asynchronous copies.
    pub(crate) fn arrive_expecting(&mut self, at: Val, bytes: u32) {
        let bytes = self.num32(bytes);
        self.stmt(format_args!("nvvm.mbarrier.arrive.expect_tx {at}, {bytes} : {SHARED}, i32"));
    }

    /// Waits until the phase with this parity (0 for the first) is over.
    pub(crate) fn await_phase(&mut self, at: Val, parity: Val) {
        let ticks = self.i32(10_000_000);
        self.stmt(format_args!("nvvm.mbarrier.try_wait.parity {at}, {parity}, {ticks} : {SHARED}, i32, i32"));
    }

    /// Brings a tensor map near.
    pub(crate) fn prefetch_map(&mut self, map: Val) {
        self.stmt(format_args!("nvvm.prefetch tensormap, {map} : {}", map.ty));
    }

    /// Starts to copy the tile of a tensor map at these coordinates (neighbors first) to shared memory. The barrier hears of its
    /// bytes.
    pub(crate) fn copy_tile(&mut self, to: Val, map: Val, at: &[Val], barrier: Val) {
        let to = self.op(CLUSTER, format_args!("llvm.addrspacecast {to} : {SHARED} to {CLUSTER}"));
        let at: Vec<String> = at.iter().map(ToString::to_string).collect();
        self.stmt(format_args!(
            "nvvm.cp.async.bulk.tensor.shared.cluster.global {to}, {map}, {barrier}, box[{}] : {CLUSTER}, {}",
            at.join(", "),
            map.ty
        ));
    }

    /// Changes the number of registers of a warpgroup's threads.
    pub(crate) fn set_registers(&mut self, n: u32, more: bool) {
        let way = if more { "increase" } else { "decrease" };
        self.stmt(format_args!("nvvm.setmaxregister {way} {n}"));
    }

    /// The offset of an address in shared memory, as an `i32`.
    pub(crate) fn shared_offset(&mut self, pointer: Val) -> Val {
        self.op(Ty::I32, format_args!("llvm.ptrtoint {pointer} : {SHARED} to i32"))
    }
}

//! `atom` and `red`.

use crate::code::{Place, Slot};
use crate::error::Trouble;
use crate::exec::{Warp, World, access, bad};
use crate::memory::{Kind, number};
use crate::row::lanes;

/// A function of the old value and up to two operands.
pub(crate) type Update = Box<dyn Fn(u64, u64, u64) -> u64 + Send + Sync>;

/// An atomic operation on one or several elements.
pub(crate) struct Atomic {
    pub(crate) place: Place,
    /// Bytes of an element.
    pub(crate) bytes: usize,
    /// Where the old values go, if they are wanted.
    pub(crate) to: Vec<Slot>,
    /// For each element.
    pub(crate) a: Vec<Slot>,
    /// The new value of `cas`.
    pub(crate) b: Option<Slot>,
    pub(crate) update: Update,
}

/// Lanes one after the other, in an order that the seed changes.
pub(crate) fn run(warp: &mut Warp, op: &Atomic, active: u32, world: &mut World<'_>) -> Result<(), Trouble> {
    let total = op.bytes * op.a.len();
    let rotation = world.random.below(32) as u32;
    for lane in lanes(active.rotate_right(rotation)) {
        let lane = (lane + rotation as usize) % 32;
        let target = access::resolve(warp, &op.place, lane, world)?;
        access::check_aligned(target, total as u64, lane)?;
        access::note(warp, target, total, Kind::Strong, lane, world)?;
        let mut data = [0; 16];
        let data = &mut data[..total];
        match target {
            access::Target::Global(at) => data.copy_from_slice(world.heap.read(at, total, lane)?),
            access::Target::Shared(block, at) => {
                data.copy_from_slice(world.blocks[block].shared.read(at, total, lane)?);
            }
            _ => return Err(bad(lane, "atomics need global or shared memory")),
        }
        for (at, element) in data.chunks_exact_mut(op.bytes).enumerate() {
            let old = number(element);
            let a = warp.row(op.a[at])[lane];
            let b = op.b.map_or(0, |slot| warp.row(slot)[lane]);
            element.copy_from_slice(&(op.update)(old, a, b).to_le_bytes()[..op.bytes]);
            if let Some(to) = op.to.get(at) {
                warp.registers[*to as usize][lane] = old;
            }
        }
        match target {
            access::Target::Global(at) => {
                world.counts.global_read += total as u64;
                world.counts.global_written += total as u64;
                world.heap.write(at, total, lane)?.copy_from_slice(data);
            }
            access::Target::Shared(block, at) => {
                world.blocks[block].shared.write(at, total, lane)?.copy_from_slice(data);
            }
            _ => {}
        }
    }
    let strong = world.strong.clone();
    warp.clocks.join(&strong);
    warp.clocks.knows_others = true;
    warp.publish(world);
    Ok(())
}

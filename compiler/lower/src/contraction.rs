//! Contractions in tiles of registers.

use crate::context::Cx;
use crate::kernel::Recipe;
use graph::Node;
use kernels::text::{Val, Writer};
use schedule::Groups;
use tensor::Dim;

pub(crate) struct Contraction {
    pub(crate) groups: Groups,
}

impl Contraction {
    pub(crate) fn choose(_cx: &Cx, _node: &Node) -> Option<Contraction> {
        None
    }
}

impl Recipe for Contraction {
    fn tasks(&self) -> Dim {
        Dim::from(1)
    }

    fn task(&self, _cx: &Cx, _w: &mut Writer, _task: Val, _scratch: Option<Val>) {}
}

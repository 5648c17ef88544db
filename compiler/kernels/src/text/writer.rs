//! The writer's state, and the raw lines all other methods are made of.

use std::collections::BTreeMap;
use std::fmt::{self, Write};

use super::{FastMath, Ty};

/// An SSA value: its number and its type. Prints as `%12`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Val {
    id: u32,
    /// Type of the value.
    pub ty: Ty,
}

impl fmt::Display for Val {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "%{}", self.id)
    }
}

/// Values separated by commas.
pub(super) struct List<'a>(pub(super) &'a [Val]);

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, v) in self.0.iter().enumerate() {
            write!(f, "{}{v}", if i == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

/// Types separated by commas.
pub(super) struct Types<I>(pub(super) I);

impl<I: Iterator<Item = Ty> + Clone> fmt::Display for Types<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, t) in self.0.clone().enumerate() {
            write!(f, "{}{t}", if i == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

/// Where the constants of one function gather until the function is complete.
#[derive(Default)]
pub(super) struct Frame {
    /// Byte of the output where the constants go: the start of the function's entry block.
    start: usize,
    indent: usize,
    text: String,
    pub(super) known: BTreeMap<(Ty, Vec<u64>), Val>,
}

/// Writes MLIR text, one operation a line.
#[derive(Default)]
pub struct Writer {
    out: String,
    indent: usize,
    next: u32,
    frames: Vec<Frame>,
    /// Values known at writing time: integer constants and their splats.
    ints: BTreeMap<u32, i64>,
    locs: Vec<String>,
    loc: Option<usize>,
    pub(super) fast: FastMath,
    pub(super) native_bf16: bool,
    pub(super) math_dialect: bool,
    pub(super) native_scale: bool,
}

impl Writer {
    /// An empty text.
    pub fn new() -> Writer {
        Writer { frames: vec![Frame::default()], ..Writer::default() }
    }

    /// The whole text: constants used outside of any function first, location aliases last.
    pub fn finish(mut self) -> String {
        self.close_frame();
        for (i, name) in std::mem::take(&mut self.locs).iter().enumerate() {
            self.line(format_args!("#loc{i} = loc(\"{}\")", escape(name)));
        }
        self.out
    }

    /// Names the source of the operations written from now on; `None` names none.
    /// Returns the name that was in force.
    pub fn set_location(&mut self, name: Option<&str>) -> Option<String> {
        let before = self.loc.map(|i| self.locs[i].clone());
        self.loc = name.map(|name| match self.locs.iter().position(|l| l == name) {
            Some(i) => i,
            None => {
                self.locs.push(name.to_owned());
                self.locs.len() - 1
            }
        });
        before
    }

    /// A new value without an operation, for results and block arguments that the caller writes by [`Writer::line`].
    pub fn fresh(&mut self, ty: Ty) -> Val {
        let id = self.next;
        self.next += 1;
        Val { id, ty }
    }

    /// Writes one line as it is.
    pub fn line(&mut self, text: impl fmt::Display) {
        push_line(&mut self.out, self.indent, text, "");
    }

    /// Writes an operation without results, with the current location.
    pub fn stmt(&mut self, text: impl fmt::Display) {
        let loc = self.loc_suffix();
        push_line(&mut self.out, self.indent, text, &loc);
    }

    /// Writes an operation with one result: `%n = text`.
    pub fn op(&mut self, ty: Ty, text: impl fmt::Display) -> Val {
        let v = self.fresh(ty);
        self.stmt(format_args!("{v} = {text}"));
        v
    }

    /// Writes an operation with several results: `%n, %m = text`.
    pub fn ops(&mut self, tys: &[Ty], text: impl fmt::Display) -> Vec<Val> {
        let vals: Vec<Val> = tys.iter().map(|&ty| self.fresh(ty)).collect();
        match vals.is_empty() {
            true => self.stmt(text),
            false => self.stmt(format_args!("{} = {text}", List(&vals))),
        }
        vals
    }

    /// Writes `header {`, the body one step further in, and `}`.
    pub fn block<R>(&mut self, header: impl fmt::Display, body: impl FnOnce(&mut Writer) -> R) -> R {
        self.open(header);
        let r = body(self);
        self.close("}");
        r
    }

    /// The value of an integer constant (or of all lanes of a splat), where the writer knows it.
    pub fn known_int(&self, v: Val) -> Option<i64> {
        self.ints.get(&v.id).copied()
    }

    pub(super) fn remember_int(&mut self, v: Val, value: i64) {
        self.ints.insert(v.id, value);
    }

    /// Begins a region: `header {`, and a step in.
    pub fn open(&mut self, header: impl fmt::Display) {
        self.line(format_args!("{header} {{"));
        self.indent += 1;
    }

    /// Between two regions or blocks: steps out, writes `text`, steps in again.
    pub fn middle(&mut self, text: impl fmt::Display) {
        self.indent -= 1;
        self.line(text);
        self.indent += 1;
    }

    /// Ends a region: a step out, and `text`, which begins with the brace.
    pub fn close(&mut self, text: impl fmt::Display) {
        self.indent -= 1;
        self.stmt(text);
    }

    pub(super) fn open_frame(&mut self) {
        self.frames.push(Frame { start: self.out.len(), indent: self.indent, ..Frame::default() });
    }

    pub(super) fn close_frame(&mut self) {
        if let Some(frame) = self.frames.pop() {
            self.out.insert_str(frame.start, &frame.text);
        }
    }

    /// The constant of this type and contents, written at most once in a function.
    /// Constants carry no location: they belong to all their uses.
    pub(super) fn constant(&mut self, ty: Ty, key: Vec<u64>, text: impl fmt::Display) -> Val {
        if let Some(&v) = self.frame().known.get(&(ty, key.clone())) {
            return v;
        }
        let v = self.fresh(ty);
        let frame = self.frame();
        push_line(&mut frame.text, frame.indent, format_args!("{v} = {text}"), "");
        frame.known.insert((ty, key), v);
        v
    }

    fn frame(&mut self) -> &mut Frame {
        self.frames.last_mut().expect("the writer is open")
    }

    fn loc_suffix(&self) -> String {
        match self.loc {
            Some(i) => format!(" loc(#loc{i})"),
            None => String::new(),
        }
    }
}

fn push_line(out: &mut String, indent: usize, text: impl fmt::Display, suffix: &str) {
    out.extend(std::iter::repeat_n("  ", indent));
    write!(out, "{text}{suffix}").expect("writing to a string");
    out.push('\n');
}

fn escape(name: &str) -> String {
    let mut out = String::new();
    for b in name.bytes() {
        match b {
            b'"' | b'\\' | 0..=31 | 127.. => write!(out, "\\{b:02X}").expect("writing to a string"),
            _ => out.push(b as char),
        }
    }
    out
}

//! Functions, loops and branches, their bodies written by closures.

use std::fmt::{self, Write};

use super::writer::{List, Types};
use super::{Ty, Val, Writer};

/// Which dialect's function.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FunctionKind {
    /// `func.func`.
    Func,
    /// `llvm.func`; at most one result.
    Llvm,
    /// `gpu.func ... kernel`, inside a `gpu.module`; no result.
    Kernel,
}

/// A parameter: its type and its attributes (text of a dictionary without braces, for example `llvm.noalias`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Param<'a> {
    /// Type.
    pub ty: Ty,
    /// Attributes; empty for none.
    pub attrs: &'a str,
}

impl<'a> Param<'a> {
    /// A parameter without attributes.
    pub const fn of(ty: Ty) -> Param<'a> {
        Param { ty, attrs: "" }
    }

    /// A parameter with attributes.
    pub fn with(ty: Ty, attrs: &'a str) -> Param<'a> {
        Param { ty, attrs }
    }
}

/// The signature of a function.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Function<'a> {
    /// Dialect.
    pub kind: FunctionKind,
    /// Symbol name without `@`.
    pub name: &'a str,
    /// Parameters.
    pub params: &'a [Param<'a>],
    /// Results.
    pub results: &'a [Ty],
    /// Attributes; text of a dictionary without braces, empty for none.
    pub attrs: &'a str,
}

impl<'a> Function<'a> {
    /// A `func.func` without results.
    pub fn host(name: &'a str, params: &'a [Param<'a>]) -> Function<'a> {
        Function { kind: FunctionKind::Func, name, params, results: &[], attrs: "" }
    }

    /// A `func.func` that only its module calls. It is never inlined, so registers are assigned in it alone.
    pub fn outlined(name: &'a str, params: &'a [Param<'a>]) -> Function<'a> {
        let attrs = "llvm.linkage = #llvm.linkage<internal>, passthrough = [\"noinline\"]";
        Function { attrs, ..Function::host(name, params) }
    }

    /// A GPU kernel.
    pub fn kernel(name: &'a str, params: &'a [Param<'a>]) -> Function<'a> {
        Function { kind: FunctionKind::Kernel, ..Function::host(name, params) }
    }

    fn header(&self, args: &[Val]) -> String {
        let mut text = String::from(match self.kind {
            FunctionKind::Func => "func.func ",
            FunctionKind::Llvm => "llvm.func ",
            FunctionKind::Kernel => "gpu.func ",
        });
        write!(text, "@{}(", self.name).expect("writing to a string");
        for (i, (arg, param)) in args.iter().zip(self.params).enumerate() {
            write!(text, "{}{arg}: {}", if i == 0 { "" } else { ", " }, param.ty).expect("writing to a string");
            if !param.attrs.is_empty() {
                write!(text, " {{{}}}", param.attrs).expect("writing to a string");
            }
        }
        text.push(')');
        match self.results {
            [] => {}
            [one] => write!(text, " -> {one}").expect("writing to a string"),
            many => write!(text, " -> ({})", Types(many.iter().copied())).expect("writing to a string"),
        }
        if self.kind == FunctionKind::Kernel {
            text.push_str(" kernel");
        }
        if !self.attrs.is_empty() {
            write!(text, " attributes {{{}}}", self.attrs).expect("writing to a string");
        }
        text
    }

    fn terminator(&self) -> &'static str {
        match self.kind {
            FunctionKind::Func => "return",
            FunctionKind::Llvm => "llvm.return",
            FunctionKind::Kernel => "gpu.return",
        }
    }
}

impl Writer {
    /// A function; the body returns the results.
    pub fn function(&mut self, f: Function<'_>, body: impl FnOnce(&mut Writer, &[Val]) -> Vec<Val>) {
        let args: Vec<Val> = f.params.iter().map(|p| self.fresh(p.ty)).collect();
        self.open(f.header(&args));
        self.open_frame();
        let results = body(self, &args);
        self.terminator(f.terminator(), &results);
        self.close_frame();
        self.close("}");
    }

    /// `header {`: a function that the caller writes line by line, because it has parameters of types that [`Ty`] has no word
    /// for. Its constants go before what follows, until [`Writer::end_function`].
    pub fn begin_function(&mut self, header: impl fmt::Display) {
        self.open(header);
        self.open_frame();
    }

    /// `}` of a function; its terminator has been written.
    pub fn end_function(&mut self) {
        self.close_frame();
        self.close("}");
    }

    /// `scf.for` from `lo` below `hi`. The body gets the loop variable and the carried values and returns their next
    /// values; the loop returns their last.
    pub fn for_loop(
        &mut self,
        lo: Val,
        hi: Val,
        step: Val,
        inits: &[Val],
        body: impl FnOnce(&mut Writer, Val, &[Val]) -> Vec<Val>,
    ) -> Vec<Val> {
        self.for_loop_marked([lo, hi, step], inits, "", body)
    }

    /// [`Writer::for_loop`] that LLVM leaves as it is: neither unrolled nor peeled, so that a template's own order stays.
    pub fn for_loop_rolled(
        &mut self,
        lo: Val,
        hi: Val,
        step: Val,
        inits: &[Val],
        body: impl FnOnce(&mut Writer, Val, &[Val]) -> Vec<Val>,
    ) -> Vec<Val> {
        let mark = " {loop_annotation = #llvm.loop_annotation<unroll = <disable = true>>}";
        self.for_loop_marked([lo, hi, step], inits, mark, body)
    }

    fn for_loop_marked(
        &mut self,
        [lo, hi, step]: [Val; 3],
        inits: &[Val],
        mark: &str,
        body: impl FnOnce(&mut Writer, Val, &[Val]) -> Vec<Val>,
    ) -> Vec<Val> {
        let results = self.fresh_like(inits);
        let iv = self.fresh(lo.ty);
        let args = self.fresh_like(inits);
        let mut header = assignment(&results);
        write!(header, "scf.for {iv} = {lo} to {hi} step {step}").expect("writing to a string");
        if !inits.is_empty() {
            header.push_str(&carried(" iter_args", &args, inits));
            write!(header, " -> ({})", types(inits)).expect("writing to a string");
        }
        if lo.ty != Ty::INDEX {
            write!(header, " : {}", lo.ty).expect("writing to a string");
        }
        self.open(header);
        let next = body(self, iv, &args);
        self.yield_like(inits, &next);
        self.close(format_args!("}}{mark}"));
        results
    }

    /// `scf.if` with results of these types; each arm returns them.
    pub fn if_else(
        &mut self,
        cond: Val,
        tys: &[Ty],
        yes: impl FnOnce(&mut Writer) -> Vec<Val>,
        no: impl FnOnce(&mut Writer) -> Vec<Val>,
    ) -> Vec<Val> {
        let results = self.begin_if(cond, tys);
        let a = yes(self);
        self.begin_else(&results, &a);
        let b = no(self);
        self.end_region(&results, &b);
        results
    }

    /// The first line of [`Writer::if_else`], for callers that cannot hand the writer to a closure.
    pub(crate) fn begin_if(&mut self, cond: Val, tys: &[Ty]) -> Vec<Val> {
        let results: Vec<Val> = tys.iter().map(|&ty| self.fresh(ty)).collect();
        let mut header = assignment(&results);
        write!(header, "scf.if {cond}").expect("writing to a string");
        if !tys.is_empty() {
            write!(header, " -> ({})", types(&results)).expect("writing to a string");
        }
        self.open(header);
        results
    }

    /// Ends the first arm with its values, begins the second.
    pub(crate) fn begin_else(&mut self, results: &[Val], vals: &[Val]) {
        self.yield_like(results, vals);
        self.middle("} else {");
    }

    /// Ends the last region of a branch or loop with its values.
    pub(crate) fn end_region(&mut self, like: &[Val], vals: &[Val]) {
        self.yield_like(like, vals);
        self.close("}");
    }

    /// `scf.if` without results and without an else.
    pub fn if_then(&mut self, cond: Val, body: impl FnOnce(&mut Writer)) {
        self.open(format_args!("scf.if {cond}"));
        body(self);
        self.close("}");
    }

    /// `scf.while`: `cond` gets the carried values and returns whether to go on and the values to go on with (of the
    /// same types); `body` gets those and returns the next ones.
    pub fn while_loop(
        &mut self,
        inits: &[Val],
        cond: impl FnOnce(&mut Writer, &[Val]) -> (Val, Vec<Val>),
        body: impl FnOnce(&mut Writer, &[Val]) -> Vec<Val>,
    ) -> Vec<Val> {
        let (results, before) = self.begin_while(inits);
        let (go, vals) = cond(self, &before);
        let after = self.begin_do(go, &vals);
        let next = body(self, &after);
        self.end_do(inits, &next);
        results
    }

    /// Ends the body with the next values. Unlike other regions it has no implicit end.
    pub(crate) fn end_do(&mut self, like: &[Val], next: &[Val]) {
        if next.is_empty() {
            self.stmt("scf.yield");
        }
        self.end_region(like, next);
    }

    /// The first line of [`Writer::while_loop`]: its results, and the values its condition gets.
    pub(crate) fn begin_while(&mut self, inits: &[Val]) -> (Vec<Val>, Vec<Val>) {
        let results = self.fresh_like(inits);
        let before = self.fresh_like(inits);
        let head = format!("{}scf.while{}", assignment(&results), carried(" ", &before, inits));
        self.open(format_args!("{head} : ({0}) -> ({0})", types(inits)));
        (results, before)
    }

    /// Ends the condition, begins the body: the values the body gets.
    pub(crate) fn begin_do(&mut self, go: Val, vals: &[Val]) -> Vec<Val> {
        match vals.is_empty() {
            true => self.stmt(format_args!("scf.condition({go})")),
            false => self.stmt(format_args!("scf.condition({go}) {} : {}", List(vals), types(vals))),
        }
        self.middle("} do {");
        let after = self.fresh_like(vals);
        self.block_args(&after);
        after
    }

    /// `func.call`.
    pub fn call(&mut self, name: &str, args: &[Val], results: &[Ty]) -> Vec<Val> {
        let text =
            format!("func.call @{name}({}) : ({}) -> ({})", List(args), types(args), Types(results.iter().copied()));
        self.ops(results, text)
    }

    fn fresh_like(&mut self, vals: &[Val]) -> Vec<Val> {
        vals.iter().map(|v| self.fresh(v.ty)).collect()
    }

    fn block_args(&mut self, args: &[Val]) {
        if args.is_empty() {
            return;
        }
        let list: Vec<String> = args.iter().map(|a| format!("{a}: {}", a.ty)).collect();
        self.middle(format_args!("^bb0({}):", list.join(", ")));
    }

    fn yield_like(&mut self, like: &[Val], vals: &[Val]) {
        debug_assert!(like.iter().map(|v| v.ty).eq(vals.iter().map(|v| v.ty)), "types of a yield");
        if !vals.is_empty() {
            self.terminator("scf.yield", vals);
        }
    }

    fn terminator(&mut self, name: &str, vals: &[Val]) {
        match vals {
            [] => self.stmt(name),
            _ => self.stmt(format_args!("{name} {} : {}", List(vals), types(vals))),
        }
    }
}

fn types(vals: &[Val]) -> String {
    Types(vals.iter().map(|v| v.ty)).to_string()
}

fn assignment(results: &[Val]) -> String {
    match results {
        [] => String::new(),
        _ => format!("{} = ", List(results)),
    }
}

fn carried(keyword: &str, args: &[Val], inits: &[Val]) -> String {
    if inits.is_empty() && keyword == " " {
        return String::new();
    }
    let list: Vec<String> = args.iter().zip(inits).map(|(a, i)| format!("{a} = {i}")).collect();
    format!("{keyword}({})", list.join(", "))
}

//! Graphs for every operator that has a linalg form, with what their inputs are drawn from.

/// A graph and its inputs.
pub(crate) struct Case {
    /// Family and idea.
    pub(crate) name: &'static str,
    /// The graph's text.
    pub(crate) graph: &'static str,
    /// Values of symbols.
    pub(crate) sizes: &'static [(&'static str, i64)],
    /// Floats are drawn from here.
    pub(crate) range: (f64, f64),
    /// Whether there are zeros, infinities and NaN among them.
    pub(crate) odd: bool,
    /// Integers are at least the negative of this and below it; unlimited, the type's extremes are among them.
    pub(crate) most: i128,
    /// Units in the last place that results may differ by ...
    pub(crate) slack: f64,
    /// ... of the result, or of this if it is smaller: what sums cancel from.
    pub(crate) scale: f64,
}

const PLAIN: Case = Case {
    name: "",
    graph: "",
    sizes: &[("N", 5), ("M", 7)],
    range: (-4.0, 4.0),
    odd: false,
    most: i128::MAX,
    slack: 4.0,
    scale: 0.0,
};

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "float: signs, roundings, comparisons",
        odd: true,
        graph: "graph @g(%x: f32[N,4], %y: f32[N,4]) {
  %a = neg %x
  %b = abs %x
  %c = sign %x
  %d = floor %x
  %e = ceil %x
  %f = round %x
  %g = trunc %x
  %h = isnan %x
  %eq = eq %x, %y
  %ne = ne %x, %y
  %lt = lt %x, %y
  %le = le %x, %y
  %gt = gt %x, %y
  %ge = ge %x, %y
  %s = select %lt, %x, %y
  return %a, %b, %c, %d, %e, %f, %g, %h, %eq, %ne, %lt, %le, %gt, %ge, %s
}",
        ..PLAIN
    },
    Case {
        name: "float: arithmetic",
        odd: true,
        graph: "graph @g(%x: f32[N,4], %y: f32[N,4]) {
  %a = add %x, %y
  %b = sub %x, %y
  %c = mul %x, %y
  %d = div %x, %y
  %e = max %x, %y
  %f = min %x, %y
  %g = mod %x, %y
  %h = rem %x, %y
  %i = atan2 %x, %y
  return %a, %b, %c, %d, %e, %f, %g, %h, %i
}",
        ..PLAIN
    },
    Case {
        name: "float: functions",
        odd: true,
        graph: "graph @g(%x: f32[N,24]) {
  %a = exp %x
  %b = expm1 %x
  %c = sin %x
  %d = cos %x
  %e = tan %x
  %f = atan %x
  %g = sinh %x
  %h = cosh %x
  %i = tanh %x
  %j = asinh %x
  %k = erf %x
  %l = sigmoid %x
  %m = sqrt %x
  %n = log %x
  return %a, %b, %c, %d, %e, %f, %g, %h, %i, %j, %k, %l, %m, %n
}",
        ..PLAIN
    },
    Case {
        name: "float: functions with narrow domains",
        range: (-1.5, 2.0),
        odd: true,
        graph: "graph @g(%x: f32[N,24]) {
  %a = asin %x
  %b = acos %x
  %c = acosh %x
  %d = atanh %x
  %e = log1p %x
  return %a, %b, %c, %d, %e
}",
        ..PLAIN
    },
    Case {
        name: "float: power",
        range: (0.1, 3.0),
        graph: "graph @g(%x: f32[N,24], %y: f32[N,24]) { %a = pow %x, %y return %a }",
        ..PLAIN
    },
    Case {
        name: "float: double",
        graph: "graph @g(%x: f64[N,24], %y: f64[N,24]) {
  %a = exp %x
  %b = mul %a, %y
  %c = tanh %b
  %d = erf %y
  return %b, %c, %d
}",
        ..PLAIN
    },
    Case {
        name: "half: f16",
        odd: true,
        slack: 2.0,
        graph: "graph @g(%x: f16[N,4], %y: f16[N,4]) {
  %a = add %x, %y
  %b = mul %x, %y
  %c = div %x, %y
  %d = max %x, %y
  %e = exp %x
  %f = tanh %x
  %g = lt %x, %y
  %h = abs %x
  %i = round %x
  return %a, %b, %c, %d, %e, %f, %g, %h, %i
}",
        ..PLAIN
    },
    Case {
        name: "half: bf16",
        odd: true,
        slack: 2.0,
        graph: "graph @g(%x: bf16[N,4], %y: bf16[N,4]) {
  %a = add %x, %y
  %b = mul %x, %y
  %c = div %x, %y
  %d = max %x, %y
  %e = exp %x
  %f = tanh %x
  %g = lt %x, %y
  return %a, %b, %c, %d, %e, %f, %g
}",
        ..PLAIN
    },
    Case {
        name: "int: i32",
        graph: "graph @g(%x: i32[N,40], %y: i32[N,40]) {
  %a = add %x, %y
  %b = sub %x, %y
  %c = mul %x, %y
  %d = div %x, %y
  %e = max %x, %y
  %f = min %x, %y
  %g = mod %x, %y
  %h = rem %x, %y
  %i = and %x, %y
  %j = or %x, %y
  %k = xor %x, %y
  %l = shl %x, %y
  %m = shr %x, %y
  %n = pow %x, %y
  %o = neg %x
  %p = abs %x
  %q = sign %x
  %r = not %x
  %lt = lt %x, %y
  %ge = ge %x, %y
  return %a, %b, %c, %d, %e, %f, %g, %h, %i, %j, %k, %l, %m, %n, %o, %p, %q, %r, %lt, %ge
}",
        ..PLAIN
    },
    Case {
        name: "int: u8",
        graph: "graph @g(%x: u8[N,40], %y: u8[N,40]) {
  %a = add %x, %y
  %b = sub %x, %y
  %c = mul %x, %y
  %d = div %x, %y
  %e = max %x, %y
  %f = min %x, %y
  %g = mod %x, %y
  %h = rem %x, %y
  %l = shl %x, %y
  %m = shr %x, %y
  %n = pow %x, %y
  %q = sign %x
  %lt = lt %x, %y
  %ge = ge %x, %y
  return %a, %b, %c, %d, %e, %f, %g, %h, %l, %m, %n, %q, %lt, %ge
}",
        ..PLAIN
    },
    Case {
        name: "int: i64",
        graph: "graph @g(%x: i64[N,40], %y: i64[N,40]) {
  %d = div %x, %y
  %g = mod %x, %y
  %h = rem %x, %y
  %m = shr %x, %y
  %n = pow %x, %y
  %p = abs %x
  return %d, %g, %h, %m, %n, %p
}",
        ..PLAIN
    },
    Case {
        name: "int: truth values",
        graph: "graph @g(%x: bool[N,8], %y: bool[N,8]) {
  %a = and %x, %y
  %b = or %x, %y
  %c = xor %x, %y
  %d = max %x, %y
  %e = min %x, %y
  %f = not %x
  %g = eq %x, %y
  %s = select %x, %y, %f
  return %a, %b, %c, %d, %e, %f, %g, %s
}",
        ..PLAIN
    },
    Case {
        name: "cast: from floats",
        range: (-300.0, 300.0),
        odd: true,
        graph: "graph @g(%x: f32[N,16]) {
  %big = constant {value = f32[] [1.0e17]}
  %far = broadcast %big {shape = [N, 16]}
  %y = mul %x, %far
  %a = cast %x {to = i8, saturate = true}
  %b = cast %x {to = u8, saturate = true}
  %c = cast %x {to = i32, saturate = true}
  %d = cast %y {to = i64, saturate = true}
  %e = cast %y {to = u64, saturate = true}
  %f = cast %x {to = bool, saturate = true}
  %g = cast %x {to = f16, saturate = true}
  %h = cast %x {to = bf16, saturate = true}
  %i = cast %x {to = f64, saturate = true}
  %j = cast %y {to = u16, saturate = true}
  return %a, %b, %c, %d, %e, %f, %g, %h, %i, %j
}",
        ..PLAIN
    },
    Case {
        name: "cast: from integers",
        graph: "graph @g(%x: i64[N,16], %u: u8[N,16], %b: bool[N,16]) {
  %c = cast %x {to = i8, saturate = true}
  %d = cast %x {to = u32, saturate = true}
  %e = cast %x {to = f32, saturate = true}
  %f = cast %x {to = bool, saturate = true}
  %g = cast %u {to = i32, saturate = true}
  %h = cast %u {to = f32, saturate = true}
  %i = cast %u {to = f16, saturate = true}
  %j = cast %u {to = bf16, saturate = true}
  %k = cast %b {to = f32, saturate = true}
  %l = cast %b {to = i64, saturate = true}
  %m = bitcast %e {to = i32}
  return %c, %d, %e, %f, %g, %h, %i, %j, %k, %l, %m
}",
        ..PLAIN
    },
    Case {
        name: "constant: and counts, and sizes as data",
        graph: "graph @g(%x: f32[N,M]) {
  %a = constant {value = f32[3] [1.0, -2.5, inf]}
  %b = constant {value = u8[2,2] [200, 1, 0, 255]}
  %c = constant {value = bool[3] [true, false, true]}
  %d = iota {dtype = i64, shape = [N, 4], axis = 0}
  %e = iota {dtype = f32, shape = [3, M], axis = 1}
  %f = dims {values = [N, 2*M+N, floordiv(N+3,2), mod(N,3), min(N,M), max(N,M), select(N,5,M,0)]}
  return %a, %b, %c, %d, %e, %f
}",
        ..PLAIN
    },
    Case {
        name: "constant: a size from data",
        graph: "graph @g(%n_K: i64[1], %x: f32[4]) {
  bind %n_K {symbols = [K]}
  %many = broadcast %x {shape = [K, 4]}
  %y = reduce %many {kind = sum, axes = [0]}
  return %y
}",
        sizes: &[("K", 6)],
        ..PLAIN
    },
    Case {
        name: "view: transpose, reshape, broadcast",
        graph: "graph @g(%x: f32[N,4,M], %r: f32[1,4,1], %s: f32[], %v: f32[4,1]) {
  %a = transpose %x {perm = [2, 0, 1]}
  %b = reshape %x {shape = [N, 4*M]}
  %c = reshape %x {shape = [4*N*M]}
  %d = reshape %x {shape = [N, 2, 2, M]}
  %e = reshape %b {shape = [2, N, 2*M]}
  %f = broadcast %r {shape = [N, 4, M]}
  %g = broadcast %s {shape = [2, M]}
  %h = broadcast %v {shape = [N, 4, M]}
  %i = reshape %r {shape = [4]}
  %j = reshape %s {shape = [1, 1]}
  %k = reshape %j {shape = []}
  return %a, %b, %c, %d, %e, %f, %g, %h, %i, %j, %k
}",
        ..PLAIN
    },
    Case {
        name: "view: slices and concatenation",
        graph: "graph @g(%x: f32[N,8], %y: f32[N,M]) {
  %a = slice %x {starts = [1, 2], sizes = [N-1, 3], steps = [1, 2]}
  %b = slice %x {starts = [N-1, 7], sizes = [N, 4], steps = [-1, -2]}
  %c = concat %x, %y, %x {axis = 1}
  %d = concat %y, %y {axis = 0}
  return %a, %b, %c, %d
}",
        ..PLAIN
    },
    Case {
        name: "pad: all modes",
        graph: "graph @g(%x: f32[N,6], %v: f32[]) {
  %a = pad %x, %v {low = [1, 0], high = [0, N], mode = constant}
  %b = pad %x, %v {low = [2, 3], high = [1, 4], mode = reflect}
  %c = pad %x, %v {low = [2, 3], high = [1, 4], mode = edge}
  %d = pad %x, %v {low = [2, 3], high = [1, 4], mode = wrap}
  return %a, %b, %c, %d
}",
        ..PLAIN
    },
    Case {
        name: "gather: by axis, by element, by tuple",
        most: 3,
        graph: "graph @g(%x: f32[4,N,M], %i: i64[2,3], %j: i32[4,2,M], %k: i64[3,2], %l: i64[4,1]) {
  %a = gather %x, %i {axis = 1}
  %b = gather-elements %x, %j {axis = 1}
  %c = gather-nd %x, %k {batch_dims = 0}
  %d = gather-nd %x, %l {batch_dims = 1}
  return %a, %b, %c, %d
}",
        ..PLAIN
    },
    Case {
        name: "reduce: floats",
        odd: true,
        slack: 16.0,
        scale: 8.0,
        graph: "graph @g(%x: f32[N,4,M]) {
  %a = reduce %x {kind = sum, axes = [2]}
  %b = reduce %x {kind = prod, axes = [1]}
  %c = reduce %x {kind = max, axes = [0, 2]}
  %d = reduce %x {kind = min, axes = [0, 1, 2]}
  %e = arg-reduce %x {kind = max, axis = 2, last = false}
  %f = arg-reduce %x {kind = min, axis = 1, last = true}
  return %a, %b, %c, %d, %e, %f
}",
        ..PLAIN
    },
    Case {
        name: "reduce: integers, truth values, halves",
        slack: 2.0,
        scale: 4.0,
        graph: "graph @g(%x: i32[N,4], %y: u8[N,4], %z: bool[N,4], %h: f16[N,4]) {
  %a = reduce %x {kind = sum, axes = [1]}
  %b = reduce %x {kind = max, axes = [0]}
  %c = reduce %y {kind = max, axes = [1]}
  %d = reduce %y {kind = min, axes = [1]}
  %e = reduce %z {kind = max, axes = [1]}
  %f = reduce %z {kind = min, axes = [1]}
  %g = reduce %h {kind = sum, axes = [1]}
  %i = arg-reduce %y {kind = max, axis = 1, last = true}
  return %a, %b, %c, %d, %e, %f, %g, %i
}",
        ..PLAIN
    },
    Case {
        name: "reduce: nothing",
        sizes: &[("N", 0)],
        graph: "graph @g(%x: f32[N,4]) {
  %a = reduce %x {kind = sum, axes = [0]}
  %b = reduce %x {kind = max, axes = [0]}
  return %a, %b
}",
        ..PLAIN
    },
    Case {
        name: "dot: matrices, batches, transposed",
        slack: 16.0,
        scale: 16.0,
        graph: "graph @g(%x: f32[N,3,8], %y: f32[N,8,M], %z: f32[M,8]) {
  %a = dot %x, %y {lhs_batch = [0], rhs_batch = [0], lhs_contract = [2], rhs_contract = [1], out = f32}
  %b = dot %x, %z {lhs_batch = [], rhs_batch = [], lhs_contract = [2], rhs_contract = [1], out = f32}
  %c = dot %x, %x {lhs_batch = [1], rhs_batch = [1], lhs_contract = [0, 2], rhs_contract = [0, 2], out = f32}
  return %a, %b, %c
}",
        ..PLAIN
    },
    Case {
        name: "dot: integers and halves",
        slack: 2.0,
        scale: 16.0,
        graph: "graph @g(%x: i8[N,8], %y: u8[8,M], %h: f16[N,8], %k: f16[8,M]) {
  %a = dot %x, %y {lhs_batch = [], rhs_batch = [], lhs_contract = [1], rhs_contract = [0], out = i32}
  %b = dot %h, %k {lhs_batch = [], rhs_batch = [], lhs_contract = [1], rhs_contract = [0], out = f16}
  return %a, %b
}",
        ..PLAIN
    },
    Case {
        name: "conv: one to three axes",
        slack: 32.0,
        scale: 16.0,
        graph: "graph @g(%x: f32[2,4,N], %w: f32[6,4,3], %y: f32[1,4,9,M], %v: f32[6,2,3,3], %z: f32[1,2,5,5,5], %u: f32[3,2,2,2,2]) {
  %a = conv %x, %w {strides = [1], pads_low = [1], pads_high = [1], dilations = [1], base_dilations = [1], groups = 1, out = f32}
  %b = conv %y, %v {strides = [2, 1], pads_low = [1, 2], pads_high = [0, 2], dilations = [1, 2], base_dilations = [1, 1], groups = 2, out = f32}
  %c = conv %z, %u {strides = [2, 1, 1], pads_low = [0, 0, -1], pads_high = [1, 0, 0], dilations = [1, 1, 1], base_dilations = [1, 1, 1], groups = 1, out = f32}
  %d = conv %x, %w {strides = [1], pads_low = [2], pads_high = [3], dilations = [1], base_dilations = [2], groups = 1, out = f32}
  return %a, %b, %c, %d
}",
        ..PLAIN
    },
    Case {
        name: "pool: sums and maxima",
        odd: true,
        slack: 8.0,
        scale: 8.0,
        graph: "graph @g(%x: f32[1,3,N,9], %i: i32[2,3,8]) {
  %a = pool %x {kind = max, window = [2, 2], strides = [2, 2], pads_low = [0, 1], pads_high = [1, 0], dilations = [1, 1]}
  %b = pool %x {kind = sum, window = [3, 2], strides = [1, 2], pads_low = [1, 0], pads_high = [1, 2], dilations = [1, 2]}
  %c = pool %i {kind = max, window = [3], strides = [2], pads_low = [1], pads_high = [1], dilations = [1]}
  return %a, %b, %c
}",
        ..PLAIN
    },
    Case {
        name: "graph: softmax",
        slack: 16.0,
        graph: "graph @g(%x: f32[N,M]) {
  %m = reduce %x {kind = max, axes = [1]}
  %k = reshape %m {shape = [N, 1]}
  %b = broadcast %k {shape = [N, M]}
  %d = sub %x, %b
  %e = exp %d
  %s = reduce %e {kind = sum, axes = [1]}
  %t = reshape %s {shape = [N, 1]}
  %u = broadcast %t {shape = [N, M]}
  %y = div %e, %u
  return %y
}",
        ..PLAIN
    },
    Case {
        name: "graph: an input and a constant that are results",
        graph: "graph @g(%x: f32[N,4]) {
  %c = constant {value = f32[2] [1.0, 2.0]}
  %y = neg %x
  return %x, %y, %c, %y
}",
        ..PLAIN
    },
];

//! One step of `RNN`, `GRU` and `LSTM`, and their activation functions.

use super::kit::*;
use super::quantize::QuantizedWeights;

/// An activation function with its numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Activation {
    Relu,
    Tanh,
    Sigmoid,
    Affine(f64, f64),
    LeakyRelu(f64),
    ThresholdedRelu(f64),
    ScaledTanh(f64, f64),
    HardSigmoid(f64, f64),
    Elu(f64),
    Softsign,
    Softplus,
}

impl Activation {
    /// The function of a name; it takes its numbers from the front of the lists.
    fn read(
        name: &str,
        alphas: &mut impl Iterator<Item = f64>,
        betas: &mut impl Iterator<Item = f64>,
    ) -> Result<Activation, ImportError> {
        use Activation::*;
        let mut alpha = |default: f64| alphas.next().unwrap_or(default);
        let mut beta = |default: f64| betas.next().unwrap_or(default);
        Ok(match name.to_ascii_lowercase().as_str() {
            "relu" => Relu,
            "tanh" => Tanh,
            "sigmoid" => Sigmoid,
            "affine" => Affine(alpha(1.0), beta(0.0)),
            "leakyrelu" => LeakyRelu(alpha(f64::from(0.01f32))),
            "thresholdedrelu" => ThresholdedRelu(alpha(1.0)),
            "scaledtanh" => ScaledTanh(alpha(1.0), beta(1.0)),
            "hardsigmoid" => HardSigmoid(alpha(f64::from(0.2f32)), beta(0.5)),
            "elu" => Elu(alpha(1.0)),
            "softsign" => Softsign,
            "softplus" => Softplus,
            _ => return bad(format!("activation {name}")),
        })
    }

    fn apply(self, b: &mut Builder, x: ValueId) -> One {
        use Activation::*;
        match self {
            Relu => with_num(b, BinaryKind::Max, x, 0.0),
            Tanh => Ok(b.unary(UnaryKind::Tanh, x)?),
            Sigmoid => Ok(b.unary(UnaryKind::Sigmoid, x)?),
            Affine(alpha, beta) => {
                let scaled = mul_num(b, x, alpha)?;
                add_num(b, scaled, beta)
            }
            LeakyRelu(alpha) => {
                let negative = compare_num(b, CompareKind::Lt, x, 0.0)?;
                let scaled = mul_num(b, x, alpha)?;
                Ok(b.select(negative, scaled, x)?)
            }
            ThresholdedRelu(alpha) => {
                let above = compare_num(b, CompareKind::Gt, x, alpha)?;
                let zero = num(b, x, 0.0)?;
                Ok(b.select(above, x, zero)?)
            }
            ScaledTanh(alpha, beta) => {
                let scaled = mul_num(b, x, beta)?;
                let tanh = b.unary(UnaryKind::Tanh, scaled)?;
                mul_num(b, tanh, alpha)
            }
            HardSigmoid(alpha, beta) => {
                let scaled = mul_num(b, x, alpha)?;
                let shifted = add_num(b, scaled, beta)?;
                clamp(b, shifted, 0.0, 1.0)
            }
            Elu(alpha) => {
                let negative = compare_num(b, CompareKind::Lt, x, 0.0)?;
                let exp = b.unary(UnaryKind::Expm1, x)?;
                let scaled = mul_num(b, exp, alpha)?;
                Ok(b.select(negative, scaled, x)?)
            }
            Softsign => {
                let size = b.unary(UnaryKind::Abs, x)?;
                let divisor = add_num(b, size, 1.0)?;
                Ok(b.div(x, divisor)?)
            }
            Softplus => {
                // ln(1 + e^x) = max(x, 0) + ln(1 + e^-|x|), which cannot overflow.
                let size = b.unary(UnaryKind::Abs, x)?;
                let negated = b.unary(UnaryKind::Neg, size)?;
                let exp = b.unary(UnaryKind::Exp, negated)?;
                let log = b.unary(UnaryKind::Log1p, exp)?;
                let positive = with_num(b, BinaryKind::Max, x, 0.0)?;
                Ok(b.add(positive, log)?)
            }
        }
    }
}

/// Which recurrence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Rnn,
    Gru,
    Lstm,
}

impl Kind {
    /// How many blocks of `hidden` rows the weights have.
    pub(super) fn gates(self) -> usize {
        match self {
            Kind::Rnn => 1,
            Kind::Gru => 3,
            Kind::Lstm => 4,
        }
    }

    /// The activation functions of one direction where the model names none.
    fn defaults(self) -> &'static [&'static str] {
        match self {
            Kind::Rnn => &["Tanh"],
            Kind::Gru => &["Sigmoid", "Tanh"],
            Kind::Lstm => &["Sigmoid", "Tanh", "Tanh"],
        }
    }
}

/// What one direction's steps have in common.
#[derive(Clone, Debug)]
pub(super) struct Cell {
    pub kind: Kind,
    activations: Vec<Activation>,
    clip: Option<f64>,
    input_forget: bool,
    pub linear_before_reset: bool,
}

/// Weights of a product, as values of the graph in which it is built.
#[derive(Clone, Copy, Debug)]
pub(super) enum Weights {
    /// `[gates * hidden, k]`.
    Plain(ValueId),
    /// `[k, gates * hidden]` of integers.
    Quantized(QuantizedWeights),
}

impl Weights {
    /// `x[.., k] * weights`.
    pub(super) fn product(self, b: &mut Builder, x: ValueId) -> One {
        match self {
            Weights::Plain(weights) => {
                let (last, out) = (b.rank(x) - 1, b.dtype(x));
                dot(b, (x, &[], &[last]), (weights, &[], &[1]), out)
            }
            Weights::Quantized(weights) => weights.product(b, x),
        }
    }

    /// The values that they consist of.
    pub(super) fn values(self) -> Vec<ValueId> {
        match self {
            Weights::Plain(weights) => vec![weights],
            Weights::Quantized(all) => vec![all.weights, all.scale, all.zero],
        }
    }

    /// The same weights from these values, which stand for them inside of a loop.
    pub(super) fn replaced(self, mut next: impl FnMut() -> One) -> Result<Weights, ImportError> {
        Ok(match self {
            Weights::Plain(_) => Weights::Plain(next()?),
            Weights::Quantized(_) => {
                Weights::Quantized(QuantizedWeights { weights: next()?, scale: next()?, zero: next()? })
            }
        })
    }

    /// The same weights with a function applied to each of their values.
    pub(super) fn replaced_each(self, mut f: impl FnMut(ValueId) -> One) -> Result<Weights, ImportError> {
        let mut values = self.values().into_iter();
        self.replaced(|| match values.next() {
            Some(value) => f(value),
            None => bad("weights lost a value"),
        })
    }

    /// A range of the gates' rows of plain weights.
    fn rows(self, b: &mut Builder, start: Dim, size: Dim) -> Result<Weights, ImportError> {
        match self {
            Weights::Plain(weights) => Ok(Weights::Plain(slice_axis(b, weights, 0, start, size)?)),
            Weights::Quantized(_) => unsupported("quantized weights of this recurrence"),
        }
    }
}

/// The recurrent parameters of one direction, as values of the graph in which the step is built.
#[derive(Clone, Debug)]
pub(super) struct Params {
    /// For `[hidden]` to all gates.
    pub recurrent: Weights,
    /// The candidate's bias that `GRU` adds inside of the reset.
    pub inner_bias: Option<ValueId>,
    /// Peepholes of `LSTM`: `[3 * hidden]` for input, output, forget.
    pub peepholes: Option<ValueId>,
}

impl Cell {
    /// The cells of a node's directions.
    pub(super) fn read_all(cx: &Cx, kind: Kind, directions: usize) -> Result<Vec<Cell>, ImportError> {
        let defaults = kind.defaults();
        let names = match cx.attr_strings("activations")?.filter(|v| !v.is_empty()) {
            Some(names) => names,
            None => (0..directions).flat_map(|_| defaults.iter().map(|name| (*name).to_string())).collect(),
        };
        if names.len() != directions * defaults.len() {
            return bad(format!("activations {names:?} for {directions} directions"));
        }
        let mut alphas = cx.attr_floats("activation_alpha")?.unwrap_or_default().into_iter();
        let mut betas = cx.attr_floats("activation_beta")?.unwrap_or_default().into_iter();
        let all: Vec<Activation> =
            names.iter().map(|name| Activation::read(name, &mut alphas, &mut betas)).collect::<Result<_, _>>()?;
        let cell = |activations: &[Activation]| -> Result<Cell, ImportError> {
            Ok(Cell {
                kind,
                activations: activations.to_vec(),
                clip: cx.attr_f_opt("clip")?,
                input_forget: cx.attr_bool("input_forget", false)?,
                linear_before_reset: cx.attr_bool("linear_before_reset", false)?,
            })
        };
        all.chunks(defaults.len()).map(cell).collect()
    }

    fn activate(&self, b: &mut Builder, idx: usize, x: ValueId) -> One {
        let x = match self.clip {
            Some(limit) => clamp(b, x, -limit, limit)?,
            None => x,
        };
        self.activations[idx].apply(b, x)
    }

    /// The next states from the input's part of the gates and the present states.
    pub(super) fn step(
        &self,
        b: &mut Builder,
        params: &Params,
        input: ValueId,
        states: &[ValueId],
    ) -> Result<Vec<ValueId>, ImportError> {
        match (self.kind, states) {
            (Kind::Rnn, [h]) => {
                let recurrent = params.recurrent.product(b, *h)?;
                let sum = b.add(input, recurrent)?;
                Ok(vec![self.activate(b, 0, sum)?])
            }
            (Kind::Gru, [h]) => Ok(vec![self.gru(b, params, input, *h)?]),
            (Kind::Lstm, [h, c]) => self.lstm(b, params, input, *h, *c),
            _ => bad("a recurrence with a wrong number of states"),
        }
    }

    fn gru(&self, b: &mut Builder, params: &Params, input: ValueId, h: ValueId) -> One {
        let hidden = b.shape(h)[1].clone();
        let two = hidden.clone() * 2.into();
        let gates_in = slice_axis(b, input, 1, 0, two.clone())?;
        let candidate_in = slice_axis(b, input, 1, two.clone(), hidden.clone())?;
        let (gates, linear) = if self.linear_before_reset {
            let all = params.recurrent.product(b, h)?;
            let gates = slice_axis(b, all, 1, 0, two.clone())?;
            (gates, Some(slice_axis(b, all, 1, two.clone(), hidden.clone())?))
        } else {
            let rows = params.recurrent.rows(b, 0.into(), two.clone())?;
            (rows.product(b, h)?, None)
        };
        let gates = b.add(gates_in, gates)?;
        let update = slice_axis(b, gates, 1, 0, hidden.clone())?;
        let update = self.activate(b, 0, update)?;
        let reset = slice_axis(b, gates, 1, hidden.clone(), hidden.clone())?;
        let reset = self.activate(b, 0, reset)?;
        let inner = match linear {
            Some(linear) => {
                let linear = match params.inner_bias {
                    Some(bias) => b.add(linear, bias)?,
                    None => linear,
                };
                b.mul(reset, linear)?
            }
            None => {
                let kept = b.mul(reset, h)?;
                let rows = params.recurrent.rows(b, two, hidden)?;
                rows.product(b, kept)?
            }
        };
        let candidate = b.add(candidate_in, inner)?;
        let candidate = self.activate(b, 1, candidate)?;
        let rest = num_sub(b, 1.0, update)?;
        let fresh = b.mul(rest, candidate)?;
        let kept = b.mul(update, h)?;
        Ok(b.add(fresh, kept)?)
    }

    fn lstm(
        &self,
        b: &mut Builder,
        params: &Params,
        input: ValueId,
        h: ValueId,
        c: ValueId,
    ) -> Result<Vec<ValueId>, ImportError> {
        let recurrent = params.recurrent.product(b, h)?;
        let gates = b.add(input, recurrent)?;
        let parts = split_axis(b, gates, 1, 4)?;
        let [mut i, mut o, mut f, candidate] = parts[..] else {
            return bad("an LSTM without four gates");
        };
        let peepholes = match params.peepholes {
            Some(all) => split_axis(b, all, 0, 3)?,
            None => Vec::new(),
        };
        if let [for_input, _, for_forget] = peepholes[..] {
            i = peep(b, i, for_input, c)?;
            f = peep(b, f, for_forget, c)?;
        }
        i = self.activate(b, 0, i)?;
        f = if self.input_forget { num_sub(b, 1.0, i)? } else { self.activate(b, 0, f)? };
        let candidate = self.activate(b, 1, candidate)?;
        let kept = b.mul(f, c)?;
        let fresh = b.mul(i, candidate)?;
        let c = b.add(kept, fresh)?;
        if let [_, for_output, _] = peepholes[..] {
            o = peep(b, o, for_output, c)?;
        }
        o = self.activate(b, 0, o)?;
        // The cell itself is not clipped: the standard is not clear here, and this is what ONNX Runtime does.
        let out = self.activations[2].apply(b, c)?;
        Ok(vec![b.mul(o, out)?, c])
    }
}

/// `gate + weights * c`.
fn peep(b: &mut Builder, gate: ValueId, weights: ValueId, c: ValueId) -> One {
    let seen = b.mul(weights, c)?;
    Ok(b.add(gate, seen)?)
}

//! Optimizers of `ai.onnx.preview.training`.

use super::kit::*;

const DOMAIN: &str = "ai.onnx.preview.training";

pub(crate) const ROWS: &[Row] = &[
    Row::of(DOMAIN, "Adagrad", 1, adagrad),
    Row::of(DOMAIN, "Adam", 1, adam),
    Row::of(DOMAIN, "Momentum", 1, momentum),
];

/// Learning rate, step number, and groups of one tensor of each role.
struct Update {
    rate: ValueId,
    step: ValueId,
    groups: Vec<Vec<ValueId>>,
}

impl Update {
    fn read(cx: &mut Cx, inputs: Inputs, roles: usize) -> Result<Update, ImportError> {
        let n = inputs.len().saturating_sub(2) / roles;
        let mut groups = Vec::new();
        for idx in 0..n {
            let group: Result<Vec<ValueId>, ImportError> =
                (0..roles).map(|role| cx.input(inputs, 2 + role * n + idx)).collect();
            groups.push(group?);
        }
        let (rate, step) = (cx.input(inputs, 0)?, cx.input(inputs, 1)?);
        Ok(Update { rate: as_scalar(cx.b, rate)?, step: as_scalar(cx.b, step)?, groups })
    }
}

/// Results of all groups, role by role.
fn by_role(groups: Vec<Vec<ValueId>>) -> Vec<ValueId> {
    let roles = groups.first().map_or(0, Vec::len);
    (0..roles).flat_map(|role| groups.iter().map(move |group| group[role])).collect()
}

/// `gradient + coefficient * x`.
fn regularized(b: &mut Builder, x: ValueId, gradient: ValueId, coefficient: f64) -> One {
    if coefficient == 0.0 {
        return Ok(gradient);
    }
    let pull = mul_num(b, x, coefficient)?;
    Ok(b.add(pull, gradient)?)
}

/// `old * factor + new * (1 - factor)`.
fn blended(b: &mut Builder, old: ValueId, new: ValueId, factor: f64) -> One {
    let old = mul_num(b, old, factor)?;
    let new = mul_num(b, new, 1.0 - factor)?;
    Ok(b.add(old, new)?)
}

fn adagrad(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let update = Update::read(cx, inputs, 3)?;
    let decay = cx.attr_f("decay_factor", 0.0)?;
    let epsilon = cx.attr_f("epsilon", 0.0)?;
    let coefficient = cx.attr_f("norm_coefficient", 0.0)?;
    let b = &mut *cx.b;
    let mut results = Vec::new();
    for group in &update.groups {
        let [x, gradient, squares] = group[..] else {
            return bad("an operand is missing");
        };
        let dtype = b.dtype(x);
        let (rate, step) = (b.cast(update.rate, dtype)?, b.cast(update.step, dtype)?);
        let slowed = mul_num(b, step, decay)?;
        let slowed = add_num(b, slowed, 1.0)?;
        let rate = b.div(rate, slowed)?;
        let gradient = regularized(b, x, gradient, coefficient)?;
        let square = b.mul(gradient, gradient)?;
        let squares = b.add(squares, square)?;
        let root = b.unary(UnaryKind::Sqrt, squares)?;
        let root = add_num(b, root, epsilon)?;
        let change = b.mul(rate, gradient)?;
        let change = b.div(change, root)?;
        results.push(vec![b.sub(x, change)?, squares]);
    }
    Ok(by_role(results))
}

fn adam(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let update = Update::read(cx, inputs, 4)?;
    let alpha = cx.attr_f("alpha", f64::from(0.9f32))?;
    let beta = cx.attr_f("beta", f64::from(0.999f32))?;
    let epsilon = cx.attr_f("epsilon", f64::from(1e-6f32))?;
    let coefficient = cx.attr_f("norm_coefficient", 0.0)?;
    let after = cx.attr_f("norm_coefficient_post", 0.0)?;
    let b = &mut *cx.b;
    let mut results = Vec::new();
    for group in &update.groups {
        let [x, gradient, momentum, squares] = group[..] else {
            return bad("an operand is missing");
        };
        let dtype = b.dtype(x);
        let (rate, step) = (b.cast(update.rate, dtype)?, b.cast(update.step, dtype)?);
        let gradient = regularized(b, x, gradient, coefficient)?;
        let momentum = blended(b, momentum, gradient, alpha)?;
        let square = b.mul(gradient, gradient)?;
        let squares = blended(b, squares, square, beta)?;
        let root = b.unary(UnaryKind::Sqrt, squares)?;
        let root = add_num(b, root, epsilon)?;
        let rate = unbiased_rate(b, rate, step, alpha, beta)?;
        let change = b.div(momentum, root)?;
        let change = b.mul(rate, change)?;
        let x = b.sub(x, change)?;
        results.push(vec![mul_num(b, x, 1.0 - after)?, momentum, squares]);
    }
    Ok(by_role(results))
}

/// `rate * sqrt(1 - beta^t) / (1 - alpha^t)`, or the rate itself at step 0.
fn unbiased_rate(b: &mut Builder, rate: ValueId, step: ValueId, alpha: f64, beta: f64) -> One {
    let remaining = |b: &mut Builder, base: f64| -> One {
        let base = num(b, step, base)?;
        let power = b.binary(BinaryKind::Pow, base, step)?;
        num_sub(b, 1.0, power)
    };
    let of_squares = remaining(b, beta)?;
    let root = b.unary(UnaryKind::Sqrt, of_squares)?;
    let of_momentum = remaining(b, alpha)?;
    let adjusted = b.mul(rate, root)?;
    let adjusted = b.div(adjusted, of_momentum)?;
    let later = compare_num(b, CompareKind::Gt, step, 0.0)?;
    Ok(b.select(later, adjusted, rate)?)
}

fn momentum(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let update = Update::read(cx, inputs, 3)?;
    let alpha = cx.attr_f("alpha", 0.0)?;
    let beta = cx.attr_f("beta", 0.0)?;
    let coefficient = cx.attr_f("norm_coefficient", 0.0)?;
    let nesterov = cx.attr_s("mode", "standard")? == "nesterov";
    let b = &mut *cx.b;
    let mut results = Vec::new();
    for group in &update.groups {
        let [x, gradient, momentum] = group[..] else {
            return bad("an operand is missing");
        };
        let dtype = b.dtype(x);
        let (rate, step) = (b.cast(update.rate, dtype)?, b.cast(update.step, dtype)?);
        let gradient = regularized(b, x, gradient, coefficient)?;
        let later = compare_num(b, CompareKind::Gt, step, 0.0)?;
        let (beta, one) = (num(b, x, beta)?, num(b, x, 1.0)?);
        let beta = b.select(later, beta, one)?;
        let fresh = b.mul(beta, gradient)?;
        let kept = mul_num(b, momentum, alpha)?;
        let momentum = b.add(kept, fresh)?;
        let direction = if nesterov {
            let ahead = mul_num(b, momentum, alpha)?;
            b.add(gradient, ahead)?
        } else {
            momentum
        };
        let change = b.mul(rate, direction)?;
        results.push(vec![b.sub(x, change)?, momentum]);
    }
    Ok(by_role(results))
}

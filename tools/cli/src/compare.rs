//! Comparing tensors: within a tolerance, and how far apart they are.

use tensor::{DType, Scalar, Tensor};

/// `|a - b| <= atol + rtol * |b|`, for floating-point types; all others must be equal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Tolerance {
    pub(crate) rtol: f64,
    pub(crate) atol: f64,
}

/// How two tensors of one type and shape differ.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Difference {
    /// Elements outside the tolerance.
    pub(crate) wrong: usize,
    /// The first of them.
    pub(crate) first: usize,
    /// Largest absolute difference of finite elements.
    pub(crate) absolute: f64,
    /// Largest difference relative to the expected value.
    pub(crate) relative: f64,
    /// Largest distance in units in the last place, for floating-point types.
    pub(crate) ulp: Option<u64>,
}

/// How a tensor compares with the expected one.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Verdict {
    /// Within the tolerance.
    Equal,
    /// Another type or shape.
    Type(String),
    /// Outside the tolerance.
    Differs(Difference),
}

impl Tolerance {
    /// The same for whole models and operators of a type: ONNX's own runner allows two units in the last place of bfloat16.
    pub(crate) fn of_suite(self, dtype: DType) -> Tolerance {
        match dtype {
            DType::BF16 => Tolerance { rtol: self.rtol.max(1.0 / 64.0), ..self },
            _ => self,
        }
    }

    fn admits(self, got: Scalar, want: Scalar, is_float: bool) -> bool {
        if !is_float {
            return got == want;
        }
        let (a, b) = (got.as_f64(), want.as_f64());
        // Equality covers infinities; NaN equals NaN.
        a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= self.atol + self.rtol * b.abs()
    }
}

/// Compares a tensor with the expected one.
pub(crate) fn compare(got: &Tensor, want: &Tensor, tolerance: Tolerance) -> Verdict {
    if got.dtype() != want.dtype() || got.shape() != want.shape() {
        return Verdict::Type(format!("{}, not {}", got.ty(), want.ty()));
    }
    let dtype = want.dtype();
    let is_float = dtype.is_float();
    if got.bytes() == want.bytes() {
        return Verdict::Equal;
    }
    let mut difference = Difference { wrong: 0, first: 0, absolute: 0.0, relative: 0.0, ulp: is_float.then_some(0) };
    for (at, (a, b)) in got.iter().zip(want.iter()).enumerate() {
        if !tolerance.admits(a, b, is_float) {
            if difference.wrong == 0 {
                difference.first = at;
            }
            difference.wrong += 1;
        }
        difference.widen(a, b, dtype);
    }
    if difference.wrong == 0 { Verdict::Equal } else { Verdict::Differs(difference) }
}

impl Difference {
    fn widen(&mut self, got: Scalar, want: Scalar, dtype: DType) {
        let (a, b) = (got.as_f64(), want.as_f64());
        let absolute = (a - b).abs();
        if absolute.is_finite() {
            self.absolute = self.absolute.max(absolute);
            if b != 0.0 {
                self.relative = self.relative.max(absolute / b.abs());
            }
        }
        if let (Some(ulp), Some(distance)) = (&mut self.ulp, ulp_distance(got, want, dtype)) {
            *ulp = (*ulp).max(distance);
        }
    }

    /// A few words on the difference of two tensors.
    pub(crate) fn describe(&self, got: &Tensor, want: &Tensor) -> String {
        let ulp = self.ulp.map_or(String::new(), |ulp| format!(", {ulp} ULP"));
        format!(
            "{} of {} elements differ, at most by {:.3e} absolute, {:.3e} relative{ulp}; first at {}: {}, not {}",
            self.wrong,
            want.len(),
            self.absolute,
            self.relative,
            position(self.first, want.shape()),
            number(got.get(self.first)),
            number(want.get(self.first)),
        )
    }
}

fn number(value: Scalar) -> String {
    match value {
        Scalar::Int(v) => v.to_string(),
        Scalar::Float(v) => format!("{v:?}"),
        Scalar::Bool(v) => v.to_string(),
    }
}

/// `[1, 0, 3]` for a flat index.
pub(crate) fn position(mut flat: usize, shape: &[usize]) -> String {
    let mut index: Vec<String> = vec![];
    for extent in shape.iter().rev() {
        index.push((flat % extent.max(&1)).to_string());
        flat /= extent.max(&1);
    }
    index.reverse();
    format!("[{}]", index.join(", "))
}

/// How many values of the type lie between two finite ones; `None` for NaN, infinities and types without bits of their own.
fn ulp_distance(a: Scalar, b: Scalar, dtype: DType) -> Option<u64> {
    let (x, y) = (a.as_f64(), b.as_f64());
    if !x.is_finite() || !y.is_finite() || !dtype.is_float() {
        return None;
    }
    Some(ordered(a, dtype).abs_diff(ordered(b, dtype)))
}

/// The bits of a floating-point value as a number that grows with the value.
fn ordered(value: Scalar, dtype: DType) -> i64 {
    let mut bytes = [0u8; 8];
    value.store(dtype, &mut bytes[..dtype.size()]);
    let bits = u64::from_le_bytes(bytes);
    let sign = 1u64 << (dtype.bits() - 1);
    let magnitude = (bits & (sign - 1)) as i64;
    if bits & sign == 0 { magnitude } else { -magnitude }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STRICT: Tolerance = Tolerance { rtol: 0.0, atol: 0.0 };

    fn floats(values: &[f32]) -> Tensor {
        Tensor::from_vec(vec![values.len()], values.to_vec())
    }

    fn differs(got: &Tensor, want: &Tensor, tolerance: Tolerance) -> Difference {
        match compare(got, want, tolerance) {
            Verdict::Differs(difference) => difference,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn special_values() {
        let all = floats(&[f32::NAN, f32::INFINITY, -0.0]);
        assert_eq!(compare(&all, &floats(&[-f32::NAN, f32::INFINITY, 0.0]), STRICT), Verdict::Equal);
        let difference = differs(&floats(&[1.0, f32::NAN]), &floats(&[1.0, 2.0]), Tolerance { rtol: 1.0, atol: 1.0 });
        assert_eq!((difference.wrong, difference.first), (1, 1));
        assert_eq!(differs(&floats(&[f32::INFINITY]), &floats(&[f32::NEG_INFINITY]), STRICT).wrong, 1);
    }

    #[test]
    fn tolerance_is_relative_to_the_expected_value() {
        let tolerance = Tolerance { rtol: 1e-3, atol: 1e-4 };
        assert_eq!(compare(&floats(&[1000.9]), &floats(&[1000.0]), tolerance), Verdict::Equal);
        let difference = differs(&floats(&[1001.2]), &floats(&[1000.0]), tolerance);
        assert!((difference.relative - 1.2e-3).abs() < 1e-5, "{difference:?}");
    }

    #[test]
    fn units_in_the_last_place() {
        let next = f32::from_bits(1.0f32.to_bits() + 3);
        assert_eq!(differs(&floats(&[next]), &floats(&[1.0]), STRICT).ulp, Some(3));
        let tiny = f32::from_bits(2);
        assert_eq!(differs(&floats(&[tiny]), &floats(&[-tiny]), STRICT).ulp, Some(4));
        let half = |v: f64| Tensor::scalar(DType::F16, Scalar::Float(v));
        assert_eq!(differs(&half(1.0), &half(1.0 + 1.0 / 1024.0), STRICT).ulp, Some(1));
    }

    #[test]
    fn integers_and_types() {
        let ints = |values: &[i64]| Tensor::from_vec(vec![1, values.len()], values.to_vec());
        let difference = differs(&ints(&[1, 5]), &ints(&[1, 4]), Tolerance { rtol: 9.0, atol: 9.0 });
        assert_eq!(difference.ulp, None);
        assert!(difference.describe(&ints(&[1, 5]), &ints(&[1, 4])).contains("first at [0, 1]: 5, not 4"));
        assert!(matches!(compare(&ints(&[1]), &floats(&[1.0]), STRICT), Verdict::Type(_)));
    }
}

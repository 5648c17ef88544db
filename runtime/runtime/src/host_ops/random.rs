//! Random tensors: the same seed gives the same numbers on every machine.

use super::Wanted;
use tensor::{Scalar, Tensor};

/// SplitMix64, by Sebastiano Vigna (public domain): one addition and a mix for each number.
struct Generator(u64);

impl Generator {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in `[0, 1)`, with 53 bits.
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}

pub(super) fn uniform(seed: u64, low: f32, high: f32, wanted: &Wanted) -> Tensor {
    let mut generator = Generator(seed);
    let (low, high) = (f64::from(low), f64::from(high));
    Tensor::build(wanted.dtype, wanted.shape.clone(), |_| Scalar::Float(low + (high - low) * generator.unit()))
}

/// By Box and Muller; each pair of uniform numbers gives one normal, so that every element has its own pair.
pub(super) fn normal(seed: u64, mean: f32, scale: f32, wanted: &Wanted) -> Tensor {
    let mut generator = Generator(seed);
    Tensor::build(wanted.dtype, wanted.shape.clone(), |_| {
        let radius = (-2.0 * (1.0 - generator.unit()).ln()).sqrt();
        let angle = std::f64::consts::TAU * generator.unit();
        Scalar::Float(f64::from(mean) + f64::from(scale) * radius * angle.cos())
    })
}

pub(super) fn bernoulli(seed: u64, probabilities: &Tensor, wanted: &Wanted) -> Result<Tensor, String> {
    if probabilities.shape() != wanted.shape {
        return Err(format!("probabilities {:?} for an output {:?}", probabilities.shape(), wanted.shape));
    }
    let mut generator = Generator(seed);
    Ok(Tensor::build(wanted.dtype, wanted.shape.clone(), |at| {
        Scalar::Int((generator.unit() < probabilities.get(at).as_f64()).into())
    }))
}

pub(super) fn multinomial(seed: u64, log_weights: &Tensor, wanted: &Wanted) -> Result<Tensor, String> {
    let ([batch, classes], [rows, samples]) = (log_weights.shape(), &wanted.shape[..]) else {
        return Err(format!("weights {:?} for an output {:?}", log_weights.shape(), wanted.shape));
    };
    if batch != rows || *classes == 0 {
        return Err(format!("weights {:?} for an output {:?}", log_weights.shape(), wanted.shape));
    }
    let mut generator = Generator(seed);
    let mut sums = vec![];
    Ok(Tensor::build(wanted.dtype, wanted.shape.clone(), |at| {
        if at % samples == 0 {
            sums = running_sums(log_weights, at / samples, *classes);
        }
        let aim = generator.unit() * sums[classes - 1];
        Scalar::Int(sums.partition_point(|sum| *sum <= aim).min(classes - 1) as i128)
    }))
}

/// Running sums of the unnormalised probabilities of one row.
fn running_sums(log_weights: &Tensor, row: usize, classes: usize) -> Vec<f64> {
    let logs: Vec<f64> = (0..classes).map(|class| log_weights.get(row * classes + class).as_f64()).collect();
    let top = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut sum = 0.0;
    logs.iter()
        .map(|log| {
            sum += (log - top).exp();
            sum
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tensor::DType;

    fn wanted(dtype: DType, shape: &[usize]) -> Wanted {
        Wanted { dtype, shape: shape.to_vec() }
    }

    #[test]
    fn distributions_have_their_moments() {
        let n = 20_000;
        let moments = |tensor: &Tensor| {
            let mean = tensor.iter().map(Scalar::as_f64).sum::<f64>() / n as f64;
            (mean, tensor.iter().map(|v| (v.as_f64() - mean).powi(2)).sum::<f64>() / n as f64)
        };
        let (mean, variance) = moments(&normal(1, 3.0, 2.0, &wanted(DType::F32, &[n])));
        assert!((mean - 3.0).abs() < 0.05 && (variance - 4.0).abs() < 0.15, "{mean} {variance}");
        let flat = uniform(2, -1.0, 1.0, &wanted(DType::F64, &[n]));
        let (mean, variance) = moments(&flat);
        assert!(mean.abs() < 0.02 && (variance - 1.0 / 3.0).abs() < 0.02, "{mean} {variance}");
        assert!(flat.iter().all(|v| (-1.0..1.0).contains(&v.as_f64())));
        assert_eq!(flat, uniform(2, -1.0, 1.0, &wanted(DType::F64, &[n])));
        assert_ne!(flat, uniform(3, -1.0, 1.0, &wanted(DType::F64, &[n])));
    }

    #[test]
    fn certain_events() {
        let p = Tensor::from_vec(vec![4], vec![0.0f32, 1.0, 0.0, 1.0]);
        assert_eq!(bernoulli(7, &p, &wanted(DType::I32, &[4])).unwrap().to_ints(), [0, 1, 0, 1]);
        assert!(bernoulli(7, &p, &wanted(DType::I32, &[5])).is_err());
        let logs =
            Tensor::from_vec(vec![2, 3], vec![0.0f32, f32::NEG_INFINITY, f32::NEG_INFINITY, -900.0, -1000.0, -100.0]);
        let drawn = multinomial(7, &logs, &wanted(DType::I64, &[2, 4])).unwrap();
        assert_eq!(drawn.to_ints(), [0, 0, 0, 0, 2, 2, 2, 2]);
        assert!(multinomial(7, &p, &wanted(DType::I64, &[2, 4])).is_err());
    }
}

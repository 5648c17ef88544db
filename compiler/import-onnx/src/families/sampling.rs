//! Reading an image at arbitrary places: what `GridSample`, `DeformConv` and `RoiAlign` have in common.

use super::kit::*;

/// An image with channels last, flattened over its places: `[batch, places, channels]`.
pub(super) struct Image {
    pub flat: ValueId,
    /// Sizes of the spatial axes.
    pub sizes: Vec<Dim>,
}

impl Image {
    /// From `[batch, channels, spatial..]`.
    pub(super) fn new(b: &mut Builder, x: ValueId) -> Result<Image, ImportError> {
        let shape = b.shape(x).to_vec();
        let rank = shape.len();
        let perm = std::iter::once(0).chain(2..rank).chain([1]).collect();
        let last = b.transpose(x, perm)?;
        let places = product(&shape[2..]);
        let flat = b.reshape(last, vec![shape[0].clone(), places, shape[1].clone()])?;
        Ok(Image { flat, sizes: shape[2..].to_vec() })
    }

    /// The elements at whole coordinates inside the image, each `i64[batch, points]`, as `[batch, points, channels]`.
    pub(super) fn at(&self, b: &mut Builder, coordinates: &[ValueId]) -> One {
        let mut index = None;
        for (coordinate, size) in coordinates.iter().zip(&self.sizes) {
            index = Some(match index {
                None => *coordinate,
                Some(index) => {
                    let size = dim_value(b, size, DType::I64)?;
                    let row = b.mul(index, size)?;
                    b.add(row, *coordinate)?
                }
            });
        }
        let Some(index) = index else {
            return bad("an image without spatial axes");
        };
        // Callers keep coordinates inside; NaN and rounding of large floats are kept inside here.
        let places = product(&self.sizes);
        let index = inside(b, index, &places)?;
        let index = unsqueeze(b, index, 2)?;
        Ok(b.emit(ops::GatherNd { batch_dims: 1 }, &[self.flat, index])?)
    }
}

/// One neighbour along one axis: its whole coordinate (a float), and its weight.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tap {
    pub place: ValueId,
    pub weight: ValueId,
}

/// Two neighbours with linear weights.
pub(super) fn linear_taps(b: &mut Builder, place: ValueId) -> Result<Vec<Tap>, ImportError> {
    let low = b.unary(UnaryKind::Floor, place)?;
    let ratio = b.sub(place, low)?;
    let high = add_num(b, low, 1.0)?;
    Ok(vec![Tap { place: low, weight: num_sub(b, 1.0, ratio)? }, Tap { place: high, weight: ratio }])
}

/// Four neighbours with the weights of a cubic convolution.
pub(super) fn cubic_taps(b: &mut Builder, place: ValueId, a: f64) -> Result<Vec<Tap>, ImportError> {
    let low = b.unary(UnaryKind::Floor, place)?;
    let ratio = b.sub(place, low)?;
    let rest = num_sub(b, 1.0, ratio)?;
    let mut polynomial = |x: ValueId, coefficients: [f64; 4]| -> One {
        let mut value = num(b, x, coefficients[0])?;
        for coefficient in &coefficients[1..] {
            value = b.mul(value, x)?;
            value = add_num(b, value, *coefficient)?;
        }
        Ok(value)
    };
    let near = [a + 2.0, -(a + 3.0), 0.0, 1.0];
    // a (x + 1)^3 - 5 a (x + 1)^2 + 8 a (x + 1) - 4 a in powers of x.
    let far = [a, -2.0 * a, a, 0.0];
    let weights = [polynomial(ratio, far)?, polynomial(ratio, near)?, polynomial(rest, near)?, polynomial(rest, far)?];
    let mut taps = Vec::new();
    for (idx, weight) in weights.into_iter().enumerate() {
        let place = add_num(b, low, idx as f64 - 1.0)?;
        taps.push(Tap { place, weight });
    }
    Ok(taps)
}

/// A tap whose weight is 0 outside the image, at a place inside.
pub(super) fn zero_outside(b: &mut Builder, tap: Tap, size: &Dim) -> Result<Tap, ImportError> {
    let dtype = b.dtype(tap.place);
    let last = dim_value(b, &(size.clone() - 1.into()), dtype)?;
    let before = compare_num(b, CompareKind::Lt, tap.place, 0.0)?;
    let behind = b.compare(CompareKind::Gt, tap.place, last)?;
    let outside = b.binary(BinaryKind::Or, before, behind)?;
    let zero = num(b, tap.weight, 0.0)?;
    let weight = b.select(outside, zero, tap.weight)?;
    Ok(Tap { place: inside(b, tap.place, size)?, weight })
}

/// A place limited to the image.
pub(super) fn inside(b: &mut Builder, place: ValueId, size: &Dim) -> One {
    let dtype = b.dtype(place);
    let last = dim_value(b, &(size.clone() - 1.into()), dtype)?;
    let place = with_num(b, BinaryKind::Max, place, 0.0)?;
    Ok(b.binary(BinaryKind::Min, place, last)?)
}

/// The sum over all combinations of one tap for each axis, as `[batch, points, channels]`.
pub(super) fn interpolated(b: &mut Builder, image: &Image, taps: &[Vec<Tap>]) -> One {
    let mut sum = None;
    for value in weighted(b, image, taps)? {
        sum = Some(match sum {
            Some(sum) => b.add(sum, value)?,
            None => value,
        });
    }
    match sum {
        Some(sum) => Ok(sum),
        None => bad("an interpolation without neighbours"),
    }
}

/// Each combination of one tap for each axis: the element times its weights.
pub(super) fn weighted(b: &mut Builder, image: &Image, taps: &[Vec<Tap>]) -> Result<Vec<ValueId>, ImportError> {
    let mut combinations: Vec<Vec<Tap>> = vec![Vec::new()];
    for axis in taps {
        combinations = combinations
            .iter()
            .flat_map(|prefix| axis.iter().map(move |tap| prefix.iter().copied().chain([*tap]).collect()))
            .collect();
    }
    let dtype = b.dtype(image.flat);
    let mut values = Vec::new();
    for combination in combinations {
        let mut coordinates = Vec::new();
        let mut weight = None;
        for tap in &combination {
            coordinates.push(b.cast(tap.place, DType::I64)?);
            weight = Some(match weight {
                Some(weight) => b.mul(weight, tap.weight)?,
                None => tap.weight,
            });
        }
        let value = image.at(b, &coordinates)?;
        values.push(match weight {
            Some(weight) => {
                let weight = b.cast(weight, dtype)?;
                let weight = unsqueeze(b, weight, 2)?;
                b.mul(value, weight)?
            }
            None => value,
        });
    }
    Ok(values)
}

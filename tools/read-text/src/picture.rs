//! From a picture to the recognizer's input.

use anyhow::{Result, ensure};
use image::{DynamicImage, Rgb, RgbImage, Rgba};

/// The height that the model was trained with.
pub const HEIGHT: usize = 48;

/// Narrower lines are padded to this width, as in training.
pub const MIN_WIDTH: usize = 320;

/// Pictures that are wider than this many heights are no single line of text.
const MAX_ASPECT: usize = 100;

/// The input tensor: `[1, 3, HEIGHT, width]`, channels in the order blue, green, red.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// Size of the last axis.
    pub width: usize,
    /// Values from -1 (dark) to 1 (bright), row by row, channel by channel.
    pub values: Vec<f32>,
}

/// Scales the picture to the model's height, keeping its aspect, and its values to
/// -1..1. What is left of the width is filled with 0.
pub fn prepare(picture: &DynamicImage) -> Result<Line> {
    let rgb = on_white(picture);
    let (width, height) = (rgb.width() as usize, rgb.height() as usize);
    ensure!(width > 0 && height > 0, "the picture is empty");
    ensure!(width <= MAX_ASPECT * height, "the picture is {width}x{height}: too wide for one line of text");
    let padded = (HEIGHT * width / height).max(MIN_WIDTH);
    let scaled = (HEIGHT * width).div_ceil(height).min(padded);
    let pixels = resize(&rgb, scaled, HEIGHT);
    let mut values = vec![0.0; 3 * HEIGHT * padded];
    for (channel, plane) in values.chunks_exact_mut(HEIGHT * padded).enumerate() {
        for (y, row) in plane.chunks_exact_mut(padded).enumerate() {
            for (x, value) in row[..scaled].iter_mut().enumerate() {
                *value = (pixels[y * scaled + x][2 - channel] / 255.0 - 0.5) / 0.5;
            }
        }
    }
    Ok(Line { width: padded, values })
}

/// The picture without transparency: what shows through is paper.
fn on_white(picture: &DynamicImage) -> RgbImage {
    if !picture.color().has_alpha() {
        return picture.to_rgb8();
    }
    let rgba = picture.to_rgba8();
    let blend = |&Rgba([r, g, b, a]): &Rgba<u8>| {
        let over = |c: u8| ((u32::from(c) * u32::from(a) + 255 * (255 - u32::from(a)) + 127) / 255) as u8;
        Rgb([over(r), over(g), over(b)])
    };
    RgbImage::from_fn(rgba.width(), rgba.height(), |x, y| blend(rgba.get_pixel(x, y)))
}

/// Which two samples make an output sample, and how much of the second.
struct Tap {
    low: usize,
    high: usize,
    share: f32,
}

/// The taps of a bilinear resize with half-pixel centers, as OpenCV does it.
fn taps(n_in: usize, n_out: usize) -> Vec<Tap> {
    let step = n_in as f32 / n_out as f32;
    let tap = |i: usize| {
        let at = ((i as f32 + 0.5) * step - 0.5).clamp(0.0, (n_in - 1) as f32);
        let low = at as usize;
        Tap { low, high: (low + 1).min(n_in - 1), share: at - low as f32 }
    };
    (0..n_out).map(tap).collect()
}

/// Bilinear resize; the values are whole numbers from 0 to 255, row by row.
fn resize(picture: &RgbImage, width: usize, height: usize) -> Vec<[f32; 3]> {
    let (across, down) = (taps(picture.width() as usize, width), taps(picture.height() as usize, height));
    let pixel = |x: usize, y: usize| picture.get_pixel(x as u32, y as u32).0.map(f32::from);
    let mut out = Vec::with_capacity(width * height);
    for v in &down {
        for h in &across {
            let top = mix(pixel(h.low, v.low), pixel(h.high, v.low), h.share);
            let bottom = mix(pixel(h.low, v.high), pixel(h.high, v.high), h.share);
            out.push(mix(top, bottom, v.share).map(f32::round));
        }
    }
    out
}

/// Goes from `a` to `b` by `share`.
fn mix(a: [f32; 3], b: [f32; 3], share: f32) -> [f32; 3] {
    std::array::from_fn(|c| a[c] + (b[c] - a[c]) * share)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line_of_text() -> DynamicImage {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/models/line.png");
        image::open(path).unwrap()
    }

    #[test]
    fn narrow_pictures_are_padded_with_zeros() {
        let white = DynamicImage::ImageRgb8(RgbImage::from_pixel(20, 24, Rgb([255; 3])));
        let line = prepare(&white).unwrap();
        assert_eq!((line.width, line.values.len()), (MIN_WIDTH, 3 * HEIGHT * MIN_WIDTH));
        assert_eq!(line.values[..40], [1.0; 40]);
        assert_eq!(line.values[40..MIN_WIDTH], [0.0; MIN_WIDTH - 40]);
    }

    #[test]
    fn channels_are_blue_green_red() {
        let picture = DynamicImage::ImageRgb8(RgbImage::from_pixel(320, 48, Rgb([255, 51, 0])));
        let line = prepare(&picture).unwrap();
        let firsts: Vec<f32> = line.values.chunks_exact(HEIGHT * line.width).map(|plane| plane[0]).collect();
        assert!((firsts[1] + 0.6).abs() < 1e-6, "{firsts:?}");
        assert_eq!((firsts[0], firsts[2]), (-1.0, 1.0));
    }

    #[test]
    fn halving_averages_neighbors() {
        let ramp = RgbImage::from_fn(8, 2, |x, _| Rgb([10 * x as u8; 3]));
        let half: Vec<f32> = resize(&ramp, 4, 1).iter().map(|p| p[0]).collect();
        assert_eq!(half, [5.0, 25.0, 45.0, 65.0]);
    }

    /// The numbers come from OpenCV and the steps of rapidocr 3.10.0 on the same file;
    /// OpenCV rounds its weights, so single values may differ by one level of 255.
    #[test]
    fn agrees_with_the_pipeline_the_model_was_trained_with() {
        let line = prepare(&line_of_text()).unwrap();
        assert_eq!(line.width, 498);
        let at = |channel: usize, y: usize, x: usize| line.values[(channel * HEIGHT + y) * line.width + x];
        let expected = [
            ([0, 20, 40], -0.380_392),
            ([1, 20, 41], -0.537_255),
            ([2, 20, 42], -0.654_902),
            ([0, 30, 200], -0.254_902),
            ([1, 30, 201], -0.654_902),
            ([2, 30, 202], -0.725_49),
            ([1, 47, 497], 0.835_294),
        ];
        for ([channel, y, x], value) in expected {
            let ours: f32 = at(channel, y, x);
            assert!((ours - value).abs() <= 1.01 / 127.5, "{channel} {y} {x}: {ours}, expected {value}");
        }
        let mean = line.values.iter().sum::<f32>() / line.values.len() as f32;
        assert!((mean - 0.260_289).abs() < 1e-3, "{mean}");
    }

    #[test]
    fn transparency_becomes_paper() {
        let clear = image::RgbaImage::from_pixel(320, 48, Rgba([0, 0, 0, 0]));
        let line = prepare(&DynamicImage::ImageRgba8(clear)).unwrap();
        assert!(line.values.iter().all(|&v| v == 1.0));
    }

    #[test]
    fn pictures_that_are_no_line_are_refused() {
        assert!(prepare(&DynamicImage::new_rgb8(0, 5)).is_err());
        assert!(prepare(&DynamicImage::new_rgb8(4001, 40)).is_err());
    }
}

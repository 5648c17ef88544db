//! The recognizer: a loaded model and its alphabet.

use crate::ctc::{self, Reading};
use crate::picture::{HEIGHT, Line};
use anyhow::{Context, Result, ensure};
use runtime::{Engine, Profile};
use std::time::{Duration, Instant};
use tensor::{DType, Tensor};

/// How often a line is read to measure the time.
const N_TIMED: usize = 9;

/// What was read, and what it cost.
#[derive(Debug)]
pub struct Answer {
    /// The text.
    pub reading: Reading,
    /// Median time of a run.
    pub latency: Duration,
    /// Times and memory of one run, step by step.
    pub profile: Profile,
}

/// Reads a line with a loaded recognition model whose classes are `characters`.
pub fn read(engine: &Engine, characters: &str, line: &Line) -> Result<Answer> {
    let input = [Tensor::from_vec(vec![1, 3, HEIGHT, line.width], line.values.clone())];
    let (outputs, profile) = engine.profile(&input)?;
    let reading = interpret(&outputs, &ctc::alphabet(characters))?;
    let mut times = Vec::with_capacity(N_TIMED);
    for _ in 0..N_TIMED {
        let start = Instant::now();
        engine.run(&input)?;
        times.push(start.elapsed());
    }
    times.sort();
    Ok(Answer { reading, latency: times[N_TIMED / 2], profile })
}

/// Text out of the model's outputs: one tensor of probabilities, `[1, columns, classes]`.
fn interpret(outputs: &[Tensor], alphabet: &[&str]) -> Result<Reading> {
    let scores = outputs.first().context("the model has no output")?;
    ensure!(
        scores.dtype() == DType::F32 && scores.rank() == 3 && scores.shape()[0] == 1,
        "the model's output is {}, not f32[1, columns, classes]: this is no recognition model",
        scores.ty()
    );
    ensure!(
        scores.shape()[2] == alphabet.len(),
        "the model tells {} classes apart, but its metadata names {}",
        scores.shape()[2],
        alphabet.len()
    );
    ctc::decode(&scores.values::<f32>(), alphabet)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_become_text() {
        let scores = Tensor::from_vec(vec![1, 3, 3], vec![0.1_f32, 0.9, 0.0, 0.8, 0.1, 0.1, 0.1, 0.7, 0.2]);
        assert_eq!(interpret(&[scores], &ctc::alphabet("x")).unwrap().text, "xx");
    }

    #[test]
    fn other_models_are_refused() {
        let refuse = |shape: Vec<usize>| {
            let n = shape.iter().product();
            interpret(&[Tensor::from_vec(shape, vec![0.5_f32; n])], &ctc::alphabet("x")).unwrap_err().to_string()
        };
        assert!(refuse(vec![1, 2, 4]).contains("4 classes apart, but its metadata names 3"));
        assert!(refuse(vec![1, 3]).contains("no recognition model"));
        assert!(refuse(vec![2, 1, 3]).contains("no recognition model"));
        assert!(interpret(&[], &ctc::alphabet("x")).is_err());
    }
}

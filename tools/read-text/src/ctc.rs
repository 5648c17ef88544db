//! From class scores per column of the picture to text (connectionist temporal
//! classification, greedy).

use anyhow::{Result, ensure};

/// Class 0 means "no character here" and separates equal neighbors.
const BLANK: usize = 0;

/// What was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// The characters.
    pub text: String,
    /// Mean probability of the characters, 0 where there are none.
    pub confidence: f32,
}

/// The text of each class: blank first, then the model's own list (one a line in
/// its metadata), then the space, which the list cannot hold.
pub fn alphabet(characters: &str) -> Vec<&str> {
    let own = characters.split('\n').map(|line| line.trim_end_matches('\r'));
    std::iter::once("").chain(own).chain(std::iter::once(" ")).collect()
}

/// Takes the best class of each column, merges repeats and drops blanks.
///
/// `scores` are probabilities, `[columns, classes]`.
pub fn decode(scores: &[f32], alphabet: &[&str]) -> Result<Reading> {
    let n_classes = alphabet.len();
    ensure!(
        scores.len().is_multiple_of(n_classes),
        "the model gives {} scores, which is not a multiple of its {n_classes} characters",
        scores.len()
    );
    let mut text = String::new();
    let mut probabilities = Vec::new();
    let mut before = BLANK;
    for column in scores.chunks_exact(n_classes) {
        let (class, probability) = best(column);
        if class != before && class != BLANK {
            text.push_str(alphabet[class]);
            probabilities.push(probability);
        }
        before = class;
    }
    let n = probabilities.len().max(1) as f32;
    Ok(Reading { text, confidence: probabilities.iter().sum::<f32>() / n })
}

/// The first class with the highest score. A NaN never wins.
fn best(column: &[f32]) -> (usize, f32) {
    let start = (BLANK, f32::NEG_INFINITY);
    column.iter().enumerate().fold(start, |best, (class, &score)| if score > best.1 { (class, score) } else { best })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scores where each listed class has 0.9 and the others share nothing.
    fn columns(classes: &[usize], n_classes: usize) -> Vec<f32> {
        let column = |&class: &usize| (0..n_classes).map(move |c| if c == class { 0.9 } else { 0.0 });
        classes.iter().flat_map(column).collect()
    }

    #[test]
    fn repeats_merge_unless_a_blank_stands_between() {
        let letters = alphabet("l\no\na");
        let read = |classes| decode(&columns(classes, letters.len()), &letters).unwrap().text;
        assert_eq!(read(&[0, 3, 3, 1, 0, 1, 2, 2, 0]), "allo");
        assert_eq!(read(&[1, 1, 1]), "l");
        assert_eq!(read(&[2, 4, 3]), "o a");
    }

    #[test]
    fn confidence_is_the_mean_over_characters() {
        let letters = alphabet("a\nb");
        let scores = [0.1, 0.8, 0.1, 0.0, 0.1, 0.8, 0.1, 0.0, 0.7, 0.1, 0.1, 0.1, 0.2, 0.2, 0.6, 0.0];
        let reading = decode(&scores, &letters).unwrap();
        assert_eq!(reading.text, "ab");
        assert!((reading.confidence - 0.7).abs() < 1e-6);
    }

    #[test]
    fn nothing_read_is_empty_and_not_confident() {
        let letters = alphabet("a");
        let reading = decode(&columns(&[0, 0], 3), &letters).unwrap();
        assert_eq!(reading, Reading { text: String::new(), confidence: 0.0 });
    }

    #[test]
    fn a_foreign_alphabet_is_refused() {
        assert!(decode(&[0.0; 7], &alphabet("a")).is_err());
    }

    #[test]
    fn line_ends_of_the_list_do_not_matter() {
        assert_eq!(alphabet("a\r\nb"), ["", "a", "b", " "]);
    }
}

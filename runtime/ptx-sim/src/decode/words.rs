//! The modifiers of a mnemonic. Each is taken by who knows it; what is left is an error.

use crate::ty::Ty;

/// Modifiers that nobody took yet, in order.
pub(crate) struct Words<'a> {
    words: Vec<&'a str>,
}

impl<'a> Words<'a> {
    pub(crate) fn new(words: &'a [String]) -> Self {
        Words { words: words.iter().map(String::as_str).collect() }
    }

    /// Takes a modifier, if it is there.
    pub(crate) fn has(&mut self, word: &str) -> bool {
        let at = self.words.iter().position(|known| *known == word);
        at.map(|at| self.words.remove(at)).is_some()
    }

    /// Takes the first of these that is there.
    pub(crate) fn any(&mut self, words: &[&str]) -> Option<&'a str> {
        let at = self.words.iter().position(|known| words.contains(known))?;
        Some(self.words.remove(at))
    }

    /// Takes the first that means something.
    pub(crate) fn find<T>(&mut self, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
        let (at, value) = self.words.iter().enumerate().find_map(|(at, word)| Some((at, parse(word)?)))?;
        self.words.remove(at);
        Some(value)
    }

    /// Takes all types, in order.
    pub(crate) fn types(&mut self) -> Vec<Ty> {
        std::iter::from_fn(|| self.find(Ty::parse)).collect()
    }

    /// Takes hints that change nothing but speed.
    pub(crate) fn drop_hints(&mut self) {
        self.words.retain(|word| {
            let is_hint = word.starts_with("L1::")
                || word.starts_with("L2::") && *word != "L2::cache_hint"
                || matches!(*word, "ca" | "cg" | "cs" | "lu" | "cv" | "wb" | "wt" | "nc" | "level");
            !is_hint
        });
    }

    /// All that are left.
    pub(crate) fn rest(&self) -> &[&'a str] {
        &self.words
    }

    /// The first that is left, as an error.
    pub(crate) fn finish(&self) -> Result<(), String> {
        self.words.first().map_or(Ok(()), |word| Err((*word).into()))
    }
}

//! How exact the optimised program must be, and what each rule gives up.

use std::fmt;

/// What a rewrite may change in the result: a set of freedoms. The empty set is bit-exactness.
///
/// "Bit-exact" does not count the payload of NaNs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Exactness(u8);

impl Exactness {
    /// Bit-exact.
    pub const EXACT: Exactness = Exactness(0);
    /// Another kernel may run, which may sum in another order.
    pub const KERNEL: Exactness = Exactness(1);
    /// Fewer roundings than before: never less accurate.
    pub const FEWER_ROUNDINGS: Exactness = Exactness(2);
    /// Rounds differently, by reassociation or by arithmetic on weights.
    pub const REROUNDS: Exactness = Exactness(4);
    /// Assumes that no value is NaN or infinite.
    pub const FINITE: Exactness = Exactness(8);
    /// Takes -0 for 0.
    pub const SIGNED_ZERO: Exactness = Exactness(16);
    /// Approximate.
    pub const APPROXIMATE: Exactness = Exactness(32);

    /// The freedoms of both.
    pub const fn and(self, other: Exactness) -> Exactness {
        Exactness(self.0 | other.0)
    }

    /// Whether every freedom taken here is among those given.
    pub fn within(self, given: Exactness) -> bool {
        self.0 & !given.0 == 0
    }

    /// Whether results are equal to the last bit.
    pub fn is_exact(self) -> bool {
        self == Exactness::EXACT
    }
}

impl fmt::Display for Exactness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = [
            (Exactness::KERNEL, "kernel choice"),
            (Exactness::FEWER_ROUNDINGS, "fewer roundings"),
            (Exactness::REROUNDS, "re-rounding"),
            (Exactness::FINITE, "no NaN or infinity"),
            (Exactness::SIGNED_ZERO, "ignores -0"),
            (Exactness::APPROXIMATE, "approximate"),
        ];
        if self.is_exact() {
            return f.write_str("bit-exact");
        }
        let mut separator = "";
        for (flag, name) in names {
            if flag.within(*self) {
                write!(f, "{separator}{name}")?;
                separator = ", ";
            }
        }
        Ok(())
    }
}

/// The numerics contract of a compilation: which freedoms rewrites may take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Contract {
    /// Every result equals the reference evaluator's to the last bit, given the same kernels.
    Bitwise,
    /// As accurate as the model asks for, operation by operation; summation order is free.
    Strict,
    /// Values may be rounded in other places, as all inference engines do by default (weights folded into weights).
    #[default]
    Fast,
    /// Also assumes finite values, forgets the sign of zero, and approximates.
    Relaxed,
}

impl Contract {
    /// Every contract, the strictest first.
    pub const ALL: [Contract; 4] = [Contract::Bitwise, Contract::Strict, Contract::Fast, Contract::Relaxed];

    /// The word on the command line and in artifacts.
    pub fn name(self) -> &'static str {
        match self {
            Contract::Bitwise => "bitwise",
            Contract::Strict => "strict",
            Contract::Fast => "fast",
            Contract::Relaxed => "relaxed",
        }
    }

    /// The freedoms that it gives.
    pub fn freedoms(self) -> Exactness {
        let strict = Exactness::KERNEL.and(Exactness::FEWER_ROUNDINGS);
        let fast = strict.and(Exactness::REROUNDS);
        match self {
            Contract::Bitwise => Exactness::EXACT,
            Contract::Strict => strict,
            Contract::Fast => fast,
            Contract::Relaxed => fast.and(Exactness::FINITE).and(Exactness::SIGNED_ZERO).and(Exactness::APPROXIMATE),
        }
    }

    /// Whether a rewrite of this exactness may be used.
    pub fn allows(self, exactness: Exactness) -> bool {
        exactness.within(self.freedoms())
    }
}

impl fmt::Display for Contract {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The text is not the name of a contract.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown numerics contract `{0}`; known are bitwise, strict, fast and relaxed")]
pub struct UnknownContract(String);

impl std::str::FromStr for Contract {
    type Err = UnknownContract;
    fn from_str(s: &str) -> Result<Self, Self::Err> {
        Contract::ALL.into_iter().find(|contract| contract.name() == s).ok_or_else(|| UnknownContract(s.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looser_contracts_allow_more() {
        for pair in Contract::ALL.windows(2) {
            assert!(pair[0].freedoms().within(pair[1].freedoms()));
            assert!(!pair[1].freedoms().within(pair[0].freedoms()));
        }
        assert!(Contract::default().allows(Exactness::REROUNDS));
        assert!(!Contract::Strict.allows(Exactness::REROUNDS));
    }

    #[test]
    fn names_round_trip() {
        for contract in Contract::ALL {
            assert_eq!(contract.name().parse(), Ok(contract));
        }
        assert!("loose".parse::<Contract>().is_err());
        assert_eq!(Exactness::EXACT.to_string(), "bit-exact");
        assert_eq!(Exactness::KERNEL.and(Exactness::FINITE).to_string(), "kernel choice, no NaN or infinity");
    }
}

//! Which PTX variants a device can run.

/// A compute capability times ten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Capability(pub(crate) u32);

/// How far PTX of an architecture carries; better tuned ones compare greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Reach {
    /// `sm_80`: this capability and all later ones.
    Onward,
    /// `sm_100f`: this capability and later ones of the same major number.
    Family,
    /// `sm_90a`: exactly this capability.
    Exact,
}

/// Reads `nvptx:sm_90a`.
fn parse(target: &str) -> Option<(u32, Reach)> {
    let arch = target.strip_prefix("nvptx:sm_")?;
    let (digits, reach) = match arch.strip_suffix('a') {
        Some(digits) => (digits, Reach::Exact),
        None => arch.strip_suffix('f').map_or((arch, Reach::Onward), |digits| (digits, Reach::Family)),
    };
    digits.parse().ok().map(|number| (number, reach))
}

/// The index of the best target that the device can run: the newest architecture, then the most special one.
pub(crate) fn choose(targets: &[String], Capability(device): Capability) -> Option<usize> {
    let runs = |(number, reach): (u32, Reach)| match reach {
        Reach::Onward => number <= device,
        Reach::Family => number <= device && number / 10 == device / 10,
        Reach::Exact => number == device,
    };
    let parsed = targets.iter().enumerate().filter_map(|(idx, target)| Some((parse(target)?, idx)));
    parsed
        .filter(|(target, _)| runs(*target))
        .max_by_key(|(target, idx)| (*target, std::cmp::Reverse(*idx)))
        .map(|(_, idx)| idx)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_and_most_special_runnable_target_wins() {
        let all = [
            "host:x86_64/y/",
            "nvptx:sm_75",
            "nvptx:sm_80",
            "nvptx:sm_86",
            "nvptx:sm_90",
            "nvptx:sm_90a",
            "nvptx:sm_100f",
        ];
        let targets: Vec<String> = all.map(String::from).to_vec();
        let pick = |capability| choose(&targets, Capability(capability)).map(|idx| all[idx]);
        assert_eq!(pick(70), None);
        assert_eq!(pick(75), Some("nvptx:sm_75"));
        assert_eq!(pick(89), Some("nvptx:sm_86"));
        assert_eq!(pick(90), Some("nvptx:sm_90a"));
        assert_eq!(pick(100), Some("nvptx:sm_100f"));
        assert_eq!(pick(103), Some("nvptx:sm_100f"));
        assert_eq!(pick(120), Some("nvptx:sm_90"));
        assert_eq!(choose(&["nvptx:sm_x".into(), "nvptx:90".into()], Capability(90)), None);
    }
}

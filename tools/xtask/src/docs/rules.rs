//! `docs/rules.md`, from the rules' own table.

use super::cell;
use rewrite::Contract;
use std::fmt::Write;

pub(super) fn page() -> String {
    let rules = rewrite::rules();
    let mut out = format!(
        "# Rewrite rules\n\n{} rules. A rule is loaded under its contract and every looser one: {}.\n\
         \"Exactness\" is what a rule may change in results, not counting the payload of NaNs.\n",
        rules.len(),
        Contract::ALL.map(|c| format!("`{c}`")).join(", "),
    );
    let mut family = "";
    for rule in &rules {
        if rule.family != family {
            family = rule.family;
            let _ = write!(out, "\n## {family}\n\n| rule | algebra | exactness | contract |\n|---|---|---|---|\n");
        }
        let (algebra, exactness) = (cell(rule.algebra), rule.exactness);
        let _ = writeln!(out, "| `{}` | `{algebra}` | {exactness} | `{}` |", rule.name, rule.contract);
    }
    out
}

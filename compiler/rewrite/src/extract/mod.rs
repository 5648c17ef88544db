//! Extraction: which member of each class to use, so that the whole costs least, with everything shared paid once.
//!
//! A greedy choice by the cost of whole sub-graphs, then local search. The search begins from the better of the input
//! itself and the greedy choice, so its result is never worse than the input. Deterministic, and bounded by steps.

mod greedy;
mod local;

/// One member of a class.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Candidate {
    /// Its own cost.
    pub(crate) cost: f64,
    /// The classes of its operands, without repetition; those that are computed at compile time are left out.
    pub(crate) children: Vec<usize>,
    /// Whether it only looks at its operand in another way.
    pub(crate) is_view: bool,
}

/// Classes to choose from.
#[derive(Clone, Debug, Default)]
pub(crate) struct Problem {
    /// For each class, its members.
    pub(crate) classes: Vec<Vec<Candidate>>,
    /// Classes that must be there.
    pub(crate) roots: Vec<usize>,
    /// For each class of the input, the member that the input uses.
    pub(crate) start: Vec<Option<usize>>,
}

/// For each class, the member to use, if one is known.
pub(crate) type Choice = Vec<Option<usize>>;

/// The best choice that was found, and its cost; `None` if not even the input's own is one.
pub(crate) fn extract(problem: &Problem, max_steps: usize) -> Option<(Choice, f64)> {
    let mut scorer = Scorer::new(problem);
    let greedy = greedy::choose(problem);
    let mut start = problem.start.clone();
    for (slot, choice) in start.iter_mut().zip(&greedy) {
        *slot = slot.or(*choice);
    }
    let mut best: Option<(Choice, f64)> = None;
    for seed in [start, greedy] {
        if scorer.score(&seed).is_none() {
            continue;
        }
        let found = local::improve(problem, &mut scorer, seed, max_steps / 2);
        if best.as_ref().is_none_or(|(_, cost)| found.1 < *cost * (1.0 - 1e-9)) {
            best = Some(found);
        }
    }
    best
}

/// Costs of choices.
pub(crate) struct Scorer<'a> {
    problem: &'a Problem,
    /// For each class, in which search it was entered, and whether it was left.
    marks: Vec<(u32, bool)>,
    round: u32,
    stack: Vec<(usize, usize)>,
    /// Classes visited so far, over all searches.
    pub(crate) steps: usize,
    /// The classes in use in the last choice that was scored, operands first.
    pub(crate) active: Vec<usize>,
}

impl<'a> Scorer<'a> {
    fn new(problem: &'a Problem) -> Self {
        Scorer {
            problem,
            marks: vec![(0, false); problem.classes.len()],
            round: 0,
            stack: Vec::new(),
            steps: 0,
            active: Vec::new(),
        }
    }

    /// The cost of all that a choice uses; `None` if it has a cycle or a gap.
    pub(crate) fn score(&mut self, choice: &Choice) -> Option<f64> {
        self.round += 1;
        self.active.clear();
        self.stack.clear();
        let mut total = 0.0;
        for root in &self.problem.roots {
            total += self.visit(*root, choice)?;
        }
        Some(total)
    }

    fn visit(&mut self, root: usize, choice: &Choice) -> Option<f64> {
        let mut total = 0.0;
        if self.marks[root].0 == self.round {
            return Some(total);
        }
        self.enter(root);
        while let Some((class, next)) = self.stack.pop() {
            let candidate = &self.problem.classes[class][choice[class]?];
            let Some(child) = candidate.children.get(next) else {
                self.marks[class].1 = true;
                self.active.push(class);
                total += candidate.cost;
                continue;
            };
            self.stack.push((class, next + 1));
            match self.marks[*child] {
                (round, true) if round == self.round => {}
                (round, false) if round == self.round => return None,
                _ => self.enter(*child),
            }
        }
        Some(total)
    }

    fn enter(&mut self, class: usize) {
        self.marks[class] = (self.round, false);
        self.stack.push((class, 0));
        self.steps += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(cost: f64, children: &[usize]) -> Candidate {
        Candidate { cost, children: children.to_vec(), is_view: false }
    }

    fn view(child: usize) -> Candidate {
        Candidate { cost: 1e-9, children: vec![child], is_view: true }
    }

    #[test]
    fn sharing_is_paid_once() {
        // Two results: each has a private form of cost 3, and one that shares a class of cost 4.
        let problem = Problem {
            classes: vec![
                vec![node(3.0, &[]), node(0.5, &[2])],
                vec![node(3.0, &[]), node(0.5, &[2])],
                vec![node(4.0, &[])],
            ],
            roots: vec![0, 1],
            start: vec![Some(0), Some(0), None],
        };
        let mut scorer = Scorer::new(&problem);
        assert_eq!(scorer.score(&vec![Some(1), Some(1), Some(0)]), Some(5.0));
        let (choice, cost) = extract(&problem, 10_000).expect("there is a choice");
        assert!(cost <= 6.0, "{choice:?} costs {cost}");
    }

    #[test]
    fn merged_producers_are_adopted_together() {
        // Three products of cost 2 each, or three views of one product of cost 4: none pays alone.
        let problem = Problem {
            classes: vec![
                vec![node(2.0, &[4]), view(3)],
                vec![node(2.0, &[4]), view(3)],
                vec![node(2.0, &[4]), view(3)],
                vec![node(4.0, &[4])],
                vec![node(0.0, &[])],
            ],
            roots: vec![0, 1, 2],
            start: vec![Some(0), Some(0), Some(0), None, Some(0)],
        };
        let (choice, cost) = extract(&problem, 10_000).expect("there is a choice");
        assert_eq!(&choice[..3], [Some(1); 3]);
        assert!(cost < 4.1);
    }

    #[test]
    fn cycles_are_never_chosen() {
        let problem = Problem {
            classes: vec![vec![node(1.0, &[1]), node(5.0, &[])], vec![node(0.1, &[0]), node(5.0, &[])]],
            roots: vec![0, 1],
            start: vec![Some(1), Some(1)],
        };
        let (choice, cost) = extract(&problem, 10_000).expect("there is a choice");
        assert!(Scorer::new(&problem).score(&choice).is_some());
        assert!(cost < 6.1, "one of them is made from the other");
    }
}

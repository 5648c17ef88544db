//! The parent process: hands cases to children, which may crash or hang without harm.

use super::{Outcome, Status, Task};
use crate::{Failure, output};
use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How children are made and how long one case may take.
#[derive(Clone, Debug)]
pub(crate) struct Pool {
    pub(crate) jobs: usize,
    pub(crate) limit: Duration,
    /// Arguments of a child.
    pub(crate) arguments: Vec<String>,
}

/// Runs all cases; outcomes in the order of the tasks.
pub(crate) fn run_all(pool: &Pool, tasks: Vec<Task>) -> Result<Vec<Outcome>, Failure> {
    let bar = output::progress(tasks.len());
    let outcomes = Mutex::new(vec![None; tasks.len()]);
    let queue = Mutex::new(tasks.into_iter().enumerate().collect::<VecDeque<_>>());
    let lane = || -> Result<(), Failure> {
        let mut worker = None;
        loop {
            // Taken in a statement of its own, so that the lock is not held while the case runs.
            let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            let Some((at, task)) = next else {
                return worker.take().map_or(Ok(()), Worker::dismiss);
            };
            let outcome = run_one(pool, &mut worker, &task)?;
            outcomes.lock().unwrap_or_else(PoisonError::into_inner)[at] = Some(outcome);
            bar.inc(1);
        }
    };
    std::thread::scope(|scope| {
        let lanes: Vec<_> = (0..pool.jobs).map(|_| scope.spawn(lane)).collect();
        lanes
            .into_iter()
            .try_for_each(|lane| lane.join().unwrap_or_else(|_| Err(Failure::Bug("a test lane panicked".into()))))
    })?;
    bar.finish_and_clear();
    let outcomes = outcomes.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok(outcomes.into_iter().flatten().collect())
}

/// Runs a case in a child; one that ended is not used again.
fn run_one(pool: &Pool, slot: &mut Option<Worker>, task: &Task) -> Result<Outcome, Failure> {
    let start = Instant::now();
    let mut worker = match slot.take() {
        Some(worker) => worker,
        None => Worker::start(&pool.arguments)?,
    };
    let reason = match worker.ask(task, pool.limit) {
        Ok(outcome) => {
            *slot = Some(worker);
            return Ok(outcome);
        }
        Err(RecvTimeoutError::Timeout) => {
            worker.end();
            format!("took over {} s", pool.limit.as_secs())
        }
        Err(RecvTimeoutError::Disconnected) => worker.end(),
    };
    let ms = start.elapsed().as_millis() as u64;
    Ok(Outcome { name: task.name.clone(), status: Status::Failed, reason: Some(reason), ms })
}

/// A child process.
struct Worker {
    child: Child,
    stdin: ChildStdin,
    answers: Receiver<String>,
    /// The last lines of its standard error.
    complaints: Arc<Mutex<VecDeque<String>>>,
    listeners: Vec<JoinHandle<()>>,
}

/// Lines of a child's standard error that are kept.
const KEPT: usize = 8;

impl Worker {
    fn start(arguments: &[String]) -> Result<Self, Failure> {
        let program = std::env::current_exe().map_err(|e| Failure::Limit(format!("no path to this program: {e}")))?;
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let fail = || Failure::Limit("a child process has no pipes".into());
        let mut child = command.spawn().map_err(|e| Failure::Limit(format!("cannot start a child process: {e}")))?;
        let stdin = child.stdin.take().ok_or_else(fail)?;
        let stdout = child.stdout.take().ok_or_else(fail)?;
        let stderr = child.stderr.take().ok_or_else(fail)?;
        let (sender, answers) = channel();
        let complaints = Arc::new(Mutex::new(VecDeque::new()));
        let kept = complaints.clone();
        let answering = std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let complaining = std::thread::spawn(move || {
            for line in BufReader::new(stderr).split(b'\n').map_while(Result::ok) {
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                kept.push_back(String::from_utf8_lossy(&line).into_owned());
                if kept.len() > KEPT {
                    kept.pop_front();
                }
            }
        });
        Ok(Worker { child, stdin, answers, complaints, listeners: vec![answering, complaining] })
    }

    fn ask(&mut self, task: &Task, limit: Duration) -> Result<Outcome, RecvTimeoutError> {
        let line = serde_json::to_string(task).map_err(|_| RecvTimeoutError::Disconnected)?;
        writeln!(self.stdin, "{line}").map_err(|_| RecvTimeoutError::Disconnected)?;
        let answer = self.answers.recv_timeout(limit)?;
        serde_json::from_str(&answer).map_err(|_| RecvTimeoutError::Disconnected)
    }

    /// Lets the child end by itself: it does when its standard input does.
    fn dismiss(self) -> Result<(), Failure> {
        let Worker { mut child, stdin, .. } = self;
        drop(stdin);
        child.wait().map(|_| ()).map_err(|e| Failure::Limit(format!("a child process cannot be waited for: {e}")))
    }

    /// Ends the child, and tells how it ended.
    fn end(mut self) -> String {
        // A child that crashed closes its pipes a moment before it can be waited for; one that hangs must be killed.
        let status = self.wait_shortly().unwrap_or_else(|| {
            let _ = self.child.kill();
            self.child.wait().ok()
        });
        for listener in self.listeners.drain(..) {
            let _ = listener.join();
        }
        let complaints = self.complaints.lock().unwrap_or_else(PoisonError::into_inner);
        let said = complaints.iter().map(String::as_str).collect::<Vec<_>>().join(" | ");
        format!("crashed ({}): {said}", status.map_or("no status".into(), |status| status.to_string()))
    }

    fn wait_shortly(&mut self) -> Option<Option<ExitStatus>> {
        for _ in 0..50 {
            match self.child.try_wait() {
                Ok(Some(status)) => return Some(Some(status)),
                Ok(None) => std::thread::sleep(Duration::from_millis(20)),
                Err(_) => return None,
            }
        }
        None
    }
}

//! Asks file systems how full they are, when any of them may never answer.
//!
//! A `statfs` on a network file system whose server is gone hangs for as long as the server is
//! gone, and nothing can call it back. So the calls are made on threads of their own: one thread
//! works through the mounts, and when it does not come forward another goes on with the rest. What
//! has not answered by the deadline is [`Answer::Late`] and is not asked again until its call
//! returns, so that a dead server costs one thread a mount, however often we look.
//!
//! Plain threads, not the runtime's: a call that never returns would keep the runtime from ending.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nix::errno::Errno;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// How long no answer may come before another thread helps. A local file system answers within
/// microseconds, a network's within a round trip.
const PATIENCE: Duration = Duration::from_millis(200);

/// The room of a file system.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Room {
    pub(super) size: f64,
    pub(super) free: f64,
    pub(super) available: f64,
    pub(super) files: f64,
    pub(super) files_free: f64,
}

/// What a file system answered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Answer {
    Room(Room),
    Refused(Errno),
    /// Nothing within the deadline, now or when it was last asked.
    Late,
}

/// The call itself.
type Ask = fn(&Path) -> Result<Room, Errno>;

/// Asks, and remembers who has not answered yet.
#[derive(Debug)]
pub(super) struct Asker {
    ask: Ask,
    under_way: Vec<UnderWay>,
}

/// A question whose answer is not in.
#[derive(Debug)]
struct UnderWay {
    place: PathBuf,
    returned: Arc<AtomicBool>,
}

/// A question on its way to a thread.
struct Question {
    index: usize,
    place: PathBuf,
    returned: Arc<AtomicBool>,
}

type Questions = Arc<Mutex<VecDeque<Question>>>;
type Answers = mpsc::Sender<(usize, Answer)>;

impl Default for Asker {
    fn default() -> Self {
        Self::new(statfs)
    }
}

impl Asker {
    fn new(ask: Ask) -> Self {
        Self {
            ask,
            under_way: Vec::new(),
        }
    }

    /// Asks all places, none of which may be given twice, and gives their answers in the same
    /// order. Takes no longer than `bound`.
    ///
    /// An error means that no thread could be started.
    pub(super) async fn ask(
        &mut self,
        places: &[PathBuf],
        bound: Duration,
    ) -> io::Result<Vec<Answer>> {
        let deadline = Instant::now() + bound;
        let mut answers = vec![Answer::Late; places.len()];
        let questions = self.questions(places);
        let mut open = questions.len();
        if open == 0 {
            return Ok(answers);
        }
        // Room for every answer, so that no thread ever waits for us.
        let (send, mut receive) = mpsc::channel(open);
        let questions: Questions = Arc::new(Mutex::new(questions));
        self.start_thread(&questions, &send)?;
        while open > 0 && Instant::now() < deadline {
            let until = deadline.min(Instant::now() + PATIENCE);
            match tokio::time::timeout_at(until, receive.recv()).await {
                Ok(Some((index, answer))) => {
                    answers[index] = answer;
                    open -= 1;
                }
                Ok(None) => break,
                Err(_elapsed) if lock(&questions).is_empty() => {}
                Err(_elapsed) => self.start_thread(&questions, &send)?,
            }
        }
        // Nobody asks what was not asked in time; the next collection does.
        lock(&questions).clear();
        Ok(answers)
    }

    /// The questions to ask now, noted as under way.
    fn questions(&mut self, places: &[PathBuf]) -> VecDeque<Question> {
        self.under_way.retain(|one| {
            let answered = one.returned.load(Ordering::Acquire);
            // A question that was dropped unasked is held by nobody else.
            !answered && Arc::strong_count(&one.returned) > 1
        });
        let mut questions = VecDeque::new();
        for (index, place) in places.iter().enumerate() {
            if self.under_way.iter().any(|one| one.place == *place) {
                continue;
            }
            let returned = Arc::new(AtomicBool::new(false));
            questions.push_back(Question {
                index,
                place: place.clone(),
                returned: Arc::clone(&returned),
            });
            self.under_way.push(UnderWay {
                place: place.clone(),
                returned,
            });
        }
        questions
    }

    fn start_thread(&self, questions: &Questions, answers: &Answers) -> io::Result<()> {
        let ask = self.ask;
        let questions = Arc::clone(questions);
        let answers = answers.clone();
        let work = move || work(ask, &questions, &answers);
        std::thread::Builder::new()
            .name("statfs".into())
            .spawn(work)
            .map(drop)
    }
}

/// What a thread does: ask until no question is left.
fn work(ask: Ask, questions: &Questions, answers: &Answers) {
    loop {
        let Some(question) = lock(questions).pop_front() else {
            return;
        };
        let answer = match ask(&question.place) {
            Ok(room) => Answer::Room(room),
            Err(errno) => Answer::Refused(errno),
        };
        question.returned.store(true, Ordering::Release);
        if answers.try_send((question.index, answer)).is_err() {
            return;
        }
    }
}

/// The queue behind its lock; no holder leaves it half changed, so a poisoned one is as good.
fn lock(questions: &Questions) -> std::sync::MutexGuard<'_, VecDeque<Question>> {
    questions.lock().unwrap_or_else(PoisonError::into_inner)
}

fn statfs(place: &Path) -> Result<Room, Errno> {
    let found = nix::sys::statfs::statfs(place)?;
    let block = found.block_size() as f64;
    Ok(Room {
        size: found.blocks() as f64 * block,
        free: found.blocks_free() as f64 * block,
        available: found.blocks_available() as f64 * block,
        files: found.files() as f64,
        files_free: found.files_free() as f64,
    })
}

#[cfg(test)]
mod tests;

//! Who goes alone, who with others, and how many.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Semaphore;

use super::*;

/// Carries numbers once it may, and answers each with its double.
struct Doubling {
    may: Arc<Semaphore>,
    /// What becomes of those who go together.
    end: Mutex<End>,
    /// How many went together, each time.
    batches: Mutex<Vec<usize>>,
    together: AtomicUsize,
    most_at_once: AtomicUsize,
}

#[derive(Clone, Copy)]
enum End {
    Good,
    TooMany,
    Apart,
    Refused,
    Panics,
}

impl Carrier for Doubling {
    type Load = u32;
    type Answer = u32;

    async fn carry(&self, loads: Vec<u32>) -> Carried<Self> {
        self.batches.lock().push(loads.len());
        let at_once = self.together.fetch_add(1, Ordering::Relaxed) + 1;
        self.most_at_once.fetch_max(at_once, Ordering::Relaxed);
        if let Ok(permit) = self.may.acquire().await {
            permit.forget();
        }
        self.together.fetch_sub(1, Ordering::Relaxed);
        let answers = loads.iter().map(|load| load * 2).collect();
        match *self.end.lock() {
            End::Good => Carried::Together(answers),
            End::TooMany => Carried::TooMany(answers),
            End::Apart => Carried::Apart(loads),
            End::Refused => Carried::Refused(Problem::unavailable("refused", "refused", 1)),
            End::Panics => panic!("it breaks off"),
        }
    }

    fn broken() -> Problem {
        Problem::unavailable("broken", "broken", 1)
    }
}

fn lanes(width: Width, end: End) -> Arc<Lanes<Doubling>> {
    let carrier = Doubling {
        may: Arc::new(Semaphore::new(0)),
        end: Mutex::new(end),
        batches: Mutex::default(),
        together: AtomicUsize::new(0),
        most_at_once: AtomicUsize::new(0),
    };
    Lanes::new(carrier, width)
}

const WIDTH: Width = Width { fewest: 2, most: 6, together: 8 };

/// What a call comes to: its double, alone or with others, or the words of a refusal.
async fn call(lanes: Arc<Lanes<Doubling>>, load: u32) -> Result<(u32, bool), String> {
    match lanes.turn(load).await {
        Turn::Done(answer) => Ok((answer, true)),
        Turn::Alone(load, _lane) => Ok((load * 2, false)),
        Turn::Refused(problem) => Err(problem.detail),
    }
}

/// Takes every lane, and lets so many wait for them.
async fn full(
    lanes: &Arc<Lanes<Doubling>>,
    waiting: u32,
) -> (Vec<Lane<Doubling>>, Vec<tokio::task::JoinHandle<Result<(u32, bool), String>>>) {
    let mut taken = Vec::new();
    let free = lanes.state.lock().lanes;
    for _ in 0..free {
        let Turn::Alone(_, Some(lane)) = lanes.turn(0).await else { panic!("a lane is free") };
        taken.push(lane);
    }
    let calls: Vec<_> = (0..waiting).map(|load| tokio::spawn(call(Arc::clone(lanes), load))).collect();
    while lanes.state.lock().waiting.len() < waiting as usize {
        tokio::task::yield_now().await;
    }
    (taken, calls)
}

/// Lets all that is carried arrive, now and later.
fn open(lanes: &Arc<Lanes<Doubling>>) {
    lanes.carrier.may.add_permits(10_000);
}

#[tokio::test]
async fn whoever_finds_the_lanes_taken_goes_with_the_others() {
    let lanes = lanes(WIDTH, End::Good);
    let (taken, calls) = full(&lanes, 21).await;
    open(&lanes);
    drop(taken);
    for (load, call) in (0..21).zip(calls) {
        assert_eq!(call.await.unwrap(), Ok((load * 2, true)));
    }
    assert_eq!(lanes.carrier.batches.lock().iter().sum::<usize>(), 21);
    assert_eq!(*lanes.carrier.batches.lock().iter().max().unwrap(), 8);
    // The lanes are free again.
    assert_eq!(call(Arc::clone(&lanes), 5).await, Ok((10, false)));
    assert_eq!(lanes.state.lock().taken, 0);
}

#[tokio::test]
async fn with_nobody_to_share_it_a_call_takes_the_lane() {
    let lanes = lanes(WIDTH, End::Good);
    let (taken, mut calls) = full(&lanes, 1).await;
    drop(taken);
    assert_eq!(calls.pop().unwrap().await.unwrap(), Ok((0, false)));
    assert!(lanes.carrier.batches.lock().is_empty());
    assert_eq!(lanes.state.lock().taken, 0);
}

#[tokio::test]
async fn where_they_take_long_together_fewer_go_in_more_lanes() {
    let lanes = lanes(WIDTH, End::TooMany);
    let (taken, calls) = full(&lanes, 40).await;
    open(&lanes);
    drop(taken);
    for (load, call) in (0..40).zip(calls) {
        assert_eq!(call.await.unwrap().unwrap().0, load * 2);
    }
    assert_eq!(lanes.carrier.batches.lock()[0], 8);
    let state = lanes.state.lock();
    assert_eq!((state.together, state.lanes, state.taken), (2, 6, 0));
}

#[tokio::test]
async fn lanes_that_are_too_many_are_given_up_once_more_go_together() {
    let lanes = lanes(WIDTH, End::Good);
    lanes.adapt(|_| 1);
    let (taken, calls) = full(&lanes, 40).await;
    assert_eq!(taken.len(), 6);
    lanes.adapt(|_| 8);
    assert_eq!(lanes.state.lock().lanes, 2);
    drop(taken);
    open(&lanes);
    for (load, call) in (0..40).zip(calls) {
        assert_eq!(call.await.unwrap().unwrap().0, load * 2);
    }
    assert!(lanes.carrier.most_at_once.load(Ordering::Relaxed) <= 2);
    assert_eq!(lanes.state.lock().taken, 0);
}

#[tokio::test]
async fn those_who_can_not_go_together_go_alone_and_fewer_together_after_them() {
    let lanes = lanes(WIDTH, End::Apart);
    let (taken, calls) = full(&lanes, 16).await;
    open(&lanes);
    drop(taken);
    for (load, call) in (0..16).zip(calls) {
        assert_eq!(call.await.unwrap(), Ok((load * 2, false)));
    }
    {
        let state = lanes.state.lock();
        assert_eq!((state.together, state.taken), (2, 0));
    }
    // Once it is no bad idea any more, many go together again.
    *lanes.carrier.end.lock() = End::Good;
    let (taken, calls) = full(&lanes, 40).await;
    drop(taken);
    for (load, call) in (0..40).zip(calls) {
        assert_eq!(call.await.unwrap().unwrap().0, load * 2);
    }
    let state = lanes.state.lock();
    assert_eq!((state.together, state.taken), (8, 0));
}

#[tokio::test]
async fn all_are_told_where_it_is_of_no_use_to_try_again_or_the_lane_breaks_off() {
    for (end, told) in [(End::Refused, "refused"), (End::Panics, "broken")] {
        let lanes = lanes(WIDTH, end);
        let (taken, calls) = full(&lanes, 6).await;
        open(&lanes);
        drop(taken);
        for call in calls {
            assert_eq!(call.await.unwrap(), Err(told.to_owned()));
        }
        assert_eq!(lanes.state.lock().taken, 0, "{told}");
    }
}

#[tokio::test]
async fn whoever_has_gone_is_left_out() {
    let lanes = lanes(WIDTH, End::Good);
    let (taken, calls) = full(&lanes, 8).await;
    let mut stay = Vec::new();
    for (load, call) in calls.into_iter().enumerate() {
        if load % 2 == 0 {
            call.abort();
            assert!(call.await.is_err());
        } else {
            stay.push(call);
        }
    }
    open(&lanes);
    drop(taken);
    for call in stay {
        assert!(call.await.unwrap().is_ok());
    }
    assert_eq!(*lanes.carrier.batches.lock(), [4]);
    assert_eq!(lanes.state.lock().taken, 0);
}

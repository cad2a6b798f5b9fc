//! What moves the bytes of an HTTP/1.1 connection: the exchange that holds it, in its own turns, or else a task.
//!
//! An exchange that waits for its response, or takes the next piece of it, moves the connection itself: its bytes wake the
//! exchange and not a task that would wake the exchange, and several pieces are taken in one turn and leave in one write.
//! Whatever happens while no exchange waits is the task's: that an idle connection ends, and that an upload goes on while
//! the client takes no response.

use std::cell::RefCell;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::connect::EndOnDrop;
use super::relay::{Relay, Sign};

/// Moves a connection on.
pub struct Drive {
    connection: Driven,
    relay: Arc<Relay>,
    /// What the connection is polled with, whoever drives.
    waker: Waker,
    /// What the holder looks with.
    sign: Arc<Sign>,
    looker: Waker,
}

/// None when it has ended.
type Driven = Rc<RefCell<Option<Pin<Box<dyn Future<Output = ()>>>>>>;

impl fmt::Debug for Drive {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Drive").finish_non_exhaustive()
    }
}

impl Drive {
    /// Spawns the task of a connection.
    #[must_use]
    pub fn spawn(connection: impl Future<Output = ()> + 'static) -> (Self, EndOnDrop) {
        let connection: Driven = Rc::new(RefCell::new(Some(Box::pin(connection))));
        let relay = Arc::new(Relay::default());
        let waker = Waker::from(Arc::clone(&relay));
        let sign = Arc::new(Sign::of(&relay));
        let (own, on, by) = (Rc::clone(&connection), Arc::clone(&relay), waker.clone());
        let task = tokio::task::spawn_local(poll_fn(move |context| {
            on.task_turns(context.waker());
            advance(&own, &by)
        }));
        let drive = Self {
            connection,
            relay,
            waker,
            looker: Waker::from(Arc::clone(&sign)),
            sign,
        };
        (drive, EndOnDrop(task.abort_handle()))
    }

    /// From now on whoever [polls](Self::poll) the connection moves it, and is woken for it while it waits.
    pub fn hold(&self) {
        self.relay.hold();
    }

    /// The same for whoever gives the connection something to do and polls it at once.
    pub fn begin(&self) {
        self.relay.hold();
        self.relay.begin();
    }

    /// From now on it is the task that moves the connection.
    pub fn release(&self) {
        self.relay.release();
    }

    /// Looks for what the connection brings, and moves it as far as it gets without waiting if that is not there yet. While
    /// nobody waits, the task moves it.
    pub fn poll<T>(
        &self,
        context: &mut Context<'_>,
        mut look: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        if !self.relay.is_held() {
            return look(context);
        }
        self.relay.begin();
        let found = self.poll_held(&mut look);
        self.relay.end(found.is_pending().then(|| context.waker()));
        found
    }

    fn poll_held<T>(&self, look: &mut impl FnMut(&mut Context<'_>) -> Poll<T>) -> Poll<T> {
        if let Poll::Ready(found) = self.look(look) {
            return Poll::Ready(found);
        }
        self.relay.forget();
        self.sign.lower();
        let has_ended = advance(&self.connection, &self.waker).is_ready();
        if has_ended {
            // It is still to hear of it.
            self.relay.wake_task();
        }
        if has_ended || self.sign.is_up() {
            return self.look(look);
        }
        Poll::Pending
    }

    /// Whom the look itself wakes is the connection, which has room for more now: whoever wants more looks again.
    fn look<T>(&self, look: &mut impl FnMut(&mut Context<'_>) -> Poll<T>) -> Poll<T> {
        let has_woken = self.relay.has_woken();
        let found = look(&mut Context::from_waker(&self.looker));
        if found.is_ready() && !has_woken {
            self.relay.forget();
        }
        found
    }
}

fn advance(connection: &Driven, waker: &Waker) -> Poll<()> {
    let mut connection = connection.borrow_mut();
    let Some(running) = connection.as_mut() else {
        return Poll::Ready(());
    };
    let ended = running.as_mut().poll(&mut Context::from_waker(waker));
    if ended.is_ready() {
        *connection = None;
    }
    ended
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};
    use std::future::poll_fn;
    use std::rc::Rc;
    use std::task::{Poll, Waker};
    use std::time::Duration;

    use tokio::task::{LocalSet, yield_now};

    use super::{Drive, EndOnDrop};

    const LONGEST: Duration = Duration::from_secs(5);

    /// A connection that does what it is told when it is polled.
    #[derive(Default)]
    struct Script {
        /// Of the connection, as it was polled last.
        waker: RefCell<Option<Waker>>,
        /// Whoever looks for what it brings.
        looker: RefCell<Option<Waker>>,
        has_turn: Cell<bool>,
        turns_of_holder: Cell<u32>,
        turns_of_task: Cell<u32>,
        /// What it brings in its next turn.
        brings: Cell<bool>,
        has_brought: Cell<bool>,
        /// To bring something then.
        wants_another_turn: Cell<bool>,
        ends: Cell<bool>,
    }

    impl Script {
        fn start(self: &Rc<Self>) -> (Drive, EndOnDrop) {
            let own = Rc::clone(self);
            Drive::spawn(poll_fn(move |context| {
                let turns = if own.has_turn.get() {
                    &own.turns_of_holder
                } else {
                    &own.turns_of_task
                };
                turns.set(turns.get() + 1);
                own.waker.replace(Some(context.waker().clone()));
                if own.brings.take() {
                    own.has_brought.set(true);
                    if let Some(looker) = own.looker.take() {
                        looker.wake();
                    }
                }
                if own.wants_another_turn.take() {
                    own.brings.set(true);
                    context.waker().wake_by_ref();
                }
                if own.ends.get() {
                    Poll::Ready(())
                } else {
                    Poll::Pending
                }
            }))
        }

        /// Takes what the connection brings, and wakes the connection for it as a channel does.
        async fn take(&self, drive: &Drive) {
            poll_fn(|context| {
                self.has_turn.set(true);
                let found = drive.poll(context, |context| {
                    if !self.has_brought.take() {
                        self.looker.replace(Some(context.waker().clone()));
                        return Poll::Pending;
                    }
                    self.wake();
                    Poll::Ready(())
                });
                self.has_turn.set(false);
                found
            })
            .await;
        }

        fn wake(&self) {
            if let Some(waker) = &*self.waker.borrow() {
                waker.wake_by_ref();
            }
        }
    }

    fn run(test: impl AsyncFnOnce(Rc<Script>, Drive, EndOnDrop)) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        let all = async {
            let script = Rc::new(Script::default());
            let (drive, task) = script.start();
            yield_now().await;
            assert_eq!(script.turns_of_task.get(), 1, "idle");
            test(script, drive, task).await;
        };
        LocalSet::new().block_on(&runtime, async {
            tokio::select! {
                biased;
                // Looked at first: its own wake would give a turn to whoever waits in vain for one.
                () = tokio::time::sleep(LONGEST) => panic!("somebody was not woken"),
                () = all => {}
            }
        });
    }

    #[test]
    fn a_connection_that_is_held_wakes_its_holder_and_gives_its_task_no_turn() {
        run(async |script, drive, _task| {
            drive.hold();
            let socket = async {
                yield_now().await;
                script.brings.set(true);
                script.wake();
            };
            tokio::join!(script.take(&drive), socket);
            assert_eq!(script.turns_of_holder.get(), 2);
            drive.release();
            yield_now().await;
            assert_eq!(script.turns_of_task.get(), 1, "nothing was left");
        });
    }

    #[test]
    fn what_a_connection_still_wants_when_it_is_let_go_is_its_task_s() {
        run(async |script, drive, _task| {
            drive.hold();
            script.brings.set(true);
            script.wants_another_turn.set(true);
            script.take(&drive).await;
            assert_eq!(script.turns_of_holder.get(), 1);
            drive.release();
            yield_now().await;
            assert_eq!(script.turns_of_task.get(), 2);
        });
    }

    #[test]
    fn what_wakes_while_the_holder_waits_for_nothing_is_its_task_s() {
        run(async |script, drive, _task| {
            drive.hold();
            script.brings.set(true);
            script.take(&drive).await;
            yield_now().await;
            assert_eq!(script.turns_of_task.get(), 1, "nothing was left");
            // As when the upstream takes the end of an upload, or hangs up, and the client takes no response.
            script.wake();
            yield_now().await;
            assert_eq!(script.turns_of_task.get(), 2);
        });
    }

    #[test]
    fn a_wake_before_the_last_piece_is_taken_is_not_lost() {
        run(async |script, drive, _task| {
            drive.begin();
            script.has_brought.set(true);
            script.wake();
            script.take(&drive).await;
            assert_eq!(script.turns_of_holder.get(), 0);
            yield_now().await;
            assert_eq!(script.turns_of_task.get(), 2);
        });
    }

    #[test]
    fn a_connection_that_wants_another_turn_wakes_its_holder_for_it() {
        run(async |script, drive, _task| {
            drive.hold();
            script.wants_another_turn.set(true);
            script.take(&drive).await;
            assert_eq!(script.turns_of_holder.get(), 2);
        });
    }

    #[test]
    fn a_connection_that_ends_in_its_holder_s_turn_ends_its_task() {
        run(async |script, drive, task| {
            drive.hold();
            script.ends.set(true);
            script.brings.set(true);
            script.take(&drive).await;
            yield_now().await;
            yield_now().await;
            assert!(task.0.is_finished());
        });
    }

    #[test]
    fn a_connection_that_nobody_holds_has_its_turns_from_its_task() {
        run(async |script, drive, _task| {
            script.brings.set(true);
            let socket = async {
                yield_now().await;
                script.wake();
            };
            tokio::join!(script.take(&drive), socket);
            assert_eq!(script.turns_of_holder.get(), 0);
            assert_eq!(script.turns_of_task.get(), 2);
        });
    }
}

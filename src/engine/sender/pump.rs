//! The pump of a sender: takes what the desk allows and begins its pushes, each in a plain task.

use std::sync::Arc;

use tokio::time::Instant;

use super::{
    desk::{Desk, Step},
    job::Ticket,
};
use crate::{domain::outcome::Answer, transport::Destination};

/// Pushes for as long as it is not aborted. What it holds when it is goes back to the desk.
pub async fn run(desk: Arc<Desk>) {
    loop {
        match desk.step(Instant::now()) {
            Step::Push(tickets) => {
                for ticket in tickets {
                    actix::spawn(push(Arc::clone(&desk), ticket));
                }
                // Lets the pushes begin, and the connection write them together.
                tokio::task::yield_now().await;
            }
            Step::Sleep(until) => {
                tokio::select! {
                    () = tokio::time::sleep_until(until) => {}
                    () = desk.work.notified() => {}
                    () = desk.room.notified() => {}
                }
            }
            Step::Idle => {
                tokio::select! {
                    () = desk.work.notified() => {}
                    () = desk.room.notified() => {}
                }
            }
        }
    }
}

/// One try of one push.
async fn push(desk: Arc<Desk>, ticket: Ticket) {
    // None: the campaign was stopped since; dropping the ticket hands the device back.
    let Some(job) = ticket.job() else { return };
    let answer = if job.is_dry_run() {
        Answer::Accepted
    } else {
        let target = job.target();
        let destination = Destination { device: target.device, token: &target.token };
        desk.transport.push(job.rendered(), destination).await
    };
    ticket.conclude(answer);
}

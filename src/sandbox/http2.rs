//! One HTTP/2 connection of a client: accepts its streams, drains their bodies,
//! and answers in place, or from a task of their own when the body is not there
//! yet or the answer has to wait. Called by `listener.rs`.

use std::future::{Future as _, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use h2::server::SendResponse;
use h2::{Reason, RecvStream, server};
use http::request::Parts;
use http::{Request, Response};

use super::active::{ActiveFaults, FaultWatch};
use super::counters::bump;
use super::gateway::{Body, Ending, Gateway, Line, Reply, is_due};
use super::wire::Wire;

/// Wide enough that flow control never holds a push back.
const STREAM_WINDOW_BYTES: u32 = 1 << 20;
const CONNECTION_WINDOW_BYTES: u32 = 1 << 26;
/// Streams that are answered together.
const MAX_BATCH: usize = 1024;

/// Serves the connection until it ends.
pub(super) async fn serve<G: Gateway>(
    wire: Wire,
    line: Arc<Line<G>>,
    mut watch: FaultWatch,
) -> Result<(), h2::Error> {
    let max_streams = watch.now().set.max_concurrent_streams;
    let max_streams = max_streams.unwrap_or(G::MAX_CONCURRENT_STREAMS);
    let mut connection = settings(max_streams).handshake(wire).await?;
    let mut accepted = 0;
    let mut batch = Vec::new();
    loop {
        watch.out_of_black_hole().await;
        let is_open = tokio::select! {
            biased;
            // First, so that nothing more is written once it is time to cut.
            () = line.cut.thrown() => return Ok(()),
            accepted = poll_fn(|cx| accept(&mut connection, &mut batch, cx)) => accepted?,
            () = watch.changed() => continue,
        };
        let faults = watch.now().clone();
        let counters = &line.state.counters;
        counters.saw_streams(line.waiting.load(Ordering::Relaxed) + batch.len() as u64);
        for (request, respond) in batch.drain(..) {
            accepted += 1;
            if is_due(faults.set.goaway_every, accepted) {
                bump(&counters.goaways);
                connection.graceful_shutdown();
            }
            receive(&line, request, respond, faults.clone()).await;
            if line.cut.is_thrown() {
                return Ok(());
            }
        }
        if !is_open {
            return Ok(());
        }
    }
}

fn settings(max_streams: u32) -> server::Builder {
    let mut settings = server::Builder::new();
    settings
        .initial_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_concurrent_streams(max_streams)
        // Clients lose patience with a black hole many streams at a time.
        .max_pending_accept_reset_streams(MAX_BATCH);
    settings
}

type Stream = (Request<RecvStream>, SendResponse<Bytes>);

/// Accepts the streams that are there. They are answered together, since h2
/// writes out what is answered whenever it is asked for the next stream. Ready
/// with false when the connection is at its end.
fn accept(
    connection: &mut server::Connection<Wire, Bytes>,
    batch: &mut Vec<Stream>,
    cx: &mut Context<'_>,
) -> Poll<Result<bool, h2::Error>> {
    while batch.len() < MAX_BATCH {
        match pin!(connection.accept()).poll(cx) {
            Poll::Ready(Some(stream)) => batch.push(stream?),
            Poll::Ready(None) => return Poll::Ready(Ok(false)),
            Poll::Pending if batch.is_empty() => return Poll::Pending,
            Poll::Pending => break,
        }
    }
    Poll::Ready(Ok(true))
}

/// Answers at once when the request is complete, else leaves it to a task.
async fn receive<G: Gateway>(
    line: &Arc<Line<G>>,
    request: Request<RecvStream>,
    respond: SendResponse<Bytes>,
    faults: Arc<ActiveFaults>,
) {
    let (head, stream) = request.into_parts();
    let mut intake = Intake::new(stream);
    match poll_fn(|cx| Poll::Ready(intake.poll(cx))).await {
        Poll::Ready(Ok(body)) => finish(line, &head, &body, respond, &faults),
        Poll::Ready(Err(_)) => {}
        Poll::Pending => {
            let waiting = Waiting::new(line.clone());
            tokio::spawn(receive_rest(waiting, head, intake, respond, faults));
        }
    }
}

async fn receive_rest<G: Gateway>(
    waiting: Waiting<G>,
    head: Parts,
    mut intake: Intake,
    respond: SendResponse<Bytes>,
    faults: Arc<ActiveFaults>,
) {
    // An error means that the client gave the stream up.
    if let Ok(body) = poll_fn(|cx| intake.poll(cx)).await {
        let line = waiting.0.clone();
        drop(waiting);
        finish(&line, &head, &body, respond, &faults);
    }
}

/// Judges the request, and answers now or after the latency.
fn finish<G: Gateway>(
    line: &Arc<Line<G>>,
    head: &Parts,
    body: &Body,
    mut respond: SendResponse<Bytes>,
    faults: &ActiveFaults,
) {
    let ending = line.conclude(head, body, faults);
    if matches!(ending, Ending::Cut) {
        return line.cut.throw();
    }
    let Some(delay) = faults.delay() else {
        return end(&mut respond, ending);
    };
    let waiting = Waiting::new(line.clone());
    tokio::spawn(async move {
        tokio::select! {
            () = tokio::time::sleep(delay) => {
                // Before the answer: the next stream may come right after it.
                drop(waiting);
                end(&mut respond, ending);
            }
            // The client gave up waiting, or the connection is gone.
            _ = poll_fn(|cx| respond.poll_reset(cx)) => {}
        }
    });
}

/// A stream that is open while its body or its answer is awaited.
struct Waiting<G: Gateway>(Arc<Line<G>>);

impl<G: Gateway> Waiting<G> {
    fn new(line: Arc<Line<G>>) -> Self {
        line.waiting.fetch_add(1, Ordering::Relaxed);
        Self(line)
    }
}

impl<G: Gateway> Drop for Waiting<G> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

fn end(respond: &mut SendResponse<Bytes>, ending: Ending) {
    match ending {
        // An error means that the client is gone; nobody is left to tell.
        Ending::Answer(reply) => drop(answer(respond, reply)),
        Ending::Reset | Ending::Cut => respond.send_reset(Reason::INTERNAL_ERROR),
    }
}

fn answer(respond: &mut SendResponse<Bytes>, reply: Reply) -> Result<(), h2::Error> {
    let mut response = Response::new(());
    *response.status_mut() = reply.status;
    *response.headers_mut() = reply.headers;
    if reply.body.is_empty() {
        return respond.send_response(response, true).map(drop);
    }
    let mut stream = respond.send_response(response, false)?;
    stream.send_data(reply.body, true)
}

/// A body on its way in.
struct Intake {
    stream: RecvStream,
    /// The usual body comes in one piece and is not copied.
    first: Bytes,
    more: BytesMut,
    length: usize,
}

impl Intake {
    fn new(stream: RecvStream) -> Self {
        Self { stream, first: Bytes::new(), more: BytesMut::new(), length: 0 }
    }

    /// Takes in what has arrived; ready with the body once it is complete.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Body, h2::Error>> {
        while let Some(data) = ready!(self.stream.poll_data(cx)) {
            let data = data?;
            self.stream.flow_control().release_capacity(data.len())?;
            self.take(data);
        }
        let bytes = if self.more.is_empty() {
            std::mem::take(&mut self.first)
        } else {
            std::mem::take(&mut self.more).freeze()
        };
        let length = self.length;
        Poll::Ready(Ok(Body { bytes, length }))
    }

    fn take(&mut self, data: Bytes) {
        self.length += data.len();
        if self.first.is_empty() && self.more.is_empty() {
            self.first = data;
            return;
        }
        if self.more.is_empty() {
            self.more.extend_from_slice(&self.first);
        }
        let room = Body::MAX_KEPT_BYTES.saturating_sub(self.more.len());
        self.more.extend_from_slice(&data[..data.len().min(room)]);
    }
}

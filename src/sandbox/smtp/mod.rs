//! The mail gateway: an SMTP server (RFC 5321) that delivers nothing and keeps
//! what it was given. No TLS and no credentials: clients on this machine alone
//! are meant to reach it.
//!
//! `session` is the protocol, without I/O; `lines` takes lines off the wire;
//! `mailbox` is what was delivered. This file takes connections, obeys the
//! faults and writes the journal.

mod lines;
mod mailbox;
mod session;

use std::borrow::Cow;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

pub use mailbox::Mail;
pub(super) use mailbox::Mailbox;

use self::lines::{Line, Lines};
use self::session::{Reply, Session, Step};
use super::active::{ActiveFaults, FaultWatch};
use super::counters::bump;
use super::gateway::{ProviderState, is_due};
use super::journal::{NO_ANSWER, Push};
use super::listener::{OpenConnection, take_connections};

/// The status recorded for a mail that was taken.
const TAKEN: u16 = 250;

/// The mail gateway on one address.
pub(super) struct SmtpFront {
    pub(super) address: SocketAddr,
    pub(super) state: Arc<ProviderState>,
    pub(super) mailbox: Arc<Mailbox>,
}

/// One connection: its session, and what it has to do with the rest.
struct Connection {
    stream: TcpStream,
    session: Session,
    state: Arc<ProviderState>,
    mailbox: Arc<Mailbox>,
    mails: u64,
}

impl SmtpFront {
    /// Takes connections until it is aborted.
    pub(super) async fn run(self, first: TcpListener) {
        let (address, state) = (self.address, self.state.clone());
        take_connections(address, first, &state, |tcp, connections| self.spawn(tcp, connections))
            .await;
    }

    fn spawn(&self, tcp: TcpStream, connections: &mut JoinSet<()>) {
        let connection = Connection {
            stream: tcp,
            session: Session::default(),
            state: self.state.clone(),
            mailbox: self.mailbox.clone(),
            mails: 0,
        };
        connections.spawn(async move {
            if let Err(error) = connection.serve().await {
                tracing::debug!(%error, "a sandbox mail connection ended");
            }
        });
    }
}

impl Connection {
    async fn serve(mut self) -> io::Result<()> {
        self.stream.set_nodelay(true)?;
        let _open = OpenConnection::new(self.state.clone());
        let mut watch = self.state.faults.watch();
        watch.out_of_black_hole().await;
        self.send(&session::greeting()).await?;
        let mut lines = Lines::default();
        loop {
            let limit = self.session.longest_line();
            let line = lines.next(&mut self.stream, limit).await?;
            let Some(line) = line else { return Ok(()) };
            watch.out_of_black_hole().await;
            if !self.take(line, &mut watch).await? {
                return self.stream.shutdown().await;
            }
        }
    }

    /// Answers one line; whether the connection goes on.
    async fn take(&mut self, line: Line, watch: &mut FaultWatch) -> io::Result<bool> {
        let faults = watch.now().clone();
        match self.session.take(&line) {
            Step::Wait => Ok(true),
            Step::Answer(reply) => self.send(&reply).await.map(|()| true),
            Step::Recipient(address) => {
                let reply = self.recipient(address, &faults);
                self.send(&reply).await.map(|()| true)
            }
            Step::Deliver(mail) => self.deliver(mail, &faults).await,
            Step::Quit(reply) => self.send(&reply).await.map(|()| false),
        }
    }

    /// A recipient that a rule strikes is refused; the others are taken.
    fn recipient(&mut self, address: String, faults: &ActiveFaults) -> Reply {
        let Some(rule) = faults.strike(&address) else {
            self.session.add_recipient(address);
            return Reply::new(250, "2.1.5 recipient ok");
        };
        let (status, reason) = (rule.status, rule.reason.clone());
        self.record(address, status, reason.clone().into(), None);
        Reply::new(status, reason)
    }

    async fn deliver(&mut self, mail: Mail, faults: &ActiveFaults) -> io::Result<bool> {
        self.mails += 1;
        let is_cut = is_due(faults.set.cut_every, self.mails);
        let (status, reason) = if is_cut { (NO_ANSWER, "Cut") } else { (TAKEN, "") };
        let id = mail.message_uuid();
        for recipient in mail.to.clone() {
            self.record(recipient, status, Cow::Borrowed(reason), id);
        }
        if is_cut {
            bump(&self.state.counters.cuts);
            self.stream.set_zero_linger()?;
            return Ok(false);
        }
        self.mailbox.put(mail);
        if let Some(delay) = faults.delay() {
            tokio::time::sleep(delay).await;
        }
        self.send(&Reply::new(250, "2.0.0 kept")).await.map(|()| true)
    }

    fn record(&self, token: String, status: u16, reason: Cow<'static, str>, id: Option<u128>) {
        bump(&self.state.counters.requests);
        self.state.record(&Push { token, status, reason, id, collapse_id: None });
    }

    async fn send(&mut self, reply: &Reply) -> io::Result<()> {
        self.stream.write_all(reply.to_string().as_bytes()).await
    }
}

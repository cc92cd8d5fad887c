//! Fanfare: one message to every device that matches a condition, quickly, exactly as asked, and an
//! account of what happened. This page is the map of the house.
//!
//! # The life of a campaign
//!
//! 1. `POST /notifications/{id}/:launch` reaches [`api`], which knows HTTP and who calls, and nothing
//!    else. It calls a use case in [`services`].
//! 2. The use case checks that the move is legal, stores the notification as LAUNCHED (or QUEUED, with a
//!    time to come) through a role of [`storage`], and nudges the [`engine`].
//! 3. `engine/scheduler` puts the stored rates in force, looks at what the store says is active and
//!    begins what is due: it renders the message once for each provider and seats a coordinator.
//! 4. `engine/coordinator` plans the round: the store cuts the audience into shards, or answers the
//!    shards it cut before. It leases this node's fair part of those that are not done from the
//!    [`cluster`] (alone, that is all of them) and seats a shard's actor for each.
//! 5. `engine/shard` asks for a credit and reads a page of devices from the store's index, in the
//!    store's order. The credit comes back when the page is recorded: that bounds memory whatever the
//!    audience's size. Pages that wait for nothing but a provider that is away are set aside, up to a
//!    bound, so that the other providers go on.
//! 6. `engine/sender`, one for each app and provider, begins the page's pushes as rates, window and
//!    circuit breaker allow, each in a plain task, through a [`transport`].
//! 7. A transport answers with data ([`domain::outcome::Answer`]); `engine/verdict` says what follows:
//!    the device is settled, or tried again later.
//! 8. When a page is settled its shard records it: outcomes, checkpoint and counters in one step. A page
//!    that takes long is saved several times a second.
//! 9. When every shard is done, on whatever node, the coordinator stores SENT.
//!
//! Who watches sees it through `services/feed`: the engine's account of itself, which it keeps anyway, and
//! the ledger's counters, put together four times a second for all watchers of an app, and not at all
//! while there is none.
//!
//! A restart, a resume after a pause and a crash are the same thing: steps 3 to 9 again, from what the
//! ledger holds.
//!
//! A message to one device (`services/direct`) takes steps 6 and 7 alone: somebody waits for what becomes
//! of it, and the ledger does not know of it.
//!
//! # What is seen of it
//!
//! The engine gives an account of itself (`engine/report`). [`services`]`/feed` makes an app's status of it,
//! of the ledger's totals and of what the other nodes say, once for all who watch, and tells what changes;
//! `api/console` carries that to browsers, and serves the console, whose files are the folder `console/`.
//! `/metrics` reads the same account. Who did what is kept by `services/audit`.
//!
//! # What must always hold
//!
//! 1. **Nothing is lost.** Every matching device ends with exactly one outcome in the log, whatever is
//!    killed in between.
//! 2. **Repeats are bounded and harmless.** Only pushes that were under way, or answered since the last
//!    save, can be sent twice, and a repeat carries the same push id and collapse id.
//! 3. **Counters are absolute.** A shard stores its counters with its checkpoint; totals are sums.
//! 4. **Memory is flat.** Pages, credits, queues and mailboxes are bounded.
//! 5. **One bad thing hurts only itself.** A device, a token, a provider, an app.
//! 6. **A stop is a stop.** After a pause or a withdrawal no push begins; what was under way is recorded.
//!
//! # Layers
//!
//! Who may import whom; `tests/architecture.rs` keeps it true and free of circles.
//!
//! | module | may import |
//! |---|---|
//! | [`domain`], [`settings`] | nothing of ours |
//! | [`telemetry`] | settings |
//! | [`storage`], [`transport`], [`cluster`] | domain, settings, telemetry |
//! | [`engine`] | the above, by their root traits only |
//! | [`services`] | domain, settings, telemetry, the storage root, the engine's handle |
//! | [`api`] | domain, settings, telemetry, services |
//! | [`sandbox`], [`demo`] | nothing of ours: one must not share the transport's misreadings of a protocol, the other proves the engine from outside |
//! | [`bootstrap`], [`cli`] | everything |
//!
//! # Where a line belongs
//!
//! A rule that can be told without I/O: [`domain`]. What SQL or an index does: `storage/embedded`; what
//! MongoDB does: `storage/mongo`, and who holds which shard: [`cluster`]. What a
//! provider's answer means: `transport/*/response.rs`, and what follows from it: `engine/verdict.rs`. How
//! JSON looks on the wire: `api/native/wire`, `transport/*/payload.rs`, and what the OpenAPI document says of
//! it: `operations` beside each table of routes. What a person sees: `console/`. Which backend is used:
//! [`bootstrap`], and nowhere else.
//!
//! # What outlives a crash of an actor
//!
//! Actors decide; they own nothing that would be missed. Devices waiting to be pushed lie on a sender's
//! desk, pages in flight on a shard's desk, the rest in the ledger. A guard in every actor tells of its
//! end, panics included, and a keeper starts the next generation (`engine/supervise.rs`); that one looks
//! at the desk and the ledger and goes on.

pub mod api;
pub mod bootstrap;
pub mod cli;
pub mod cluster;
pub mod demo;
pub mod domain;
pub mod engine;
pub mod sandbox;
pub mod services;
pub mod settings;
pub mod storage;
pub mod telemetry;
pub mod transport;

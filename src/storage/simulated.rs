//! A store for tests in which nothing happens by itself: every request waits for its turn, the clock stands until it is
//! put forward, and an answer may be lost.

use std::collections::BTreeMap;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt as _, TryStreamExt as _};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    ObjectStoreExt as _, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

/// What becomes of a request, beside what it asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// It is refused before anything is done, as by a 503.
    Refused,
    /// It is carried out, and the answer is an error.
    AnswerLost,
    /// A create is refused as if the object were there, as by a 409 while another create is under way.
    Conflict,
    /// A write is carried out later; the answer is an error now.
    Late,
    /// A read gives half of the bytes, and nothing says so.
    Torn,
    /// A list gives what was there when half as many objects had been written.
    Stale,
}

/// What all seats share.
#[derive(Debug, Default)]
pub struct World {
    objects: InMemory,
    state: Mutex<State>,
    /// Whether a create overwrites what is there.
    careless: bool,
}

#[derive(Debug, Default)]
struct State {
    now: Duration,
    stamps: BTreeMap<Path, Duration>,
    /// Names in the order in which they were first written.
    order: Vec<Path>,
    turns: BTreeMap<usize, Fault>,
    late: Vec<(Path, Bytes)>,
}

/// The store as one contender reaches it.
#[derive(Clone, Debug)]
pub struct Seat {
    world: Arc<World>,
    who: usize,
}

type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;

fn unreachable() -> Error {
    Error::Generic { store: "simulated", source: "503".into() }
}

impl World {
    pub fn seat(self: &Arc<Self>, who: usize) -> Seat {
        Seat { world: Arc::clone(self), who }
    }

    /// A world whose store ignores that it was asked to create.
    pub fn careless() -> Self {
        Self { careless: true, ..Self::default() }
    }

    pub fn now(&self) -> Duration {
        self.state.lock().unwrap().now
    }

    pub fn advance(&self, by: Duration) {
        self.state.lock().unwrap().now += by;
    }

    /// Lets the next request of a contender through.
    pub fn let_through(&self, who: usize, fault: Fault) {
        self.state.lock().unwrap().turns.insert(who, fault);
    }

    /// Waits for a turn of one's own.
    pub async fn turn(&self, who: usize) -> Fault {
        std::future::poll_fn(|context| match self.state.lock().unwrap().turns.remove(&who) {
            Some(fault) => Poll::Ready(fault),
            None => {
                // whoever runs several requests at once asks only those again that were woken
                context.waker().wake_by_ref();
                Poll::Pending
            }
        })
        .await
    }

    /// Carries out the oldest write that is still under way.
    pub async fn arrive(&self) {
        let mut late = std::mem::take(&mut self.state.lock().unwrap().late);
        if !late.is_empty() {
            let (path, bytes) = late.remove(0);
            // a create that comes too late is refused like any other
            let _ = self.put(&path, bytes.into(), PutMode::Create.into()).await;
        }
        self.state.lock().unwrap().late.extend(late);
    }

    async fn put(&self, path: &Path, payload: PutPayload, mut options: PutOptions) -> Result<PutResult> {
        if self.careless {
            options.mode = PutMode::Overwrite;
        }
        let put = self.objects.put_opts(path, payload, options).await?;
        let mut state = self.state.lock().unwrap();
        // S3 stamps whole seconds
        let stamp = Duration::from_secs(state.now.as_secs());
        if state.stamps.insert(path.clone(), stamp).is_none() {
            state.order.push(path.clone());
        }
        Ok(put)
    }

    /// Names that a stale list does not know.
    fn unlisted(&self) -> Vec<Path> {
        let order = &self.state.lock().unwrap().order;
        order[order.len() / 2..].to_vec()
    }

    fn stamped(&self, mut object: ObjectMeta) -> ObjectMeta {
        let stamp = self.state.lock().unwrap().stamps.get(&object.location).copied().unwrap_or_default();
        object.last_modified = (SystemTime::UNIX_EPOCH + stamp).into();
        object
    }
}

impl fmt::Display for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "simulated store, seat {}", self.who)
    }
}

impl ObjectStore for Seat {
    fn put_opts<'a, 'b, 'c>(
        &'a self,
        location: &'b Path,
        payload: PutPayload,
        opts: PutOptions,
    ) -> Answer<'c, PutResult>
    where
        'a: 'c,
        'b: 'c,
    {
        Box::pin(async move {
            let create = matches!(opts.mode, PutMode::Create);
            match self.world.turn(self.who).await {
                Fault::Refused => Err(unreachable()),
                Fault::Conflict if create => {
                    Err(Error::AlreadyExists { path: location.to_string(), source: "409".into() })
                }
                Fault::Late if create => {
                    self.world.state.lock().unwrap().late.push((location.clone(), payload.into()));
                    Err(unreachable())
                }
                Fault::AnswerLost => {
                    let _ = self.world.put(location, payload, opts).await;
                    Err(unreachable())
                }
                Fault::None | Fault::Conflict | Fault::Late | Fault::Torn | Fault::Stale => {
                    self.world.put(location, payload, opts).await
                }
            }
        })
    }

    fn put_multipart_opts<'a, 'b, 'c>(
        &'a self,
        _: &'b Path,
        _: PutMultipartOptions,
    ) -> Answer<'c, Box<dyn MultipartUpload>>
    where
        'a: 'c,
        'b: 'c,
    {
        Box::pin(async { Err(Error::NotImplemented { operation: "multipart".into(), implementer: self.to_string() }) })
    }

    fn get_opts<'a, 'b, 'c>(&'a self, location: &'b Path, options: GetOptions) -> Answer<'c, GetResult>
    where
        'a: 'c,
        'b: 'c,
    {
        Box::pin(async move {
            let fault = self.world.turn(self.who).await;
            if !matches!(fault, Fault::None | Fault::Torn | Fault::Stale) {
                return Err(unreachable());
            }
            let mut found = self.world.objects.get_opts(location, options).await?;
            found.meta = self.world.stamped(found.meta);
            if fault == Fault::Torn {
                let (meta, attributes) = (found.meta.clone(), found.attributes.clone());
                let whole = found.bytes().await?;
                let half = whole.slice(..whole.len() / 2);
                return Ok(GetResult {
                    range: 0..half.len() as u64,
                    meta: ObjectMeta { size: half.len() as u64, ..meta },
                    payload: GetResultPayload::Stream(futures_util::stream::once(async { Ok(half) }).boxed()),
                    attributes,
                    extensions: Default::default(),
                });
            }
            Ok(found)
        })
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let seat = self.clone();
        locations
            .and_then(move |location| {
                let seat = seat.clone();
                async move {
                    if seat.world.turn(seat.who).await == Fault::Refused {
                        return Err(unreachable());
                    }
                    seat.world.objects.delete(&location).await.map(|()| location)
                }
            })
            .boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let (seat, prefix) = (self.clone(), prefix.cloned());
        let listed = async move {
            let unlisted = match seat.world.turn(seat.who).await {
                Fault::None | Fault::Torn => Vec::new(),
                Fault::Stale => seat.world.unlisted(),
                _ => return futures_util::stream::once(async { Err(unreachable()) }).boxed(),
            };
            let world = Arc::clone(&seat.world);
            let listed = seat.world.objects.list(prefix.as_ref());
            let listed = listed.try_filter(move |object| std::future::ready(!unlisted.contains(&object.location)));
            listed.map_ok(move |object| world.stamped(object)).boxed()
        };
        futures_util::stream::once(listed).flatten().boxed()
    }

    fn list_with_delimiter<'a, 'b, 'c>(&'a self, prefix: Option<&'b Path>) -> Answer<'c, ListResult>
    where
        'a: 'c,
        'b: 'c,
    {
        self.world.objects.list_with_delimiter(prefix)
    }

    fn copy_opts<'a, 'b, 'd, 'c>(&'a self, from: &'b Path, to: &'d Path, options: CopyOptions) -> Answer<'c, ()>
    where
        'a: 'c,
        'b: 'c,
        'd: 'c,
    {
        self.world.objects.copy_opts(from, to, options)
    }
}

/// One step of a schedule: time passes, perhaps an old write arrives, then a contender's request goes through.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// Whose request.
    pub who: usize,
    /// How much time passes before.
    pub passes: Duration,
    /// What becomes of the request.
    pub fault: Fault,
    /// Whether an old write arrives before.
    pub arrives: bool,
}

/// Runs futures that nothing wakes: each is polled when it has a turn.
pub struct Stage<'a> {
    world: Arc<World>,
    players: Vec<Player<'a>>,
}

/// What a contender does.
pub type Player<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

impl<'a> Stage<'a> {
    pub fn new(world: &Arc<World>, players: Vec<Player<'a>>) -> Self {
        Self { world: Arc::clone(world), players }
    }

    pub fn step(&mut self, step: Step) {
        self.world.advance(step.passes);
        if step.arrives {
            let arrival = std::pin::pin!(self.world.arrive());
            assert!(arrival.poll(&mut Context::from_waker(Waker::noop())).is_ready());
        }
        self.world.let_through(step.who, step.fault);
        let _ = self.players[step.who].as_mut().poll(&mut Context::from_waker(Waker::noop()));
    }
}

/// Drives one future to its end, each of its requests with the fault of its place, then without.
pub fn finish<T>(world: &World, who: usize, faults: &[Fault], future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    for fault in faults.iter().copied().chain(std::iter::repeat(Fault::None)) {
        world.let_through(who, fault);
        if let std::task::Poll::Ready(answer) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return answer;
        }
    }
    unreachable!("faults never end");
}

//! A store for tests in which nothing happens by itself: every request waits for its turn, the clock stands until it is
//! put forward, and an answer may be lost.

use std::collections::BTreeMap;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt as _, TryStreamExt as _};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
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
}

/// What all seats share.
#[derive(Debug, Default)]
pub struct World {
    objects: InMemory,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    now: Duration,
    stamps: BTreeMap<Path, Duration>,
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
        std::future::poll_fn(|_| match self.state.lock().unwrap().turns.remove(&who) {
            Some(fault) => Poll::Ready(fault),
            None => Poll::Pending,
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

    async fn put(&self, path: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let put = self.objects.put_opts(path, payload, options).await?;
        let mut state = self.state.lock().unwrap();
        // S3 stamps whole seconds
        let stamp = Duration::from_secs(state.now.as_secs());
        state.stamps.insert(path.clone(), stamp);
        Ok(put)
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
                Fault::None | Fault::Conflict | Fault::Late => self.world.put(location, payload, opts).await,
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
            if self.world.turn(self.who).await != Fault::None {
                return Err(unreachable());
            }
            let mut found = self.world.objects.get_opts(location, options).await?;
            found.meta = self.world.stamped(found.meta);
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
            match seat.world.turn(seat.who).await {
                Fault::None => {}
                _ => return futures_util::stream::once(async { Err(unreachable()) }).boxed(),
            }
            let world = Arc::clone(&seat.world);
            seat.world.objects.list(prefix.as_ref()).map_ok(move |object| world.stamped(object)).boxed()
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

//! An object store whose writes pass the points of faults.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMode,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result, UploadPart,
};

use super::{DELETE, Faults, PUT};

type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;

/// Passes everything on to a store, writes between their points.
#[derive(Debug)]
pub(in crate::storage) struct FaultyStore {
    inner: Arc<dyn ObjectStore>,
    faults: Faults,
    /// Whether an object is flushed before its create is answered.
    flushes: bool,
}

impl FaultyStore {
    pub(in crate::storage) fn over(inner: Arc<dyn ObjectStore>, faults: Faults, flushes: bool) -> Arc<dyn ObjectStore> {
        Arc::new(Self { inner, faults, flushes })
    }
}

impl fmt::Display for FaultyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} with faults", self.inner)
    }
}

fn refused(error: std::io::Error) -> Error {
    Error::Generic { store: "faulty", source: error.into() }
}

impl ObjectStore for FaultyStore {
    fn put_opts<'a, 'b, 'c>(
        &'a self,
        location: &'b Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Answer<'c, PutResult>
    where
        'a: 'c,
        'b: 'c,
    {
        Box::pin(async move {
            let name = location.as_ref();
            // a create is published whole or not at all where the name is taken
            let creates = matches!(options.mode, PutMode::Create);
            let may_tear = !(self.flushes || creates && self.inner.get_opts(location, head()).await.is_ok());
            let bytes = if may_tear { Some(Bytes::from(payload.clone())) } else { None };
            self.faults.before_put(name, bytes.as_deref()).map_err(refused)?;
            let done = self.inner.put_opts(location, payload, options).await?;
            self.faults.note(name, self.flushes);
            self.faults.after(PUT, name).map_err(refused)?;
            Ok(done)
        })
    }

    fn put_multipart_opts<'a, 'b, 'c>(
        &'a self,
        location: &'b Path,
        options: PutMultipartOptions,
    ) -> Answer<'c, Box<dyn MultipartUpload>>
    where
        'a: 'c,
        'b: 'c,
    {
        Box::pin(async move {
            let name = location.as_ref();
            self.faults.before("begin", name).map_err(refused)?;
            let upload = self.inner.put_multipart_opts(location, options).await?;
            self.faults.after("begin", name).map_err(refused)?;
            let upload = FaultyUpload {
                inner: upload,
                faults: self.faults.clone(),
                name: name.to_owned(),
                flushes: self.flushes,
            };
            Ok(Box::new(upload) as Box<dyn MultipartUpload>)
        })
    }

    fn get_opts<'a, 'b, 'c>(&'a self, location: &'b Path, options: GetOptions) -> Answer<'c, GetResult>
    where
        'a: 'c,
        'b: 'c,
    {
        Box::pin(async move {
            self.faults.alive().map_err(refused)?;
            self.inner.get_opts(location, options).await
        })
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let (before, after) = (self.faults.clone(), self.faults.clone());
        let asked = locations.map(move |location| {
            let location = location?;
            before.before(DELETE, location.as_ref()).map_err(refused)?;
            Ok(location)
        });
        let done = self.inner.delete_stream(asked.boxed()).map(move |location| {
            let location = location?;
            after.after(DELETE, location.as_ref()).map_err(refused)?;
            Ok(location)
        });
        done.boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.faults.alive() {
            Ok(()) => self.inner.list(prefix),
            Err(error) => futures_util::stream::iter([Err(refused(error))]).boxed(),
        }
    }

    fn list_with_delimiter<'a, 'b, 'c>(&'a self, prefix: Option<&'b Path>) -> Answer<'c, ListResult>
    where
        'a: 'c,
        'b: 'c,
    {
        Box::pin(async move {
            self.faults.alive().map_err(refused)?;
            self.inner.list_with_delimiter(prefix).await
        })
    }

    fn copy_opts<'a, 'b, 'd, 'c>(&'a self, from: &'b Path, to: &'d Path, options: CopyOptions) -> Answer<'c, ()>
    where
        'a: 'c,
        'b: 'c,
        'd: 'c,
    {
        Box::pin(async move {
            self.faults.before("copy", to.as_ref()).map_err(refused)?;
            self.inner.copy_opts(from, to, options).await?;
            self.faults.after("copy", to.as_ref()).map_err(refused)
        })
    }

    fn rename_opts<'a, 'b, 'd, 'c>(&'a self, from: &'b Path, to: &'d Path, options: RenameOptions) -> Answer<'c, ()>
    where
        'a: 'c,
        'b: 'c,
        'd: 'c,
    {
        Box::pin(async move {
            self.faults.before("rename", to.as_ref()).map_err(refused)?;
            self.inner.rename_opts(from, to, options).await?;
            self.faults.after("rename", to.as_ref()).map_err(refused)
        })
    }
}

/// A look that reads nothing.
fn head() -> GetOptions {
    GetOptions { head: true, ..GetOptions::default() }
}

/// An upload in parts, each of which passes its points.
#[derive(Debug)]
struct FaultyUpload {
    inner: Box<dyn MultipartUpload>,
    faults: Faults,
    name: String,
    flushes: bool,
}

impl MultipartUpload for FaultyUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        if let Err(error) = self.faults.before("part", &self.name) {
            return Box::pin(async move { Err(refused(error)) });
        }
        let (part, faults, name) = (self.inner.put_part(data), self.faults.clone(), self.name.clone());
        Box::pin(async move {
            part.await?;
            faults.after("part", &name).map_err(refused)
        })
    }

    fn complete<'a, 'c>(&'a mut self) -> Answer<'c, PutResult>
    where
        'a: 'c,
    {
        Box::pin(async move {
            self.faults.before("complete", &self.name).map_err(refused)?;
            let done = self.inner.complete().await?;
            self.faults.note(&self.name, self.flushes);
            self.faults.after("complete", &self.name).map_err(refused)?;
            Ok(done)
        })
    }

    fn abort<'a, 'c>(&'a mut self) -> Answer<'c, ()>
    where
        'a: 'c,
    {
        Box::pin(async move {
            self.faults.before("abort", &self.name).map_err(refused)?;
            self.inner.abort().await?;
            self.faults.after("abort", &self.name).map_err(refused)
        })
    }
}

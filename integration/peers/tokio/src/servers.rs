//! Servers, for the client of ../c/load.c. They serve until the process is killed.

use std::convert::Infallible;
use std::io::Result;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{HeaderValue, CONTENT_TYPE};
use hyper::service::service_fn;
use hyper::{body::Incoming, server::conn::http1, Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::measure::Sample;

async fn echo_all(mut stream: TcpStream, buffer_size: usize) -> Result<()> {
    // Not cleared: what no message reaches is never touched.
    let mut buffer = Vec::with_capacity(buffer_size);
    while stream.read_buf(&mut buffer).await? != 0 {
        stream.write_all(&buffer).await?;
        buffer.clear();
    }
    Ok(())
}

async fn hello(_: Request<Incoming>) -> std::result::Result<Response<Full<Bytes>>, Infallible> {
    let mut response = Response::new(Full::new(Bytes::from_static(b"Hello, World!\n")));
    let text = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, text);
    Ok(response)
}

/// Hands each connection to `serve`, on a runtime with `threads` workers.
fn accept<F>(threads: usize, serve: F) -> Sample
where
    F: Fn(TcpStream) + Send + 'static,
{
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .enable_all()
        .build()
        .expect("a runtime");
    let accepting = async move {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("listening on {}", listener.local_addr()?);
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            serve(stream);
        }
    };
    let ended: Result<()> =
        runtime.block_on(async { tokio::spawn(accepting).await.expect("no panic") });
    panic!("a server that ended: {ended:?}");
}

pub fn echo(n: u64, threads: usize) -> Sample {
    accept(threads, move |stream| {
        tokio::spawn(echo_all(stream, n as usize));
    })
}

/// By hyper.
pub fn http(_: u64, threads: usize) -> Sample {
    accept(threads, |stream| {
        let connection = http1::Builder::new()
            .pipeline_flush(true)
            .serve_connection(TokioIo::new(stream), service_fn(hello));
        tokio::spawn(connection);
    })
}

//! Standard output whose reader may close it: that must not stop the relay.

use std::io::{self, IsTerminal, Write};

use tracing_subscriber::fmt::MakeWriter;

/// Standard output. A line that cannot be written is dropped.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stdout;

pub(crate) fn is_terminal() -> bool {
    io::stdout().is_terminal()
}

impl<'a> MakeWriter<'a> for Stdout {
    type Writer = Self;
    fn make_writer(&'a self) -> Self {
        Self
    }
}

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // If this failed, the subscriber would report it on standard error, which may be closed too. The line is lost
        // in any case, and the count of lines in the metrics stays correct.
        let _ = io::stdout().write_all(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let _ = io::stdout().flush();
        Ok(())
    }
}

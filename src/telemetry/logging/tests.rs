use std::sync::mpsc::{Receiver, Sender, channel};

use super::*;

/// Writes into memory; each write first tells that it began and then waits to be let through.
struct Gate {
    began: Sender<()>,
    pass: Receiver<()>,
    written: Arc<Mutex<Vec<u8>>>,
}

impl Write for Gate {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = self.began.send(());
        let _ = self.pass.recv();
        self.written.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Memory that several hands hold.
#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Vec<u8>>>);

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A pipe whose reader is gone.
struct Broken;

impl Write for Broken {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn lines_are_written_in_order_and_flushed_when_the_log_is_dropped() {
    let memory = Memory::default();
    let log = AccessLog::to_writer(memory.clone(), 8).unwrap();
    log.write("one\n");
    log.write("two\n");
    drop(log);
    assert_eq!(*memory.0.lock().unwrap(), b"one\ntwo\n");
}

#[test]
fn a_stuck_writer_blocks_nobody_and_what_finds_no_room_is_counted() {
    let (began, has_begun) = channel();
    let (let_through, pass) = channel();
    let written = Arc::new(Mutex::new(Vec::new()));
    let log = AccessLog::to_writer(Gate { began, pass, written: written.clone() }, 2).unwrap();
    log.write("stuck\n");
    has_begun.recv().unwrap();
    for line in ["kept\n", "kept\n", "lost\n", "lost\n", "lost\n"] {
        log.write(line);
    }
    assert_eq!(log.lost().get(), 3);
    drop(let_through);
    drop(log);
    assert_eq!(*written.lock().unwrap(), b"stuck\nkept\nkept\n");
}

#[test]
fn lines_that_could_not_be_written_are_counted_as_lost() {
    let log = AccessLog::to_writer(Broken, 8).unwrap();
    log.write("one\n");
    log.write("two\n");
    log.flush();
    assert_eq!(log.lost().get(), 2);
}

#[test]
fn a_log_that_is_off_takes_nothing() {
    let log = AccessLog::off();
    log.write("one\n");
    assert!(log.is_off());
    assert_eq!(log.lost().get(), 0);
}

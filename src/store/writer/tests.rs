use super::*;
use crate::clock::{ManualClock, Timestamp};
use crate::store::testing::Folder;

#[tokio::test]
async fn a_write_that_holds_the_last_of_the_store_is_completed() {
    let folder = Folder::new();
    drop(folder.store(Arc::new(ManualClock::at(Timestamp::from_secs(1)))));
    let file = Arc::new(StoreFile::open(&folder.file()).unwrap());
    let writer = Arc::new(Writer::start(Arc::clone(&file)).unwrap());
    let (started, has_started) = oneshot::channel();
    let (go, may_go) = mpsc::channel();
    let caller = tokio::spawn(async move {
        let last = Arc::clone(&writer);
        let work = move |tables: &mut Tables<'_>| {
            started.send(()).unwrap();
            may_go.recv().unwrap();
            drop(last);
            tables.next_fence()
        };
        writer.write(work).await
    });
    has_started.await.unwrap();
    caller.abort();
    assert!(caller.await.unwrap_err().is_cancelled());
    go.send(()).unwrap();
    while Arc::strong_count(&file) > 1 {
        thread::yield_now();
    }
    assert_eq!(file.write(|transaction| Tables::open(transaction)?.next_fence()).unwrap(), 2);
}

//! Which pages were written.

use tenure_sys::{Image, PageScan, Reservation, page_size};

mod child;

fn write(reservation: &Reservation, offset: usize) {
    assert!(offset < reservation.len());
    // SAFETY: inside the range, where the tests below committed it.
    unsafe { reservation.base().add(offset).write_volatile(7) };
}

fn read(reservation: &Reservation, offset: usize) -> u8 {
    assert!(offset < reservation.len());
    // SAFETY: as in `write`.
    unsafe { reservation.base().add(offset).read_volatile() }
}

/// The written pages, as numbers; `None` where the system cannot tell, which is fine.
fn written(reservation: &Reservation) -> Option<Vec<usize>> {
    let scan = PageScan::new().ok()?;
    let mut found = Vec::new();
    assert!(scan.written(reservation, 0..reservation.len(), usize::MAX, &mut found).unwrap());
    let pages = found.iter().flat_map(|part| part.clone().step_by(page_size()));
    Some(pages.map(|at| at / page_size()).collect())
}

#[test]
fn written_pages_are_found_and_read_ones_are_not() {
    let page = page_size();
    let memory = Reservation::new(400 * page).unwrap();
    memory.commit(0, 400 * page).unwrap();
    Image::new(&vec![1; 10 * page]).unwrap().map_at(&memory, 100 * page).unwrap();
    assert_eq!(written(&memory).unwrap_or_default(), []);
    for at in [0, 101, 300] {
        read(&memory, at * page);
    }
    assert_eq!(written(&memory).unwrap_or_default(), []);
    // More parts than one question has room for.
    let pages: Vec<usize> = (0..400).filter(|at| at % 3 != 0).collect();
    pages.iter().for_each(|&at| write(&memory, at * page + 5));
    assert_eq!(written(&memory).unwrap_or_else(|| pages.clone()), pages);
    memory.reset(0, 400 * page).unwrap();
    assert_eq!(written(&memory).unwrap_or_default(), []);
}

#[test]
fn more_than_was_asked_for_is_said() {
    let page = page_size();
    let memory = Reservation::new(10 * page).unwrap();
    memory.commit(0, 10 * page).unwrap();
    (0..4).for_each(|at| write(&memory, 2 * at * page));
    let Ok(scan) = PageScan::new() else { return };
    let mut found = Vec::new();
    let mut within = |most| scan.written(&memory, 0..10 * page, most, &mut found).unwrap();
    assert!(within(4 * page) && !within(4 * page - 1) && !within(0));
    assert!(scan.written(&memory, 0..11 * page, usize::MAX, &mut found).is_err());
    assert!(scan.written(&memory, 1..page, usize::MAX, &mut found).is_err());
}

#[test]
fn a_forked_child_is_told_nothing() {
    child::child("a_forked_child_is_told_nothing", child::Ended::Well, || {
        let Ok(scan) = PageScan::new() else { return };
        let memory = Reservation::new(1).unwrap();
        // SAFETY: the child calls nothing but what is safe after a fork: it asks for its id, writes an error, exits.
        let pid = unsafe { libc::fork() };
        assert!(pid >= 0);
        if pid == 0 {
            let refused = scan.written(&memory, 0..memory.len(), usize::MAX, &mut Vec::new()).is_err();
            // SAFETY: ends the process at once.
            unsafe { libc::_exit(i32::from(!refused)) };
        }
        let mut status = 0;
        // SAFETY: waits for the child made above.
        assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
        assert_eq!(libc::WEXITSTATUS(status), 0);
    });
}

#[test]
fn a_part_of_a_reservation_is_one() {
    let page = page_size();
    let (first, second) = Reservation::new(4 * page).unwrap().split(page).unwrap();
    assert_eq!((first.len(), second.len()), (page, 3 * page));
    assert_eq!(first.base().wrapping_add(page), second.base());
    second.commit(0, page).unwrap();
    write(&second, 0);
    drop(first);
    assert_eq!(read(&second, 0), 7);
    assert!(second.split(3 * page).is_err());
    assert!(Reservation::new(4 * page).unwrap().split(1).is_err());
    assert!(Reservation::new(4 * page).unwrap().split(0).is_err());
}

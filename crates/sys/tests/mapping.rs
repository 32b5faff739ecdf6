//! Reservations and images, also where memory faults: those parts run in a child process.

mod child;

use child::{Ended, child};
use tenure_sys::mapping::round_up_to_pages;
use tenure_sys::{Image, Reservation, page_size};

/// The byte at `offset`.
fn read(reservation: &Reservation, offset: usize) -> u8 {
    assert!(offset < reservation.len());
    // SAFETY: inside the range; the tests read what they committed, or mean to fault.
    unsafe { reservation.base().add(offset).read_volatile() }
}

fn write(reservation: &Reservation, offset: usize, byte: u8) {
    assert!(offset < reservation.len());
    // SAFETY: as in `read`; no references are made.
    unsafe { reservation.base().add(offset).write_volatile(byte) };
}

#[test]
fn a_reservation_is_whole_pages() {
    let page = page_size();
    assert!(page.is_power_of_two() && page >= 4096);
    let reservation = Reservation::new(page + 1).unwrap();
    assert_eq!(reservation.len(), 2 * page);
    assert!((reservation.base() as usize).is_multiple_of(page));
    assert!(reservation.contains(reservation.base() as usize + 2 * page - 1));
    assert!(!reservation.contains(reservation.base() as usize + 2 * page));
    assert!(!reservation.contains((reservation.base() as usize).wrapping_sub(1)));
    assert_eq!(Reservation::new(0).unwrap().len(), page);
}

#[test]
fn a_reservation_may_be_larger_than_memory() {
    let reservation = Reservation::new(1 << 40).unwrap();
    reservation.commit(1 << 39, page_size()).unwrap();
    assert_eq!(read(&reservation, 1 << 39), 0);
}

#[test]
fn impossible_lengths_are_errors() {
    assert_eq!(round_up_to_pages(usize::MAX), None);
    let error = Reservation::new(usize::MAX).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
    assert!(Reservation::new(1 << 62).is_err());
}

#[test]
fn committed_pages_are_zero_and_keep_what_they_hold() {
    let page = page_size();
    let reservation = Reservation::new(4 * page).unwrap();
    reservation.commit(page, page).unwrap();
    assert_eq!(read(&reservation, 2 * page - 1), 0);
    write(&reservation, page, 7);
    reservation.commit(0, 3 * page).unwrap();
    assert_eq!(read(&reservation, page), 7);
}

#[test]
fn decommitted_pages_come_back_zero() {
    let page = page_size();
    let reservation = Reservation::new(4 * page).unwrap();
    reservation.commit(0, 4 * page).unwrap();
    for at in 0..4 {
        write(&reservation, at * page, 7);
    }
    reservation.decommit(page, 2 * page).unwrap();
    reservation.commit(page, page).unwrap();
    assert_eq!(read(&reservation, 0), 7);
    assert_eq!(read(&reservation, page), 0);
    assert_eq!(read(&reservation, 3 * page), 7);
}

#[test]
fn parts_that_are_not_pages_of_the_range_are_refused() {
    let page = page_size();
    let reservation = Reservation::new(4 * page).unwrap();
    for (offset, len) in
        [(1, page), (0, 1), (0, 5 * page), (5 * page, 0), (usize::MAX & !(page - 1), 2 * page)]
    {
        let error = reservation.commit(offset, len).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
        assert!(error.to_string().contains(&format!("{offset:#x}")), "{error}");
    }
    // The end is an offset, too, for nothing.
    reservation.commit(4 * page, 0).unwrap();
    reservation.decommit(0, 0).unwrap();
}

#[test]
fn an_image_is_copied_on_write() {
    let page = page_size();
    let content: Vec<u8> = (0..page + 10).map(|at| at as u8 | 1).collect();
    let image = Image::new(&content).unwrap();
    assert_eq!(image.len(), 2 * page);
    let (one, other) = (Reservation::new(4 * page).unwrap(), Reservation::new(4 * page).unwrap());
    image.map_at(&one, page).unwrap();
    image.map_at(&other, 0).unwrap();
    drop(image);
    write(&one, page, 0xee);
    assert_eq!(read(&one, page), 0xee);
    assert_eq!(read(&one, page + 1), content[1]);
    assert_eq!(read(&one, 2 * page + 9), content[page + 9]);
    assert_eq!(read(&one, 2 * page + 10), 0);
    assert_eq!(read(&other, 0), content[0]);

    // Reset shows the image again, zero removes it.
    one.reset(page, 2 * page).unwrap();
    assert_eq!(read(&one, page), content[0]);
    one.zero(page, page).unwrap();
    assert_eq!(read(&one, page), 0);
    write(&one, page, 1);
    assert_eq!(read(&one, 2 * page), content[page]);
    one.reset(page, page).unwrap();
    assert_eq!(read(&one, page), 0);
}

#[test]
fn an_image_must_fit() {
    let page = page_size();
    let image = Image::new(&vec![1; 2 * page]).unwrap();
    let reservation = Reservation::new(2 * page).unwrap();
    assert!(image.map_at(&reservation, page).is_err());
    assert!(image.map_at(&reservation, 1).is_err());
    image.map_at(&reservation, 0).unwrap();
    let empty = Image::new(&[]).unwrap();
    assert!(empty.is_empty() && !image.is_empty());
    empty.map_at(&reservation, 2 * page).unwrap();
    assert_eq!(read(&reservation, 0), 1);
}

#[test]
fn what_is_not_committed_faults() {
    child("what_is_not_committed_faults", Ended::Signal(libc::SIGSEGV), || {
        let reservation = Reservation::new(4 * page_size()).unwrap();
        reservation.commit(0, page_size()).unwrap();
        read(&reservation, page_size());
    });
}

#[test]
fn what_is_decommitted_faults() {
    child("what_is_decommitted_faults", Ended::Signal(libc::SIGSEGV), || {
        let reservation = Reservation::new(4 * page_size()).unwrap();
        reservation.commit(0, 2 * page_size()).unwrap();
        write(&reservation, page_size(), 1);
        reservation.decommit(page_size(), page_size()).unwrap();
        write(&reservation, page_size(), 1);
    });
}

#[test]
fn dropping_gives_addresses_back() {
    // 2000 TiB in all: far more than there are.
    for _ in 0..2000 {
        Reservation::new(1 << 40).unwrap();
    }
}

#[test]
fn a_limit_on_file_sizes_is_an_error_and_no_signal() {
    child("a_limit_on_file_sizes_is_an_error_and_no_signal", Ended::Well, || {
        let limit = libc::rlimit { rlim_cur: 4096, rlim_max: libc::RLIM_INFINITY };
        // SAFETY: the argument is valid for the call.
        assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_FSIZE, &limit) }, 0);
        assert!(Image::new(&[1; 100_000]).is_err());
        let pages = tenure_sys::CodePages::new(1 << 20, 4096).unwrap();
        assert!(!pages.is_dual_view());
    });
}

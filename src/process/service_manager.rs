//! Tells systemd, or whoever set `NOTIFY_SOCKET`, how we are. Everything here does nothing, and
//! succeeds, where there is no such socket.

use std::io;

use sd_notify::NotifyState;

/// The service is up: what is ordered after it may start.
///
/// # Errors
///
/// When the socket is set and can't be written; so for all functions here.
pub fn ready() -> io::Result<()> {
    sd_notify::notify(&[NotifyState::Ready])
}

/// The service is on its way out.
///
/// # Errors
///
/// As [`ready`].
pub fn stopping() -> io::Result<()> {
    sd_notify::notify(&[NotifyState::Stopping])
}

/// One line for `systemctl status`, such as `watching, 12,345 entries, 0 unsaved`.
///
/// # Errors
///
/// As [`ready`].
pub fn status(text: &str) -> io::Result<()> {
    // A line break would begin another message of the protocol, and a file name may bring one.
    let line = text.replace(['\n', '\r'], " ");
    sd_notify::notify(&[NotifyState::Status(&line)])
}

/// A sign of life for the watchdog.
///
/// # Errors
///
/// As [`ready`].
pub fn alive() -> io::Result<()> {
    sd_notify::notify(&[NotifyState::Watchdog])
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixDatagram;

    use super::super::rerun;
    use super::*;

    #[test]
    fn without_a_service_manager_nothing_happens() {
        ready().unwrap();
        status("watching").unwrap();
    }

    #[test]
    #[ignore = "run by the test below as a process of its own"]
    fn tell_everything() {
        ready().unwrap();
        status("unsaved: a\nSTOPPING=1\n.jpg").unwrap();
        alive().unwrap();
        stopping().unwrap();
    }

    #[test]
    fn a_service_manager_hears_it_all() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        let name = "process::service_manager::tests::tell_everything";
        let output = rerun::command(&[], name).env("NOTIFY_SOCKET", &path).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let hear = || {
            let mut bytes = [0; 256];
            let length = socket.recv(&mut bytes).unwrap();
            String::from_utf8(bytes[..length].to_vec()).unwrap()
        };
        assert_eq!(hear(), "READY=1\n");
        assert_eq!(hear(), "STATUS=unsaved: a STOPPING=1 .jpg\n");
        assert_eq!(hear(), "WATCHDOG=1\n");
        assert_eq!(hear(), "STOPPING=1\n");
    }
}

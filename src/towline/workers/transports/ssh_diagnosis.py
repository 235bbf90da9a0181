"""What ssh says when it fails, read as one of the reasons that have names."""

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from towline.errors import ConnectionFailed, ConnectionReason, LoginNeeded
from towline.workers.transports.certificates import Certificate, duration_text

Reason = ConnectionReason

#: The first that is found counts. The order matters: a bad key file is followed by a refused login, for example.
_SIGNS: tuple[tuple[str, ConnectionReason], ...] = (
    (r"remote host identification has changed", Reason.HOST_KEY_CHANGED),
    (r"host key verification failed|host key is known for .* strict checking", Reason.HOST_KEY_UNKNOWN),
    (r"bad configuration option|bad owner or permissions|unprotected private key|unsupported option|keyword .* extra"
     r"|no such file or directory.*proxy|terminating, \d+ bad configuration", Reason.MISCONFIGURED),
    (r"could not resolve hostname|name or service not known", Reason.NAME_NOT_RESOLVED),
    (r"permission denied \(|too many authentication failures|no more authentication", Reason.AUTHENTICATION_REFUSED),
    (r"session open refused by peer|exceeded maxstartups|not allowed at this time", Reason.TOO_MANY_SESSIONS),
    (r"connection refused", Reason.REFUSED),
    (r"no route to host|network is unreachable", Reason.UNREACHABLE),
    (r"timed out|not responding", Reason.TIMED_OUT),
    (r"kex_exchange_identification|banner exchange", Reason.TOO_MANY_SESSIONS),
    (r"connection (to .* )?closed|connection reset|broken pipe", Reason.CLOSED),
)  # fmt: skip

#: Methods of login that need a person.
_ASKING = re.compile(r"permission denied \(.*?(keyboard-interactive|password).*?\)", re.IGNORECASE)

_SENTENCES = {
    Reason.HOST_KEY_CHANGED: "the host shows another key than the one in known_hosts: somebody may pretend to be it, "
    "or it was set up anew. Ask its administrators; if they confirm, type `ssh-keygen -R {address}` and then "
    "`tow worker login {name}`",
    Reason.HOST_KEY_UNKNOWN: "the key of the host is not known; type `tow worker login {name}` and compare its "
    "fingerprint with the one that the site publishes",
    Reason.MISCONFIGURED: "ssh refuses its configuration or a key file; correct what it names",
    Reason.NAME_NOT_RESOLVED: "its name is not known; correct host, or add it to ~/.ssh/config",
    Reason.TOO_MANY_SESSIONS: "the host takes no further connection at the moment (or blocks this address); it is "
    "tried again by itself",
    Reason.REFUSED: "nothing listens at {address}; it is tried again by itself. Correct port if it stays so",
    Reason.UNREACHABLE: "there is no way to {address} from here; is the network or the VPN up? It is tried again by "
    "itself",
    Reason.TIMED_OUT: "no answer from {address} in time; is the network or the VPN up? It is tried again by itself",
    Reason.CLOSED: "the host hung up before the login was complete; it is tried again by itself",
    Reason.OTHER: "the connection failed; try `ssh {host}` to see more",
}


@dataclass(frozen=True, slots=True)
class Place:
    """The host in words, for messages."""

    #: Name of the worker.
    name: str
    #: As the worker names it.
    host: str
    #: As ssh resolves it: host name, or ``[host]:port``.
    address: str
    user: str
    certificates: Sequence[Certificate] = field(default=())


def reason_of(said: str) -> ConnectionReason:
    """The reason in what ssh said."""
    text = " ".join(said.lower().split())
    for sign, reason in _SIGNS:
        if re.search(sign, text):
            return reason
    return Reason.OTHER


def diagnosis(said: str, place: Place, now: float | None = None) -> ConnectionFailed:
    """The error for what ssh said when it could not connect."""
    reason = reason_of(said)
    if reason is Reason.AUTHENTICATION_REFUSED:
        return _refused_login(said, place, time.time() if now is None else now)
    sentence = _SENTENCES[reason].format(name=place.name, host=place.host, address=place.address)
    return ConnectionFailed(f"no connection to {place.name}: {sentence}. ssh said: {_words(said)}", reason)


def _refused_login(said: str, place: Place, now: float) -> LoginNeeded:
    begin = f"SSH authentication failed for {place.name}: "
    lapsed = [item for item in place.certificates if item.valid_until is not None and item.valid_until <= now]
    if lapsed and len(lapsed) == len(place.certificates):
        newest = max(lapsed, key=lambda item: item.valid_until or 0)
        ago = duration_text(now - (newest.valid_until or 0))
        nersc = "nersc" in f"{place.address} {newest.path.name}"
        renewal = f"run sshproxy.sh -u {place.user}" if nersc else f"renew {newest.path}"
        return LoginNeeded(
            f"{begin}certificate expired {ago} ago; {renewal}, then `tow worker login {place.name}`",
            Reason.CERTIFICATE_EXPIRED,
        )
    if _ASKING.search(said):
        return LoginNeeded(
            f"{begin}{place.address} asks for a password or one-time password; type `tow worker login {place.name}`",
            Reason.LOGIN_NEEDED,
        )
    return LoginNeeded(
        f"{begin}{place.address} accepts no key of {place.user} that was offered; put the public key there, name the "
        f"right one (key_filename, or IdentityFile in ~/.ssh/config), then `tow worker login {place.name}`. "
        f"ssh said: {_words(said)}",
        Reason.AUTHENTICATION_REFUSED,
    )


def _words(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip() and not line.startswith("@")]
    return " / ".join(lines[-4:])[-500:] or "nothing"

"""How an Exchange server answers: its texts, and the habits that a stand-in can take on."""

from __future__ import annotations

from dataclasses import dataclass, field

OK = "250 2.1.5 Recipient OK"
NOT_FOUND = "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup"
USER_UNKNOWN = "550 5.1.1 User unknown"
EDGE_BLOCKING = "550 5.4.1 Recipient address rejected: Access denied"
AUTH_REQUIRED = "550 5.7.1 RESOLVER.RST.AuthRequired; authentication required"

# Habits for `replies`: at which command the server says what, whoever asks.
NO_ANONYMOUS = {"MAIL": "530 5.7.57 SMTP; Client was not authenticated to send anonymous mail during MAIL FROM"}
BACK_PRESSURE = {"MAIL": "452 4.3.1 Insufficient system resources"}
UNABLE_TO_RELAY = {"RCPT": "550 5.7.1 Unable to relay"}
TOO_MANY_CONNECTIONS = {"BANNER": "421 4.3.2 The maximum number of concurrent connections has exceeded a limit, "
                                  "closing transmission channel"}
BLOCKED = {"BANNER": "554 5.7.1 Access denied"}
GREYLISTED = {"RCPT": "451 4.7.1 Greylisting in action, please come back later"}


@dataclass
class Habits:
    """How a stand-in behaves. May be changed while it runs; counts from the next command on.

    A verb is EHLO, MAIL, RCPT, DATA…, `.` (the end of DATA), BANNER (before the first line) or * (all).
    """

    unknown: str = NOT_FOUND
    closed: str = AUTH_REQUIRED
    accept_all: bool = False
    accept_domains: set[str] = field(default_factory=set)  # of which it accepts all (AddressBookEnabled is off)
    tarpit: float = 0.0  # seconds before each refused RCPT; Exchange's default is 5
    max_errors: int = 0  # the error of that number is answered 421 and the session closed (Exchange: 5); 0: no limit
    max_sessions: int = 0  # more at a time are turned away (Exchange: 20); 0: no limit
    check_at_end: bool = False  # RCPT accepts all, one unknown recipient refuses the whole mail after DATA
    starttls: bool = False
    replies: dict[str, str] = field(default_factory=dict)  # by verb
    rcpt_replies: dict[str, str] = field(default_factory=dict)  # by address
    hang: set[str] = field(default_factory=set)  # verbs that get no answer
    close: set[str] = field(default_factory=set)  # verbs at which the connection is closed
    close_at: set[str] = field(default_factory=set)  # recipients at which it is
    foreign: set[str] = field(default_factory=set)  # domains that it does not relay for
    slow_from: int = 0  # from the error of this number on, each takes a second (Postfix: smtpd_soft_error_limit); 0: none
